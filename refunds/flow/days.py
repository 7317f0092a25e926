"""Days pass: the fast clock of demos, tests and replays. It moves only while nothing is due or under way."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from refunds.domain.status import Status
from refunds.flow.notify import deliver_due
from refunds.flow.parts import Parts
from refunds.flow.sweep import ring_due, sweep
from refunds.flow.unpaid import tell_long_unpaid
from refunds.store import outlook, refunds
from refunds.store.database import clocks, offset, set_offset

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.05


_WAITING = frozenset(
    {Status.IN_DOUBT, Status.SUBMITTED, Status.ATTEMPTING, Status.REQUESTED, Status.QUEUED},
)


class StuckError(Exception):
    """Something is due and nothing moves: no worker, or its lane is closed or paused."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the fast clock stands and what is still open."""

    now: datetime
    open_refunds: int


def let_days_pass(
    parts: Parts,
    *,
    move_gateway_clock: Callable[[timedelta], None],
    seen: Callable[[Moment], None] = lambda _: None,
    at_most: int = 1000,
    patience_seconds: float = PATIENCE_SECONDS,
) -> datetime:
    """Jump from due time to due time until no refund and no notice waits; returns the last moment.

    The gateway's clock is moved first, so that it is never behind ours. Workers may be in any process.
    Raises StuckError when nothing has moved for `patience_seconds`, or something waits after `at_most` jumps.
    """
    for _ in range(at_most):
        settle_down(parts, seen=seen, patience_seconds=patience_seconds)
        with parts.database.read() as tx:
            now = clocks(tx)[1]
            instant = outlook.next_instant(tx)
        if instant is None:
            return now
        _jump(parts, instant, move_gateway_clock=move_gateway_clock)
    raise StuckError(f"something still waits after {at_most} jumps of the clock")


def settle_down(
    parts: Parts,
    *,
    seen: Callable[[Moment], None] = lambda _: None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Wait until nothing is due and nothing is under way, doing what a scheduler would do meanwhile."""
    pause = threading.Event()
    moved_at, before = time.monotonic(), (-1, -1)
    while True:
        sweep(parts)
        ring_due(parts)
        tell_long_unpaid(parts)
        while deliver_due(parts):
            pass
        with parts.database.read() as tx:
            now = clocks(tx)[1]
            state = (outlook.busy(tx, now=now), outlook.open_work(tx))
        seen(Moment(now, state[1]))
        if state[0] == 0:
            return
        if state != before:
            moved_at, before = time.monotonic(), state
        elif time.monotonic() - moved_at > patience_seconds:
            raise StuckError(f"{state[0]} are due and nothing has moved for {patience_seconds:.0f} s")
        pause.wait(LOOK_SECONDS)


def problems_at_the_end(parts: Parts, *, paid_minor: Mapping[str, int], doubled: Iterable[str]) -> list[str]:
    """What must not be once nothing waits any more, a line each.

    Judged by our own sums and by the gateway's ledger: what it paid for refunds, in minor units by currency,
    and the references that it paid twice.
    """
    with parts.database.read() as tx:
        totals, broken = refunds.totals(tx), refunds.broken_sums(tx)
    problems = [f"payment {payment} has sums that do not add up" for payment in broken]
    problems += [f"{reference} was paid twice" for reference in doubled]
    ours = {
        currency: amount for (status, currency), (_, amount) in totals.items() if status == Status.REFUNDED
    }
    theirs = {currency: amount for currency, amount in paid_minor.items() if amount}
    if ours != theirs:
        problems.append(f"the gateway paid {theirs}, moneyback says {ours} (minor units)")
    problems += [
        f"{count} refunds in {currency} are still {status}"
        for (status, currency), (count, _) in sorted(totals.items())
        if status in _WAITING
    ]
    return problems


def _jump(parts: Parts, instant: datetime, *, move_gateway_clock: Callable[[timedelta], None]) -> None:
    with parts.database.read() as tx:
        ahead = offset(tx) + max(instant - clocks(tx)[1], timedelta()) + timedelta(milliseconds=1)
    move_gateway_clock(ahead)
    with parts.database.begin() as tx:
        set_offset(tx, ahead)
