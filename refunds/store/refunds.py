"""Refunds as people and services read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, text

from refunds.domain.status import OPEN, Kind, Status, Wait
from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.types import Instant


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund as it stands. Amounts in minor units, times UTC."""

    id: str
    kind: Kind
    status: Status
    wait: Wait | None
    account: str
    gateway: str
    payment_id: str
    order_id: str
    transaction_id: str
    captured_minor: int
    authorized_minor: int
    amount_minor: int
    currency: str
    attempts: int
    attempts_counted: int
    episode: int
    generation: int
    extra: bool
    due_at: datetime | None
    last_counted_at: datetime | None
    gateway_reference: str | None
    failure_code: str | None
    failure_text: str | None
    failure_at: datetime | None
    reason: str | None
    request: dict[str, Any]
    requested_by: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = [
    "id",
    "kind",
    "status",
    "wait",
    "account",
    "gateway",
    "payment_id",
    "amount_minor",
    "currency",
    "attempts",
    "attempts_counted",
    "episode",
    "generation",
    "extra",
    "due_at",
    "last_counted_at",
    "gateway_reference",
    "failure_code",
    "failure_text",
    "failure_at",
    "reason",
    "request",
    "requested_by",
    "created_at",
    "updated_at",
]


def _select() -> Select[Any]:
    refunds, payments = tables.refunds, tables.payments
    return select(
        *(refunds.c[name] for name in _COLUMNS),
        payments.c.order_id,
        payments.c.transaction_id,
        payments.c.captured_minor,
        payments.c.authorized_minor,
    ).join_from(refunds, payments, refunds.c.payment_id == payments.c.id)


def get(tx: Tx, refund_id: str, *, lock: bool = False) -> Refund | None:
    """One refund, or None. `lock` holds its row and its payment's until the transaction ends."""
    if lock:
        refunds, payments = tables.refunds, tables.payments
        of = select(refunds.c.payment_id).where(refunds.c.id == refund_id).scalar_subquery()
        tx.execute(select(payments.c.id).where(payments.c.id == of).with_for_update())
        tx.execute(select(refunds.c.id).where(refunds.c.id == refund_id).with_for_update())
    row = tx.execute(_select().where(tables.refunds.c.id == refund_id)).mappings().one_or_none()
    return None if row is None else _refund(row)


def get_many(tx: Tx, ids: Sequence[str]) -> dict[str, Refund]:
    """Refunds by id; the unknown are missing."""
    found: dict[str, Refund] = {}
    for start in range(0, len(ids), 500):
        some = _select().where(tables.refunds.c.id.in_(ids[start : start + 500]))
        found.update((row["id"], _refund(row)) for row in tx.execute(some).mappings())
    return found


def of_payment(tx: Tx, payment_id: str) -> list[str]:
    """Ids of a payment's refunds."""
    refunds = tables.refunds
    rows = tx.execute(select(refunds.c.id).where(refunds.c.payment_id == payment_id).order_by(refunds.c.id))
    return [row[0] for row in rows]


FILTERS = ("status", "account", "gateway", "currency", "kind", "order_id", "transaction_id")


def list_page(tx: Tx, *, filters: Mapping[str, str], after: str | None, limit: int) -> list[Refund]:
    """Refunds newest first, by keyset: `after` is the last id of the page before. Filters as in FILTERS."""
    query = _select().order_by(tables.refunds.c.id.desc()).limit(limit)
    if after:
        query = query.where(tables.refunds.c.id < after)
    for name, value in filters.items():
        table = tables.payments if name in {"order_id", "transaction_id"} else tables.refunds
        query = query.where(table.c[name] == value)
    return [_refund(row) for row in tx.execute(query).mappings()]


