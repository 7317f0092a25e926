"""Lanes: one gateway of one account; pause and breaker are rows, shared by all workers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update

from refunds.store import tables
from refunds.store.database import Tx, clocks
from refunds.store.statement import read


@dataclass(frozen=True, slots=True)
class Lane:
    """State of a lane. It is open when nobody paused it and `closed_until` (real clock) has passed."""

    account: str
    gateway: str
    failures: int
    closed_until: datetime | None
    paused_by: str | None
    paused_reason: str | None

    def is_open(self, real: datetime) -> bool:
        """Whether new attempts may begin."""
        return self.paused_by is None and (self.closed_until is None or self.closed_until <= real)


def ensure(tx: Tx, account: str, gateway: str) -> None:
    """Make the lane exist."""
    tx.execute(
        text("INSERT INTO lanes (account, gateway) VALUES (:account, :gateway) ON CONFLICT DO NOTHING"),
        {"account": account, "gateway": gateway},
    )


def get(tx: Tx, account: str, gateway: str) -> Lane | None:
    """One lane, or None."""
    row = read(tx, _ONE, ("closed_until",), {"account": account, "gateway": gateway}).one_or_none()
    return None if row is None else _lane(row)


_ONE = """SELECT account, gateway, failures, closed_until, paused_by, paused_reason FROM lanes
    WHERE account = :account AND gateway = :gateway"""


def get_all(tx: Tx) -> list[Lane]:
    """Every lane."""
    lanes = tables.lanes
    return [_lane(row) for row in tx.execute(select(lanes).order_by(lanes.c.account, lanes.c.gateway))]


def with_due_work(tx: Tx, *, real: datetime, now: datetime) -> list[tuple[str, str]]:
    """Open lanes that have something due, by the partial index alone."""
    refunds = tables.refunds
    due: list[tuple[str, str]] = []
    for lane in get_all(tx):
        if not lane.is_open(real):
            continue
        waiting = (
            select(refunds.c.id)
            .where(refunds.c.account == lane.account, refunds.c.gateway == lane.gateway)
            .where(refunds.c.status.in_(("requested", "queued", "failed", "in_doubt", "submitted")))
            .where(refunds.c.due_at <= now)
            .limit(1)
        )
        if tx.execute(waiting).first():
            due.append((lane.account, lane.gateway))
    return due


def count_outcomes(
    tx: Tx, *, account: str, gateway: str, good: bool, bad: int, closed_until: datetime | None
) -> None:
    """Keep the breaker's count: any good answer forgets the failures; `closed_until` shuts the lane."""
    lanes = tables.lanes
    row = update(lanes).where(lanes.c.account == account, lanes.c.gateway == gateway)
    if good:
        tx.execute(row.where(lanes.c.failures > 0).values(failures=0, closed_until=None))
    else:
        tx.execute(row.values(failures=lanes.c.failures + bad, closed_until=closed_until))


def pause(tx: Tx, *, account: str, gateway: str, by: str, reason: str) -> bool:
    """Stop new attempts in a lane; what waits, waits. False if there is no such lane."""
    ensure_known = get(tx, account, gateway)
    if ensure_known is None:
        return False
    lanes = tables.lanes
    tx.execute(
        update(lanes)
        .where(lanes.c.account == account, lanes.c.gateway == gateway)
        .values(paused_by=by, paused_reason=reason, paused_at=clocks(tx)[0]),
    )
    return True


def resume(tx: Tx, *, account: str, gateway: str) -> bool:
    """Let attempts begin again. False if there is no such lane."""
    lanes = tables.lanes
    done = tx.execute(
        update(lanes)
        .where(lanes.c.account == account, lanes.c.gateway == gateway)
        .values(paused_by=None, paused_reason=None, paused_at=None),
    )
    return done.rowcount > 0


def _lane(row: Any) -> Lane:
    return Lane(
        account=row.account,
        gateway=row.gateway,
        failures=row.failures,
        closed_until=row.closed_until,
        paused_by=row.paused_by,
        paused_reason=row.paused_reason,
    )
