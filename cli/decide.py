"""What people decide about one refund on the command line where nobody else can: resolve, start over."""

import sys
from typing import Annotated

import typer

from cli.exits import refused
from cli.operate import NoInput, Reason, RefundId, Yes, ask_for, checked, emit_refund, unknown
from cli.output import AsJson, say
from refunds.domain.status import Status
from refunds.flow.refusal import Refusal

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

LIMIT = 200
"""Of a resolution's reason and of its reference, as over HTTP: both stand in one line of history."""


def resolve(
    refund_id: RefundId,
    *,
    as_: Annotated[
        str,
        typer.Option(
            "--as",
            help="refunded, voided, failed, cancelled, refunded_externally; queued: send it again, new key.",
            show_default=False,
        ),
    ],
    reason: Reason,
    reference: Annotated[
        str | None, typer.Option(help="Of what was paid, at the gateway or the bank.", show_default=False)
    ] = None,
    yes: Yes = False,
    no_input: NoInput = False,
    as_json: AsJson = False,
) -> int:
    """Settle a refund that needs review, with the evidence you have.

    It stands in the history with your name. Asks for the amount before it sends again, unless --yes.
    """
    from cli.opening import caller, opened
    from cli.wording import money
    from refunds.flow.decide import ENDS, resolve_as
    from refunds.flow.reading import get_refund

    why = checked(reason, limit=LIMIT)
    if as_ not in ENDS:
        raise typer.BadParameter(f"must be one of {', '.join(sorted(ENDS))}", param_hint="--as")
    wanted = Status(as_)
    sends = wanted is Status.QUEUED
    if sends and not yes and (no_input or not sys.stdin.isatty()):
        raise typer.BadParameter("is needed where nobody can type the amount", param_hint="--yes")
    given = None if reference is None else checked(reference, option="--reference", limit=LIMIT)
    with opened() as house:
        if sends and not yes:
            refund = get_refund(house.parts, refund_id)
            if refund is None:
                raise unknown(refund_id)
            ask_for(money(refund), act="send again", order=refund.order_id)
        done = resolve_as(house.parts, refund_id, new=wanted, actor=caller(), reason=why, reference=given)
    if isinstance(done, Refusal):
        raise refused(done)
    emit_refund(done, as_json=as_json)
    say(f"resolved: it is {done.status.value}")
    say(f"next: moneyback refund show {done.id}")
    return 0


def restart(refund_id: RefundId, *, reason: Reason, as_json: AsJson = False) -> int:
    """Start a failed refund over: its amount is reserved again, and it has all its daily tries anew."""
    from cli.opening import caller, opened
    from refunds.flow.decide import start_over

    why = checked(reason)
    with opened() as house:
        done = start_over(house.parts, refund_id, actor=caller(), reason=why)
    if isinstance(done, Refusal):
        raise refused(done)
    emit_refund(done, as_json=as_json)
    say("started over: it is tried at once, or at the next run hour where it was tried today")
    say(f"next: moneyback refund show {done.id}")
    return 0
