"""What a replay needs around it: the house, a sandbox if none runs, workers if none run elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.progress import Progress

from cli.faults import Faults
from cli.opening import opened, settings_of_command
from cli.sandbox_child import SandboxChild
from config.settings import Settings
from refunds.bootstrap import House
from refunds.domain.status import Status
from refunds.flow.days import Moment, let_days_pass
from refunds.flow.dispatch import Dispatcher
from refunds.flow.replay import Replayed, replay
from refunds.gateways.sandbox_control import SandboxControl
from refunds.store import refunds

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


@contextmanager
def sandbox_control(settings: Settings, *, start: bool) -> Iterator[SandboxControl | None]:
    """The levers of the sandbox at its configured address, started as our child if none answers there."""
    control = SandboxControl(settings.sandbox_url)
    child = None
    try:
        there = control.is_there()
        if not there and start:
            child = SandboxChild(url=settings.sandbox_url, ledger=settings.data_dir / "sandbox.db")
        yield control if there or start else None
    finally:
        control.close()
        if child is not None:
            child.stop()


def live_through(house: House, control: SandboxControl, *, progress: Progress) -> list[str]:
    """Let days pass until nothing waits, then compare with the sandbox's own ledger."""
    with house.parts.database.read() as tx:
        waiting = refunds.open_work(tx)
    bar = progress.add_task("days pass", total=waiting)

    def seen(moment: Moment) -> None:
        day = moment.now.strftime("%a %d %b %H:%M")
        progress.update(bar, completed=waiting - moment.open_refunds, description=f"days pass: {day}")

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
    return problems_at_the_end(house, control)


def problems_at_the_end(house: House, control: SandboxControl) -> list[str]:
    """What a finished replay must not show, judged by the sandbox's ledger and our own sums."""
    with house.parts.database.read() as tx:
        totals, broken = refunds.totals(tx), refunds.broken_sums(tx)
    ledger = control.ledger()
    problems = [f"payment {payment} has sums that do not add up" for payment in broken]
    problems += [f"{reference} was paid twice" for reference in ledger["doubled"]]
    ours = {
        currency: amount for (status, currency), (_, amount) in totals.items() if status == Status.REFUNDED
    }
    theirs = {currency: amount for currency, amount in paid(ledger).items() if amount}
    if ours != theirs:
        problems.append(f"the sandbox paid {theirs}, moneyback says {ours} (minor units)")
    for (status, currency), (count, _) in sorted(totals.items()):
        if status in {Status.IN_DOUBT, Status.SUBMITTED, Status.ATTEMPTING, Status.REQUESTED, Status.QUEUED}:
            problems.append(f"{count} refunds in {currency} are still {status}")
    return problems


def paid(ledger: Mapping[str, Any]) -> dict[str, int]:
    """Sums of refunds that moved money, by currency, in minor units."""
    sums: dict[str, int] = {}
    for row in ledger["refunds"]:
        if row["kind"] == "refund" and row["status"] == "succeeded":
            sums[row["currency"]] = sums.get(row["currency"], 0) + row["amount_minor"]
    return sums
