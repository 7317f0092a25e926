"""`moneyback queue`: how much waits, how much money that is, and what is tried next."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli.exits import Exit
from cli.output import AsJson, emit_json, emit_line, emit_table, rich_table

if TYPE_CHECKING:
    from refunds.flow.overview import Queue

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

REDRAW_SECONDS = 2.0

_SUM_COLUMNS = ("status", "refunds", "sums", "oldest")
_DUE_COLUMNS = ("order", "refund", "amount", "gateway", "tries", "waits for", "next try", "last failure")


def command(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw every 2 s until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Show so many of the next tries.")] = 20,
    parked: Annotated[bool, typer.Option("--parked", help="List messages that could not be taken.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show how much waits, and the next tries of the queue.

    Sums are by status and currency; tries are told in the order in which they fall due.
    """
    from cli.opening import opened
    from refunds.flow import overview
    from refunds.flow.overview import queue, queue_document

    if watch and (as_json or not sys.stdout.isatty()):
        raise typer.BadParameter("is for people at a terminal", param_hint="--watch")
    with opened() as house:
        if parked:
            _print_parked(overview.parked(house.parts, limit=limit), as_json=as_json)
            return Exit.OK
        if watch:
            _watch(lambda: queue(house.parts, limit=limit))
            return Exit.OK
        found = queue(house.parts, limit=limit)
    if as_json:
        emit_json(queue_document(found))
        return Exit.OK
    emit_queue(found)
    return Exit.OK


def emit_queue(found: "Queue") -> None:
    """The queue on stdout: one line of sums, the sums by status, the next tries."""
    emit_line(_headline(found))
    emit_line("")
    emit_table(_SUM_COLUMNS, _sum_rows(found))
    if found.due:
        emit_line("")
        emit_table(_DUE_COLUMNS, _due_rows(found))


def _print_parked(messages: Sequence[Mapping[str, str]], *, as_json: bool) -> None:
    if as_json:
        emit_json({"items": list(messages)})
        return
    emit_table(("at", "why", "message"), [(row["at"], row["why"], row["raw"][:200]) for row in messages])


def _watch(read: Callable[[], "Queue"]) -> None:
    pause = Event()
    with suppress(KeyboardInterrupt):
        screen = Console(highlight=False)
        with Live(_drawn(read()), console=screen, screen=True, auto_refresh=False) as live:
            while not pause.wait(REDRAW_SECONDS):
                live.update(_drawn(read()), refresh=True)


def _drawn(found: "Queue") -> Group:
    parts: list[RenderableType] = [
        Text(_headline(found), style="bold"),
        Text(),
        rich_table(_SUM_COLUMNS, _sum_rows(found)),
    ]
    if found.due:
        parts += [Text(), rich_table(_DUE_COLUMNS, _due_rows(found))]
    return Group(*parts, Text(), Text("Ctrl-C ends this", style="dim"))


def _headline(found: "Queue") -> str:
    """`queued: 37 refunds, USD 12480.00, oldest 2 days 13 h`."""
    document = found.document
    depth, parked = document["depth"], document["parked_messages"]
    facts = [f"{depth} refund{'' if depth == 1 else 's'}"]
    if depth:
        facts += [_sums(document["amounts"]), f"oldest {_age(document['oldest_age_seconds'])}"]
    if parked:
        facts += [f"and {parked} parked message{'' if parked == 1 else 's'} for a person to look at"]
    return f"queued: {', '.join(facts)}"


def _sum_rows(found: "Queue") -> list[tuple[str, ...]]:
    return [
        (status, str(entry["count"]), _sums(entry["amounts"]), _age(entry["oldest_age_seconds"]))
        for status, entry in found.document["by_status"].items()
    ]


def _due_rows(found: "Queue") -> list[tuple[str, ...]]:
    from cli.wording import last_failure, money, next_try

    return [
        (
            each.refund.order_id,
            each.refund.id,
            money(each.refund),
            each.refund.gateway,
            f"{each.refund.attempts_counted} of {each.most_counted}",
            each.refund.wait.value if each.refund.wait else "",
            next_try(each.refund, found.now),
            last_failure(each.refund),
        )
        for each in found.due
    ]


def _sums(amounts: dict[str, str]) -> str:
    return ", ".join(f"{currency} {amount}" for currency, amount in sorted(amounts.items()))


def _age(seconds: float) -> str:
    from refunds.notifier.moments import lapse

    start = datetime.fromtimestamp(0, UTC)
    return lapse(start, start + timedelta(seconds=seconds))
