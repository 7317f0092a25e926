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
    counts = (
        select(func.count()).where(refunds.c.status == Status.ATTEMPTING),
        select(func.count()).select_from(refunds).where(refunds.c.due_at <= now, ~_behind_another()),
        select(func.count()).select_from(notices).where(notices.c.due_at <= now),
    )
    # One statement: what moves from due to attempting between two of them would be seen by neither.
    return sum(tx.execute(select(*(count.scalar_subquery() for count in counts))).one())


def next_instant(tx: Tx) -> datetime | None:
    """The next moment at which anything falls due; what waits behind another refund has none.

    What is being attempted at this moment is due now.
    """
    refunds, notices = tables.refunds, tables.notices
    instants = (
        select(func.min(refunds.c.due_at, type_=Instant())).where(~_behind_another()),
        select(func.min(refunds.c.claimed_at, type_=Instant())).where(refunds.c.status == Status.ATTEMPTING),
        select(func.min(notices.c.due_at, type_=Instant())),
    )
    found = tx.execute(select(*(instant.scalar_subquery() for instant in instants))).one()
    return min((instant for instant in found if instant), default=None)


def _behind_another() -> ColumnElement[bool]:
    refunds, payments = tables.refunds, tables.payments
    held = (
        select(payments.c.id)
        .where(payments.c.id == refunds.c.payment_id, payments.c.slot.is_not(None))
        .where(payments.c.slot != refunds.c.id)
        .correlate(refunds)
    )
    return refunds.c.status.in_([Status.REQUESTED, Status.QUEUED, Status.FAILED]) & held.exists()
