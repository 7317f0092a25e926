"""Sweep: what a dead or frozen worker left behind, and wake-ups that got lost."""

import structlog

from refunds.domain.outcome import Answer, Outcome
from refunds.flow.attempt import LEASE_LOST, Attempted
from refunds.flow.parts import Parts
from refunds.flow.settle import settle
from refunds.flow.stop import stop_for_review
from refunds.store import lanes, leases
from refunds.store.database import clocks

MOST_LOST = 10
"""A refund whose claims end so often without an outcome takes its workers down with it: a person looks."""

log = structlog.get_logger(__name__)


def sweep(parts: Parts) -> int:
    """Take over claims whose lease ran out; returns how many.

    Without `sending_at` nothing was sent: due again at once. With it the outcome is unknown: in doubt.
    """
    with parts.database.begin() as tx:
        real, now = clocks(tx)
        unsent = leases.take_over_unsent(tx, real=real, now=now, worker=parts.worker)
        poison = leases.often_lost(tx, unsent, limit=MOST_LOST) if unsent else []
        stop_for_review(parts, tx, poison, why=f"{MOST_LOST} claims in a row ended without an outcome")
    with parts.database.read() as tx:
        lost = leases.expired_in_sending(tx, real=clocks(tx)[0], gateways=list(parts.gateways))
    answer = Answer(Outcome.UNKNOWN, LEASE_LOST, "the worker died or froze after sending began")
    settled = settle(parts, [Attempted(claim, answer) for claim in lost]) if lost else set()
    if unsent or settled:
        log.warning("sweep.took_over", unsent=len(unsent), in_doubt=len(settled))
    return len(unsent) + len(settled)


def ring_due(parts: Parts) -> int:
    """Ring every open lane that has something due; returns how many. A lost wake-up costs a tick, no more."""
    with parts.database.read() as tx:
        real, now = clocks(tx)
        due = lanes.with_due_work(tx, real=real, now=now)
    for account, gateway in due:
        parts.wakeup.ring(account, gateway)
    return len(due)
