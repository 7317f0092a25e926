"""`moneyback replay`: a shop's orders and refund requests, taken in, judged, summed up, and lived through."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.faults import Faults
from refunds.domain.money import decimal_text

if TYPE_CHECKING:
    from refunds.flow.replay import Replayed  # only a replay pays for the flow

talk = Console(stderr=True)
data = Console()

SHOWN_DIFFERENCES = 20


def command(
    orders: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="orders, .jsonl or .jsonl.gz")],
    requests: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="refund requests, likewise")],
    *,
    check: Annotated[
        bool, typer.Option(help="compare verdicts with derived.expected; exit 1 on any")
    ] = False,
    clock: Annotated[str, typer.Option(help="real, or fast: let days pass until nothing waits")] = "real",
    seed: Annotated[int, typer.Option(help="chooses which payments the sandbox refuses")] = 1,
    refuse: Annotated[float, typer.Option(help="percent of payments the sandbox refuses for good")] = 0,
    refuse_one_day: Annotated[float, typer.Option(help="percent it refuses for one day")] = 0,
    refuse_two_days: Annotated[float, typer.Option(help="percent it refuses for two days")] = 0,
    unclear: Annotated[float, typer.Option(help="percent it pays without an answer")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="the summary as JSON")] = False,
) -> None:
    """Take in orders and refund requests; run again it changes nothing.

    With --clock fast the days pass until every refund is final. The sandbox gateway is started if none runs;
    workers too, unless REDIS_URL says that they run elsewhere.
    """
    from cli.replaying import run  # noqa: PLC0415 - only this command needs the house

    if clock not in {"real", "fast"}:
        raise typer.BadParameter("is real or fast", param_hint="--clock")
    faults = Faults(
        seed=seed,
        refuse=refuse,
        refuse_one_day=refuse_one_day,
        refuse_two_days=refuse_two_days,
        unclear=unclear,
    )
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=talk,
    ) as progress:
        replayed, problems = run(
            orders=orders, requests=requests, faults=faults, fast=clock == "fast", progress=progress
        )
    _print_summary(replayed, as_json=as_json)
    differences = replayed.differences() if check else []
    for item in differences[:SHOWN_DIFFERENCES]:
        talk.print(
            f"{item.request_id}: expected {item.expected}, got {item.verdict} {item.detail}", markup=False
        )
    for problem in problems:
        talk.print(f"problem: {problem}", markup=False)
    if check:
        judged = len(replayed.judged)
        talk.print(f"{judged - len(differences)} of {judged} verdicts as expected", markup=False)
    if differences or problems:
        raise typer.Exit(1)


def summary(replayed: "Replayed") -> dict[str, Any]:
    """The summary as a document; amounts as decimal text."""
    months = [
        {
            "month": month,
            "currency": currency,
            "requests": row.requests,
            "asked": decimal_text(row.asked_minor, currency),
            "accepted": row.accepted,
            "accepted_amount": decimal_text(row.accepted_minor, currency),
            "refused": row.refused,
            "refused_amount": decimal_text(row.refused_minor, currency),
        }
        for (month, currency), row in replayed.months().items()
    ]
    totals: dict[str, dict[str, int]] = {}
    for (_, currency), row in replayed.months().items():
        total = totals.setdefault(currency, {"requests": 0, "accepted": 0, "accepted_minor": 0})
        total["requests"] += row.requests
        total["accepted"] += row.accepted
        total["accepted_minor"] += row.accepted_minor
    return {
        "orders": replayed.orders,
        "requests": len(replayed.judged),
        "repeated": sum(item.repeated for item in replayed.judged),
        "verdicts": replayed.verdicts(),
        "accepted_amounts": {
            currency: decimal_text(total["accepted_minor"], currency) for currency, total in totals.items()
        },
        "months": months,
    }


def _print_summary(replayed: "Replayed", *, as_json: bool) -> None:
    document = summary(replayed)
    if as_json:
        typer.echo(json.dumps(document))
        return
    widths = {"month": 7, "currency": 8, "requests": 8, "accepted": 8, "refused": 7}
    columns = (
        "month",
        "currency",
        "requests",
        "asked",
        "accepted",
        "accepted_amount",
        "refused",
        "refused_amount",
    )
    lines = [
        {name: name.replace("accepted_", "").replace("refused_", "") for name in columns},
        *document["months"],
    ]
    data.print(f"{replayed.orders} orders, {len(replayed.judged)} refund requests", markup=False)
    for line in lines:
        typer.echo("  ".join(str(line[name]).rjust(widths.get(name, 10)) for name in columns))
    for verdict, count in replayed.verdicts().items():
        data.print(f"{verdict}: {count}", markup=False)
    for currency, amount in document["accepted_amounts"].items():
        data.print(f"accepted: {currency} {amount}", markup=False)
    data.print(f"known before: {document['repeated']}", markup=False)
