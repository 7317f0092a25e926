"""What people decide about one refund on the command line: try now, cancel."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import CommandError, Exit, refused
from cli.output import AsJson, emit_json, emit_record, say
from refunds.domain.status import CANCELLABLE
from refunds.flow.refusal import Cause, Refusal

if TYPE_CHECKING:
    from refunds.store.refunds import Refund

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

REASON_LIMIT = 400

RefundId = Annotated[str, typer.Argument(metavar="ID", help="The refund's id, rf_…", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the amount.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask; fail instead.")]
Reason = Annotated[str, typer.Option(help="Why; it stays in the history.", show_default=False)]


def retry(refund_id: RefundId, *, reason: Reason, as_json: AsJson = False) -> int:
    """Try a queued or failed refund once more, at once.

    The try is extra: it is not counted and changes no schedule.
    """
    from cli.opening import caller, opened
    from refunds.flow.operate import retry_now

    why = checked(reason)
    with opened() as house:
        done = retry_now(house.parts, refund_id, actor=caller(), reason=why)
    if isinstance(done, Refusal):
        raise refused(done)
    emit_refund(done, as_json=as_json)
    say("one more try is due at once; it is not counted, the daily schedule stays as it is")
    say(f"next: moneyback refund show {done.id}")
    return Exit.OK


def cancel(
    refund_id: RefundId,
    *,
    reason: Reason,
    yes: Yes = False,
    no_input: NoInput = False,
    as_json: AsJson = False,
) -> int:
    """Give up a refund that is not under way.

    Its amount can be refunded again. Asks for the amount to be typed unless --yes.
    """
    from cli.opening import caller, opened
    from cli.wording import money
    from refunds.flow.operate import cancel as cancel_refund
    from refunds.flow.reading import get_refund

    why = checked(reason)
    if not yes and (no_input or not sys.stdin.isatty()):
        raise typer.BadParameter("is needed where nobody can type the amount", param_hint="--yes")
    with opened() as house:
        if not yes:
            refund = get_refund(house.parts, refund_id)
            if refund is None:
                raise unknown(refund_id)
            if refund.status in CANCELLABLE:
                ask_for(money(refund), act="cancel", order=refund.order_id)
        done = cancel_refund(house.parts, refund_id, actor=caller(), reason=why)
    if isinstance(done, Refusal):
        raise refused(done)
    emit_refund(done, as_json=as_json)
    say(f"cancelled: moneyback will not pay it; {money(done)} of the payment can be refunded again")
    say(f"next: moneyback refund show {done.id}")
    return Exit.OK


def unknown(refund_id: str) -> CommandError:
    """The end of a command about a refund that is not there."""
    return refused(Refusal.of(Cause.REFUND_UNKNOWN, "/id", f"there is no refund {refund_id!r}"))


def emit_refund(refund: "Refund", *, as_json: bool) -> None:
    """The refund as an act has left it."""
    from cli.wording import summary
    from refunds.flow.answers import refund_answer

    if as_json:
        emit_json(refund_answer(refund))
    else:
        emit_record(summary(refund))


def checked(text: str, *, option: str = "--reason", limit: int = REASON_LIMIT) -> str:
    """The text of an option as one line. Raises BadParameter that names it."""
    from refunds.domain.redaction import found_in
    from refunds.domain.text import plain

    line = plain(text, limit=limit + 1)
    if not 1 <= len(line) <= limit:
        raise typer.BadParameter(f"must be 1 to {limit} characters", param_hint=option)
    if what := found_in(text):
        raise typer.BadParameter(f"must not hold {what}: it stays in the history", param_hint=option)
    return line


def ask_for(amount: str, *, act: str, order: str) -> None:
    """Have the amount typed, or end the command with nothing changed."""
    typer.echo(f"To {act} {amount} of order {order!r}, type the amount: ", nl=False, err=True)
    if sys.stdin.readline().strip() not in {amount, amount.rpartition(" ")[2]}:
        raise CommandError(Exit.USAGE, "that is not the amount: nothing was changed")
