"""The outbox: notices wait here, claimed and delivered like refunds, until somebody has them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, text
from ulid import ULID

from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.settled import Recipient
from refunds.store.types import Instant


@dataclass(frozen=True, slots=True)
class Told:
    """What people are told about one refund; `occurrence` tells two of one kind apart."""

    refund_id: str
    episode: int
    kind: str
    occurrence: int


def add(tx: Tx, told: Iterable[tuple[Told, Sequence[Recipient]]], *, now: datetime) -> None:
    """A notice to each address, in the outbox from this commit on."""
    rows = [
        {
            "id": f"nt_{ULID()}",
            "refund_id": item.refund_id,
            "episode": item.episode,
            "kind": item.kind,
            "occurrence": item.occurrence,
            "address": recipient.address,
            "why": recipient.why,
            "decided_at": now,
            "status": "pending",
            "due_at": now,
        }
        for item, recipients in told
        for recipient in recipients
    ]
    if rows:
        tx.execute(insert(tables.notices), rows)


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """One notice to one address, leased to this process."""

    id: str
    refund_id: str
    episode: int
    kind: str
    occurrence: int
    address: str
    why: str
    decided_at: datetime
    fence: int
    tries: int


def claim(tx: Tx, *, limit: int, now: datetime, real: datetime, lease: timedelta) -> list[PendingNotice]:
    """Lease up to `limit` notices due at `now`; a lease (real clock) that ran out is taken over."""
    skip = "FOR UPDATE SKIP LOCKED" if tx.dialect.name == "postgresql" else ""
    rows = tx.execute(
        text(
            f"""UPDATE notices SET lease_until = :until, fence = fence + 1 WHERE id IN (
                SELECT id FROM notices WHERE due_at <= :now AND (lease_until IS NULL OR lease_until < :real)
                ORDER BY due_at, id LIMIT :limit {skip})
            RETURNING id, refund_id, episode, kind, occurrence, address, why, decided_at, fence, tries""",
        )
        .bindparams(
            bindparam("now", now, type_=Instant()),
            bindparam("real", real, type_=Instant()),
            bindparam("until", real + lease, type_=Instant()),
        )
        .columns(decided_at=Instant()),
        {"limit": limit},
    ).mappings()
    return sorted((PendingNotice(**row) for row in rows), key=lambda notice: notice.id)


def record(
    tx: Tx,
    notice: PendingNotice,
    *,
    status: str,
    due_at: datetime | None,
    message_id: str,
    response: str,
    now: datetime,
) -> bool:
    """Write what became of a delivery, fenced; False if another process has taken over."""
    delivered_at = now if status == "delivered" else None
    done = tx.execute(
        text(
            """UPDATE notices SET status = :status, due_at = :due, lease_until = NULL, tries = tries + 1,
            message_id = :message_id, response = :response, delivered_at = :delivered
            WHERE id = :id AND fence = :fence AND status = 'pending'""",
        ).bindparams(
            bindparam("due", due_at, type_=Instant()),
            bindparam("delivered", delivered_at, type_=Instant()),
        ),
        {
            "id": notice.id,
            "fence": notice.fence,
            "status": status,
            "message_id": message_id,
            "response": response[:500],
        },
    )
    return done.rowcount == 1


def release(tx: Tx, untried: Sequence[PendingNotice]) -> None:
    """Give back what was leased and not tried; it is due as before."""
    tx.execute(
        text("UPDATE notices SET lease_until = NULL WHERE id = :id AND fence = :fence"),
        [{"id": notice.id, "fence": notice.fence} for notice in untried],
    )


def thread_of(tx: Tx, *, refund_id: str, address: str, before: str) -> str | None:
    """Message-ID of the first mail about a refund to an address, if there was one before."""
    notices = tables.notices
    first: str | None = tx.execute(
        select(notices.c.message_id)
        .where(notices.c.refund_id == refund_id, notices.c.address == address, notices.c.id < before)
        .where(notices.c.status == "delivered")
        .order_by(notices.c.id)
        .limit(1),
    ).scalar_one_or_none()
    return first


def position(tx: Tx, notice: PendingNotice) -> tuple[int, int]:
    """(n, of m): which message about this refund to this address it is."""
    notices = tables.notices
    ids: Sequence[str] = (
        tx.execute(
            select(notices.c.id)
            .where(notices.c.refund_id == notice.refund_id, notices.c.address == notice.address)
            .order_by(notices.c.id),
        )
        .scalars()
        .all()
    )
    return ids.index(notice.id) + 1, len(ids)


def of_refund(tx: Tx, refund_id: str) -> list[dict[str, Any]]:
    """Every notice about a refund, oldest first."""
    notices = tables.notices
    rows = tx.execute(select(notices).where(notices.c.refund_id == refund_id).order_by(notices.c.id))
    return [dict(row) for row in rows.mappings()]
