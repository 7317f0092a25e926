"""Restored backups: when this database was found, or told, to be older than the gateways' answers."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, insert, select, text, update

from refunds.store import tables
from refunds.store.database import Tx

_FENCES = 1_000_000
"""Far above what the lost time can have used up: a worker of that time holds no fence that counts."""


@dataclass(frozen=True, slots=True)
class Restore:
    """When, by whose word, and how it was known."""

    at: datetime
    by: str
    why: str


def latest(tx: Tx) -> Restore | None:
    """The last time, or None."""
    restores = tables.restores
    row = tx.execute(select(restores).order_by(restores.c.id.desc()).limit(1)).first()
    return None if row is None else Restore(row.at, row.by, row.why)


def note(tx: Tx, *, by: str, why: str, now: datetime, working: bool) -> int:
    """Put every refund that may still be paid into look-up-first; returns how many.

    Leases of the lost time end here; `working`: those that stand are this time's, and are left alone.
    """
    refunds = tables.refunds
    tx.execute(insert(tables.restores), [{"at": now, "by": by, "why": why}])
    may_pay = refunds.c.status.in_(
        (
            "awaiting_approval",
            "held",
            "requested",
            "attempting",
            "queued",
            "needs_review",
            "failed",
            "in_doubt",
            "submitted",
        ),
    )
    marked = update(refunds).where(may_pay)
    raised = refunds.c.fence + _FENCES
    fence = case((refunds.c.lease_until.is_not(None), refunds.c.fence), else_=raised) if working else raised
    return tx.execute(marked.values(look_first=True, fence=fence)).rowcount


def high_water(tx: Tx) -> int:
    """The number of the last line of history: it only rises, unless an older database takes its place."""
    last: int | None = tx.execute(select(func.max(tables.history.c.id))).scalar_one()
    return last or 0


def name_of(tx: Tx) -> str:
    """Tells this database from others, however often it is restored: its first line of history."""
    first = tx.execute(text("SELECT refund_id FROM history ORDER BY id LIMIT 1")).scalar_one_or_none()
    return str(first or "")
