"""`moneyback refund`: hand over, list, show, try now, cancel."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import decide, operate
from cli.exits import CommandError, Exit, refused
from cli.operate import RefundId, unknown
from cli.output import AsJson, emit_json, emit_line, emit_record, emit_table, say
from refunds.domain.status import Status
from refunds.flow.refusal import Refusal

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

app = typer.Typer(
    help="Hand over refunds, see what became of them, act on one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MOST_REQUEST_BYTES = 1024 * 1024


@app.command()
def create(
    *,
    order: Annotated[str | None, typer.Option(help="The order's id.")] = None,
    transaction: Annotated[str | None, typer.Option(help="The gateway's reference of the payment.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="Decimal text such as 12.75; left out: everything refundable.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217, such as GBP.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why the money goes back.")] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Idempotency key: the same key again makes no second refund. Left out: a fresh one."
        ),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Whose refund it is; default: default.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Tells payments apart.")] = None,
    notify: Annotated[
        list[str] | None, typer.Option(help="One more address to be told of a failure.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(allow_dash=True, help="The request as a JSON document, as over HTTP; - is stdin."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Hand over a refund.

    It is kept durably when this returns; a worker asks the gateway.
    """
    from ulid import ULID

    from cli.opening import caller, opened
    from cli.wording import summary
    from refunds.flow.answers import refund_answer
    from refunds.flow.intake import Asked, take_in

    given = {
        "order_id": order,
        "transaction_id": transaction,
        "amount": amount,
        "currency": currency,
        "reason": reason,
        "account": account,
        "gateway": gateway,
        "notify": notify or None,
    }
    document: Any = {name: value for name, value in given.items() if value is not None}
    if file is not None:
        if document:
            raise typer.BadParameter(
                "takes the whole request: leave the other options out", param_hint="--file"
            )
        document = _read_document(file)
    if key is None:
        key = f"cli-{ULID()}"
        # Told before anything is kept: whoever is cut off can ask again under the same key.
        say(f"idempotency key: {key}")
    with opened() as house:
        asked = Asked(key, document)
        [taken] = take_in(house.parts, [asked], caller=caller(), source="the command line")
    if isinstance(taken, Refusal):
        raise refused(taken)
    if as_json:
        emit_json(refund_answer(taken.refund))
    else:
        emit_record(summary(taken.refund))
    say(
        "this key stood for that refund already: nothing was added"
        if taken.repeated
        else "kept: it is queued here for its first try; nothing was sent to the gateway yet"
    )
    say(f"next: moneyback refund show {taken.refund.id}")
    return Exit.OK


@app.command("list")
def list_(
    *,
    status: Annotated[Status | None, typer.Option(help="Only this status.", show_choices=False)] = None,
    order: Annotated[str | None, typer.Option(help="Only this order.")] = None,
    transaction: Annotated[str | None, typer.Option(help="Only this payment.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Only this gateway.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    currency: Annotated[str | None, typer.Option(help="Only this currency.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    after: Annotated[str | None, typer.Option(help="The `next` of the page before.")] = None,
    as_json: AsJson = False,
) -> int:
    """List refunds, newest first."""
    from cli.opening import opened
    from cli.wording import last_failure, money, stamp
    from refunds.flow.answers import refund_answer
    from refunds.flow.reading import list_refunds

    given = {
        "status": status.value if status else None,
        "order_id": order,
        "transaction_id": transaction,
        "gateway": gateway,
        "account": account,
        "currency": currency,
    }
    filters = {name: value for name, value in given.items() if value is not None}
    with opened() as house:
        page = list_refunds(house.parts, filters, after, limit)
    if as_json:
        emit_json({"items": [refund_answer(refund) for refund in page.items], "next": page.next})
        return Exit.OK
    emit_table(
        ("id", "status", "order", "transaction", "amount", "tries", "next try", "last failure", "created"),
        [
            (
                refund.id,
                refund.status.value,
                refund.order_id,
                refund.transaction_id,
                money(refund),
                str(refund.attempts_counted),
                stamp(refund.due_at) if refund.status in {Status.REQUESTED, Status.QUEUED} else "",
                last_failure(refund),
                stamp(refund.created_at),
            )
            for refund in page.items
        ],
    )
    if page.next:
        say(f"there are more: --after {page.next}")
    return Exit.OK


@app.command()
def show(
    refund_id: RefundId,
    *,
    story: Annotated[bool, typer.Option("--story", help="In sentences, ready for a ticket.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show everything about a refund.

    Money, request, tries, look-ups, mails with the server's answers, and history in one timeline.
    """
    from cli.opening import opened
    from cli.story import story as sentences
    from cli.timeline import timeline
    from cli.wording import last_failure, next_try, stamp, standing, summary
    from refunds.domain.money import Money
    from refunds.flow.overview import overview, overview_answer

    with opened() as house:
        found = overview(house.parts, refund_id)
    if found is None:
        raise unknown(refund_id)
    if as_json:
        emit_json(overview_answer(found))
        return Exit.OK
    if story:
        for sentence in sentences(found):
            emit_line(sentence)
        return Exit.OK
    refund = found.refund
    emit_record(
        [
            *summary(refund),
            ("captured", str(Money(refund.captured_minor, refund.currency))),
            ("requested by", refund.requested_by),
            ("request", json.dumps(refund.request)),
            ("tries counted", f"{refund.attempts_counted} of {found.most_counted}"),
            ("next try", next_try(refund, found.now)),
            ("last failure", last_failure(refund)),
            ("gateway reference", refund.gateway_reference or ""),
            ("created", stamp(refund.created_at)),
            ("changed", stamp(refund.updated_at)),
        ],
    )
    emit_line("")
    emit_table(("at", "what", "detail"), [(stamp(at), what, detail) for at, what, detail in timeline(found)])
    say(standing(refund, most_counted=found.most_counted, now=found.now))
    return Exit.OK


app.command()(operate.retry)
app.command()(operate.cancel)
app.command()(decide.resolve)
app.command()(decide.restart)


def _read_document(file: Path) -> Any:
    try:
        if str(file) == "-":
            raw = sys.stdin.buffer.read(MOST_REQUEST_BYTES + 1)
        else:
            with file.open("rb") as stream:
                raw = stream.read(MOST_REQUEST_BYTES + 1)
    except OSError as error:
        raise CommandError(Exit.USAGE, f"{file} cannot be read: {error.strerror}") from error
    if len(raw) > MOST_REQUEST_BYTES:
        raise CommandError(Exit.USAGE, f"{file} is longer than {MOST_REQUEST_BYTES} bytes")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CommandError(Exit.USAGE, f"{file} is not a JSON document: {error}") from error