def list_queue(tx: Tx, *, limit: int) -> list[Refund]:
    """The refund queue, next due first."""
    query = _select().where(tables.refunds.c.status == Status.QUEUED)
    query = query.order_by(tables.refunds.c.due_at, tables.refunds.c.id).limit(limit)
    return [_refund(row) for row in tx.execute(query).mappings()]


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits in one status and currency, and since when."""

    status: Status
    currency: str
    count: int
    amount_minor: int
    oldest_at: datetime


def depth(tx: Tx) -> list[Depth]:
    """Open and failed refunds by status and currency; the index on status spares the finished ones."""
    refunds = tables.refunds
    shown = sorted({*OPEN, Status.FAILED})
    rows = tx.execute(
        select(
            refunds.c.status,
            refunds.c.currency,
            func.count(),
            func.sum(refunds.c.amount_minor),
            func.min(refunds.c.created_at, type_=Instant()),
        )
        .where(refunds.c.status.in_(shown))
        .group_by(refunds.c.status, refunds.c.currency)
        .order_by(refunds.c.status, refunds.c.currency),
    )
    return [Depth(Status(row[0]), row[1], row[2], int(row[3]), row[4]) for row in rows]


def totals(tx: Tx) -> dict[tuple[str, str], tuple[int, int]]:
    """(count, sum in minor units) of all refunds by (status, currency)."""
    refunds = tables.refunds
    rows = tx.execute(
        select(refunds.c.status, refunds.c.currency, func.count(), func.sum(refunds.c.amount_minor)).group_by(
            refunds.c.status,
            refunds.c.currency,
        ),
    )
    return {(row[0], row[1]): (row[2], int(row[3])) for row in rows}


def attempts_of(tx: Tx, refund_id: str) -> list[dict[str, Any]]:
    """Every attempt of a refund, in order."""
    attempts = tables.attempts
    rows = tx.execute(select(attempts).where(attempts.c.refund_id == refund_id).order_by(attempts.c.number))
    return [dict(row) for row in rows.mappings()]


def look_ups_of(tx: Tx, refund_id: str) -> list[dict[str, Any]]:
    """Every look-up of a refund, in order."""
    look_ups = tables.look_ups
    rows = tx.execute(select(look_ups).where(look_ups.c.refund_id == refund_id).order_by(look_ups.c.id))
    return [dict(row) for row in rows.mappings()]


def history_of(tx: Tx, refund_id: str) -> list[dict[str, Any]]:
    """Every change of status of a refund, in order."""
    history = tables.history
    rows = tx.execute(select(history).where(history.c.refund_id == refund_id).order_by(history.c.id))
    return [dict(row) for row in rows.mappings()]


def broken_sums(tx: Tx, *, after: str = "", through: str | None = None) -> list[str]:
    """Payments whose sums are not what their refunds add up to; `after`, and up to `through`, in id order."""
    within = "AND {id} <= :through" if through is not None else ""
    rows = tx.execute(
        text(
            f"""SELECT p.id FROM payments p LEFT JOIN (
                SELECT payment_id,
                    SUM(CASE WHEN status IN ('awaiting_approval', 'held', 'requested', 'attempting',
                        'submitted', 'in_doubt', 'queued', 'needs_review') OR (status = 'failed' AND extra)
                        THEN amount_minor ELSE 0 END) AS reserved,
                    SUM(CASE WHEN status = 'refunded' THEN amount_minor ELSE 0 END) AS refunded,
                    SUM(CASE WHEN status = 'refunded_externally' THEN amount_minor ELSE 0 END) AS external
                FROM refunds WHERE kind = 'refund' AND payment_id > :after {within.format(id="payment_id")}
                GROUP BY payment_id) s ON s.payment_id = p.id
            WHERE p.id > :after {within.format(id="p.id")}
              AND (p.reserved_minor <> COALESCE(s.reserved, 0)
                OR p.refunded_minor <> p.refunded_before_minor + COALESCE(s.refunded, 0)
                OR p.external_minor <> COALESCE(s.external, 0))
            ORDER BY p.id LIMIT 100""",
        ),
        {"after": after} | ({} if through is None else {"through": through}),
    )
    return [row[0] for row in rows]


def _refund(row: Any) -> Refund:
    values = dict(row)
    values["kind"] = Kind(values["kind"])
    values["status"] = Status(values["status"])
    values["wait"] = Wait(values["wait"]) if values["wait"] else None
    values["extra"] = bool(values["extra"])
    return Refund(**values)


def waiting_beyond_capture(tx: Tx, *, after: str, through: str) -> list[str]:
    """Payments with an excess on which something still waits to be paid."""
    sql = """SELECT p.id FROM payments p WHERE p.id > :after AND p.id <= :through AND p.excess_minor > 0
        AND EXISTS (SELECT 1 FROM refunds r WHERE r.payment_id = p.id
                    AND (r.status IN ('requested', 'queued') OR (r.status = 'failed' AND r.extra)))
        ORDER BY p.id LIMIT 100"""
    return [row[0] for row in tx.execute(text(sql), {"after": after, "through": through})]
