"""Outlook: what is still to happen by itself, and when; for whoever moves the clock or waits for rest."""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from refunds.domain.status import Status
from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.types import Instant


def open_work(tx: Tx) -> int:
    """How many refunds still wait for something to happen by itself."""
    refunds = tables.refunds
    moving = [Status.REQUESTED, Status.ATTEMPTING, Status.QUEUED, Status.IN_DOUBT, Status.SUBMITTED]
    query = select(func.count()).where(refunds.c.status.in_(moving))
    count: int = tx.execute(query).scalar_one()
    return count


def busy(tx: Tx, *, now: datetime) -> int:
    """How many refunds and notices have something due, or are being attempted, at this moment.

    A refund whose payment's slot another one holds is not due before that one has moved.
    """
    refunds, notices = tables.refunds, tables.notices
    queries = (
        select(func.count()).where(refunds.c.status == Status.ATTEMPTING),
        select(func.count()).select_from(refunds).where(refunds.c.due_at <= now, ~_behind_another()),
        select(func.count()).select_from(notices).where(notices.c.due_at <= now),
    )
    return sum(tx.execute(query).scalar_one() for query in queries)


def next_instant(tx: Tx) -> datetime | None:
    """The next moment at which anything falls due; what waits behind another refund has none."""
    refunds, notices = tables.refunds, tables.notices
    instants = [
        tx.execute(
            select(func.min(refunds.c.due_at, type_=Instant())).where(~_behind_another())
        ).scalar_one(),
        tx.execute(select(func.min(notices.c.due_at, type_=Instant()))).scalar_one(),
    ]
    return min((instant for instant in instants if instant), default=None)


def _behind_another() -> ColumnElement[bool]:
    refunds, payments = tables.refunds, tables.payments
    held = (
        select(payments.c.id)
        .where(payments.c.id == refunds.c.payment_id, payments.c.slot.is_not(None))
        .where(payments.c.slot != refunds.c.id)
        .correlate(refunds)
    )
    return refunds.c.status.in_([Status.REQUESTED, Status.QUEUED, Status.FAILED]) & held.exists()
