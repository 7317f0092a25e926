"""Refunds that have waited long without a counted attempt, and the telling of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update

from refunds.domain.notice import NoticeKind
from refunds.store import notices, tables
from refunds.store.database import Tx
from refunds.store.notices import Told
from refunds.store.settled import Recipient
from refunds.store.types import Instant


@dataclass(frozen=True, slots=True)
class LongWaiting:
    """A refund that waits; `since` is its last counted attempt, or else its intake."""

    refund_id: str
    account: str
    episode: int
    since: datetime
    told_at: datetime | None


def long_waiting(tx: Tx, *, since_before: datetime, told_before: datetime, limit: int) -> list[LongWaiting]:
    """Refunds that wait since before an instant and were not told of since another; locked till the end."""
    refunds = tables.refunds
    since = func.coalesce(refunds.c.last_counted_at, refunds.c.created_at, type_=Instant())
    rows = tx.execute(
        select(refunds.c.id, refunds.c.account, refunds.c.episode, since, refunds.c.told_at)
        .where(refunds.c.status.in_(("requested", "queued")), since < since_before)
        .where(or_(refunds.c.told_at.is_(None), refunds.c.told_at < told_before))
        .order_by(since, refunds.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True),
    )
    return [LongWaiting(*row) for row in rows]


def tell(
    tx: Tx,
    told: Sequence[LongWaiting],
    recipients: Mapping[str, Sequence[Recipient]],
    *,
    now: datetime,
) -> None:
    """A notice to every address, and a note on the refund that it was told."""
    again = [
        (
            Told(item.refund_id, item.episode, NoticeKind.STILL_UNPAID, int(now.timestamp())),
            recipients[item.refund_id],
        )
        for item in told
    ]
    notices.add(tx, again, now=now)
    refunds, ids = tables.refunds, [item.refund_id for item in told]
    tx.execute(update(refunds).where(refunds.c.id.in_(ids)).values(told_at=now))
