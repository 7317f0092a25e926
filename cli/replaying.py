"""A replay with all it needs around it: the house, a sandbox if none runs, workers if none run elsewhere."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.progress import Progress

from cli.faults import Faults
from cli.opening import opened, settings_of_command
from cli.sandbox_child import sandbox_control
from refunds.bootstrap import House
from refunds.flow.days import Moment, let_days_pass, problems_at_the_end
from refunds.flow.dispatch import Dispatcher
from refunds.flow.replay import Replayed, replay
from refunds.gateways.sandbox_control import SandboxControl

HOLD = timedelta(hours=1)
"""Until then the first attempts of a batch are put off; should its caller die, they begin by themselves."""


class NotInProductionError(Exception):
    """The fast clock and the sandbox's faults are refused in production."""


def run(
    *, orders: Path, requests: Path, faults: Faults, fast: bool, progress: Progress
) -> tuple[Replayed, list[str]]:
    """Replay both files; returns what was done and what is wrong with the end (nothing without `fast`)."""
    settings = settings_of_command()
    if settings.environment == "production" and (fast or faults.any()):
        raise NotInProductionError("the fast clock and sandbox faults are refused in production")
    with ExitStack() as stack:
        house = stack.enter_context(opened())
        control = stack.enter_context(sandbox_control(settings, start=fast or faults.any()))
        bars = {name: progress.add_task(name, total=None) for name in ("orders", "requests")}

        def told(stage: str, count: int) -> None:
            progress.update(bars[stage], advance=count)

        def brief_sandbox(done: Replayed) -> None:
            if control is not None:
                control.put_payments(faults.sandbox_payments(done.payments))

        replayed = replay(
            house.parts,
            orders=orders,
            requests=requests,
            hold=HOLD,
            progress=told,
            before_release=brief_sandbox,
        )
        for stage, count in (("orders", replayed.orders), ("requests", len(replayed.judged))):
            progress.update(bars[stage], total=count, completed=count)
        if not fast or control is None:
            return replayed, []
        return replayed, live_through(house, control, progress=progress)


def live_through(house: House, control: SandboxControl, *, progress: Progress) -> list[str]:
    """Let days pass until nothing waits, then compare with the sandbox's own ledger."""
    bar = progress.add_task("days pass", total=None)
    most = 0

    def seen(moment: Moment) -> None:
        nonlocal most
        most = max(most, moment.open_refunds)
        day, ended = moment.now.strftime("%a %d %b %H:%M"), most - moment.open_refunds
        progress.update(bar, total=most, completed=ended, description=f"days pass: {day}")

    dispatcher = None if house.settings.redis_url else Dispatcher(house.parts)
    parts = house.parts if dispatcher is None else replace(house.parts, wakeup=dispatcher)
    if dispatcher is not None:
        dispatcher.start()
    try:
        let_days_pass(
            parts,
            move_gateway_clock=lambda ahead: control.set_offset(ahead.total_seconds()),
            seen=seen,
        )
    finally:
        if dispatcher is not None:
            dispatcher.stop(within_seconds=house.settings.shutdown_seconds)
    ledger = control.ledger()
    return problems_at_the_end(house.parts, paid_minor=paid(ledger), doubled=ledger["doubled"])


def paid(ledger: Mapping[str, Any]) -> dict[str, int]:
    """Sums of refunds that moved money, by currency, in minor units."""
    sums: dict[str, int] = {}
    for row in ledger["refunds"]:
        if row["kind"] == "refund" and row["status"] == "succeeded":
            sums[row["currency"]] = sums.get(row["currency"], 0) + row["amount_minor"]
    return sums
