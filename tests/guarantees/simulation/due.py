"""When anything will fall due: asked of the rows, so that the clock can jump over quiet times."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, func, select

from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.types import Instant


@dataclass(frozen=True, slots=True)
class Moments:
    """What is overdue now, and the next moment of each kind after now."""

    overdue: bool
    refund: datetime | None
    lease: datetime | None
    notice: datetime | None
    lane: datetime | None


def next_moments(tx: Tx, *, now: datetime) -> Moments:
    """Read them, by the indexes on due times and leases."""
    refunds, notices, lanes = tables.refunds, tables.notices, tables.lanes

    def first(column: Column[datetime], where: ColumnElement[bool]) -> datetime | None:
        found: datetime | None = tx.execute(select(func.min(column, type_=Instant())).where(where)).scalar()
        return found

    columns = (refunds.c.due_at, refunds.c.lease_until, notices.c.due_at)
    overdue = any(first(column, column <= now) for column in columns)
    return Moments(
        overdue,
        *(first(column, column > now) for column in (*columns, lanes.c.closed_until)),
    )
