"""When anything will fall due: asked of the rows, so that the clock can jump over quiet times."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, and_, func, or_, select

from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.types import Instant


@dataclass(frozen=True, slots=True)
class Moments:
    """What is overdue now, and the next moment of each kind after now."""

    overdue: bool
    refund: datetime | None
    watch: datetime | None
    lease: datetime | None
    notice: datetime | None
    notice_lease: datetime | None
    lane: datetime | None


def next_moments(tx: Tx, *, now: datetime) -> Moments:
    """Read them, by the indexes on due times and leases."""
    refunds, notices, lanes, payments = tables.refunds, tables.notices, tables.lanes, tables.payments

    def first(column: Column[datetime], where: ColumnElement[bool]) -> datetime | None:
        found: datetime | None = tx.execute(select(func.min(column, type_=Instant())).where(where)).scalar()
        return found

    # What stands behind another refund of its payment waits for that one, however long it is due.
    free = (
        select(refunds.c.id)
        .join(payments, payments.c.id == refunds.c.payment_id)
        .where(refunds.c.due_at <= now, or_(payments.c.slot.is_(None), payments.c.slot == refunds.c.id))
        .limit(1)
    )
    overdue = tx.execute(free).first() is not None
    overdue = overdue or bool(
        first(refunds.c.lease_until, refunds.c.lease_until <= now)
        or first(refunds.c.watch_at, refunds.c.watch_at <= now)
        or first(notices.c.due_at, and_(notices.c.due_at <= now, notices.c.lease_until.is_(None)))
        or first(notices.c.lease_until, notices.c.lease_until <= now)
    )
    columns = (
        refunds.c.due_at,
        refunds.c.watch_at,
        refunds.c.lease_until,
        notices.c.due_at,
        notices.c.lease_until,
        lanes.c.closed_until,
    )
    return Moments(overdue, *(first(column, column > now) for column in columns))
