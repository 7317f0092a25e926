"""Payments: money taken earlier, and what has become of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text, update

from refunds.domain.balance import Balance
from refunds.store import tables
from refunds.store.database import Tx, insert_or_skip


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment and its sums, in minor units of its currency."""

    id: str
    account: str
    gateway: str
    order_id: str
    transaction_id: str
    currency: str
    status: str
    authorized_minor: int
    refunded_before_minor: int
    balance: Balance
    items: list[dict[str, Any]] | None
    metadata: dict[str, Any] | None
    method: str | None
    captured_at: datetime | None
    created_at: datetime


def add_many(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str, str]]:
    """Insert payments that are not there yet; returns (account, gateway, transaction_id) of the new ones."""
    payments = tables.payments
    added = tx.execute(
        insert_or_skip(tx, payments).returning(
            payments.c.account, payments.c.gateway, payments.c.transaction_id
        ),
        list(rows),
    )
    return {(row[0], row[1], row[2]) for row in added}


def find(tx: Tx, *, account: str, order_ids: Sequence[str], transaction_ids: Sequence[str]) -> list[Payment]:
    """Payments of an account with any of these orders or transactions."""
    payments = tables.payments
    found: dict[str, Payment] = {}
    for column, values in ((payments.c.order_id, order_ids), (payments.c.transaction_id, transaction_ids)):
        for start in range(0, len(values), 500):
            some = select(payments).where(
                payments.c.account == account,
                column.in_(values[start : start + 500]),
            )
            found.update((row.id, _payment(row)) for row in tx.execute(some))
    return list(found.values())


def lock(tx: Tx, ids: Sequence[str]) -> dict[str, Payment]:
    """Lock payments in id order and read them as they now are."""
    payments = tables.payments
    locked: dict[str, Payment] = {}
    ordered = sorted(ids)
    for start in range(0, len(ordered), 500):
        some = select(payments).where(payments.c.id.in_(ordered[start : start + 500]))
        some = some.order_by(payments.c.id).with_for_update()
        locked.update((row.id, _payment(row)) for row in tx.execute(some))
    return locked


def remove(tx: Tx, ids: Sequence[str]) -> None:
    """Take back payments that this very transaction inserted."""
    if ids:
        tx.execute(delete(tables.payments).where(tables.payments.c.id.in_(list(ids))))


def reserve(tx: Tx, amounts: Mapping[str, int]) -> None:
    """Add to the reserved sums of locked payments; the CHECK is the last line of defence."""
    rows = [{"id": id_, "amount": amount} for id_, amount in sorted(amounts.items()) if amount]
    if rows:
        tx.execute(text("UPDATE payments SET reserved_minor = reserved_minor + :amount WHERE id = :id"), rows)


def capture(tx: Tx, payment_id: str, *, captured_minor: int, captured_at: datetime | None) -> None:
    """An authorised payment was captured."""
    payments = tables.payments
    tx.execute(
        update(payments)
        .where(payments.c.id == payment_id, payments.c.status == "authorized")
        .values(status="captured", captured_minor=captured_minor, captured_at=captured_at),
    )


def with_active_void(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Which of these payments a void has taken, exclusively; a failed one too while it is tried once more."""
    refunds = tables.refunds
    taken: set[str] = set()
    for start in range(0, len(ids), 500):
        some = select(refunds.c.payment_id).where(
            refunds.c.payment_id.in_(ids[start : start + 500]),
            refunds.c.kind == "void",
            refunds.c.status.not_in(("failed", "cancelled")) | refunds.c.extra,
        )
        taken.update(row[0] for row in tx.execute(some))
    return taken


def over_captured(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Which of these payments have given back more than was captured, or are to."""
    payments = tables.payments
    rows = tx.execute(select(payments.c.id).where(payments.c.id.in_(list(ids)), payments.c.excess_minor > 0))
    return {row[0] for row in rows}


def list_page(tx: Tx, *, filters: Mapping[str, str], after: str | None, limit: int) -> list[Payment]:
    """Payments by id, newest last; `filters` may name order_id, transaction_id, account, gateway."""
    payments = tables.payments
    query = select(payments).order_by(payments.c.id).limit(limit)
    if after:
        query = query.where(payments.c.id > after)
    for name, value in filters.items():
        query = query.where(payments.c[name] == value)
    return [_payment(row) for row in tx.execute(query)]


def _payment(row: Any) -> Payment:
    return Payment(
        id=row.id,
        account=row.account,
        gateway=row.gateway,
        order_id=row.order_id,
        transaction_id=row.transaction_id,
        currency=row.currency,
        status=row.status,
        authorized_minor=row.authorized_minor,
        refunded_before_minor=row.refunded_before_minor,
        balance=Balance(
            captured_minor=row.captured_minor,
            refunded_minor=row.refunded_minor,
            reserved_minor=row.reserved_minor,
            external_minor=row.external_minor,
            disputed_minor=row.disputed_minor,
            excess_minor=row.excess_minor,
        ),
        items=row.items,
        metadata=row.metadata,
        method=row.method,
        captured_at=row.captured_at,
        created_at=row.created_at,
    )
