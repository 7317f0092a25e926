"""The breaker: a sick gateway is left alone, asked by one harmless read at a time, and comes back slowly.

Its state is the lane's row, so that all workers share it. Trouble is what the gateway is to blame for: it
could not be reached, turned us away, or left an outcome unclear. No trouble uses up a try.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from refunds.domain.outcome import ABOUT_THE_REFUND, HANDED_BACK, Finding, Outcome
from refunds.domain.schedule import deferral
from refunds.flow.attempt import LEASE_LOST, Attempted, Resolved
from refunds.flow.parts import Parts
from refunds.store import lanes
from refunds.store.database import Tx, clocks
from refunds.store.lanes import Lane

log = structlog.get_logger(__name__)

BREAKER_LIMIT = 5
"""So many troubles in a row close a lane; while it opens again, one does."""

PROBE_EVERY = timedelta(seconds=30)
"""A closed lane is probed no more often, by all workers together."""

LONGEST_CLOSED = timedelta(minutes=10)


def count_outcomes(parts: Parts, tx: Tx, learned: Sequence[Attempted | Resolved], *, real: datetime) -> None:
    """Count what a group of outcomes says about the lanes it came from."""
    good: dict[tuple[str, str], int] = defaultdict(int)
    bad: dict[tuple[str, str], int] = defaultdict(int)
    for item in learned:
        (bad if _is_trouble(item) else good)[item.claim.account, item.claim.gateway] += 1
    for account, gateway in {*good, *bad}:
        lane = lanes.get(tx, account, gateway)
        if lane is None or lane.closed_until is not None:  # what was under way then says nothing new
            continue
        if bad[account, gateway] and (lane.reopening is not None or not good[account, gateway]):
            _trouble(parts, tx, lane, bad=bad[account, gateway], real=real)
        elif lane.failures or lane.reopening is not None:
            lanes.forget_trouble(tx, account, gateway)


def take_probe(tx: Tx, lane: Lane, *, real: datetime) -> bool:
    """Whether this process is the one to probe a closed lane now."""
    until = real + PROBE_EVERY
    due = lane.may_be_probed(real) and not lane.paused
    return due and lanes.take_probe(tx, lane.account, lane.gateway, real=real, until=until)


def probed(parts: Parts, account: str, gateway: str, *, wrong: str | None) -> None:
    """Take in what a probe found; `wrong` None: the gateway is well, as far as a harmless read can tell."""
    with parts.database.begin() as tx:
        lane = lanes.get(tx, account, gateway)
        if lane is None:
            return
        if wrong is None:
            lanes.reopen(tx, account, gateway)
            log.info("lane.reopening", account=account, gateway=gateway)
        else:
            _trouble(parts, tx, lane, bad=1, real=clocks(tx)[0])
            log.warning("lane.probe_failed", account=account, gateway=gateway, wrong=wrong)


def _trouble(parts: Parts, tx: Tx, lane: Lane, *, bad: int, real: datetime) -> None:
    """Up to the limit each trouble counts; from then on each time that the lane fails to open again."""
    if lane.closed_until is None and lane.reopening is None:
        bad = min(bad, max(BREAKER_LIMIT - lane.failures, 1))
    else:
        bad = 1
    lanes.count_trouble(tx, lane.account, lane.gateway, bad=bad)
    failures = lane.failures + bad
    if failures < BREAKER_LIMIT and lane.reopening is None and lane.closed_until is None:
        return
    wait = deferral(max(failures - BREAKER_LIMIT, 0), jitter=parts.chance())
    until = real + max(PROBE_EVERY * (1 + parts.chance() / 4), min(wait, LONGEST_CLOSED))
    if lane.closed_until is None or lane.closed_until < until:
        lanes.close(tx, lane.account, lane.gateway, until=until)
        log.warning(
            "lane.closed",
            account=lane.account,
            gateway=lane.gateway,
            failures=failures,
            until=until.isoformat(),
        )


def _is_trouble(item: Attempted | Resolved) -> bool:
    if isinstance(item, Resolved):
        return item.found.finding is Finding.UNCLEAR and item.found.code not in ABOUT_THE_REFUND
    match item.answer.outcome:
        case Outcome.UNAVAILABLE:
            return item.answer.code.removeprefix("look_up_") not in {HANDED_BACK, *ABOUT_THE_REFUND}
        case Outcome.UNKNOWN:
            return item.answer.sent and item.answer.code != LEASE_LOST
        case _:
            return False
