"""Taking in payments: money taken earlier, registered once, by a caller or together with its first refund."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ulid import ULID

from refunds.domain.balance import Balance
from refunds.domain.money import MAX_MINOR, MoneyError, minor_units_or_zero
from refunds.flow.parts import Parts
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.request import PaymentForm, read
from refunds.store import accounts, lanes, payments
from refunds.store.database import Tx, now
from refunds.store.payments import Payment


@dataclass(frozen=True, slots=True)
class Registered:
    """A payment as it is kept; `created` is False where the same one was known already."""

    payment: Payment
    created: bool


def register(parts: Parts, documents: Sequence[Mapping[str, Any]]) -> list[Registered | Refusal]:
    """Register payments, each answered in its place; safe to repeat.

    The same values again change nothing; a capture of what was authorised is booked; anything else that
    contradicts what is kept is refused.
    """
    forms = [read(PaymentForm, document) for document in documents]
    with parts.database.begin() as tx:
        return register_forms(parts, tx, forms)


def register_forms(
    parts: Parts,
    tx: Tx,
    forms: Sequence[PaymentForm | Refusal],
) -> list[Registered | Refusal]:
    """As register, inside the caller's transaction, with forms already read."""
    at = now(tx)
    known = accounts.get_all(tx)
    rows = [
        form if isinstance(form, Refusal) else _row(parts, form, known=set(known), at=at) for form in forms
    ]
    good: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        if not isinstance(row, Refusal):
            good.setdefault(_identity(row), row)
    if not good:
        return [row for row in rows if isinstance(row, Refusal)]
    for account, gateway in sorted({identity[:2] for identity in good}):
        lanes.ensure(tx, account, gateway)
    added = payments.add_many(tx, list(good.values()))
    kept: dict[tuple[str, str, str], Payment] = {}
    for account in sorted({identity[0] for identity in good}):
        ids = [identity[2] for identity in good if identity[0] == account]
        found = payments.find(tx, account=account, order_ids=[], transaction_ids=ids)
        kept.update(
            ((payment.account, payment.gateway, payment.transaction_id), payment) for payment in found
        )
    return [
        row
        if isinstance(row, Refusal)
        else _agree(
            tx, kept[_identity(row)], row, created=row is good[_identity(row)] and _identity(row) in added
        )
        for row in rows
    ]


def _row(parts: Parts, form: PaymentForm, *, known: set[str], at: datetime) -> dict[str, Any] | Refusal:
    gateway = form.gateway or parts.default_gateway
    if form.account not in known:
        return Refusal.of(Cause.ACCOUNT_UNKNOWN, "/account", f"there is no account {form.account!r}")
    if gateway is None or gateway not in parts.gateways:
        names = ", ".join(sorted(parts.gateways)) or "none"
        return Refusal.of(Cause.GATEWAY_UNKNOWN, "/gateway", f"name a configured gateway ({names})")
    captured = _sum("/captured_amount", form.captured_amount, form.currency)
    authorized = _sum("/authorized_amount", form.authorized_amount or "0", form.currency)
    before = _sum("/refunded_before", form.refunded_before, form.currency)
    for amount in (captured, authorized, before):
        if isinstance(amount, Refusal):
            return amount
    if before > captured:  # type: ignore[operator]  # refusals have left
        return Refusal.of(Cause.INVALID, "/refunded_before", "is more than was captured")
    if form.status == "authorized" and captured:
        return Refusal.of(Cause.INVALID, "/captured_amount", "an authorized payment has nothing captured")
    if form.status == "captured" and not captured:
        return Refusal.of(Cause.INVALID, "/captured_amount", "a captured payment needs the amount captured")
    return {
        "id": f"pm_{ULID()}",
        "account": form.account,
        "gateway": gateway,
        "order_id": form.order_id,
        "transaction_id": form.transaction_id,
        "currency": form.currency,
        "status": form.status,
        "captured_minor": captured,
        "authorized_minor": authorized,
        "refunded_minor": before,
        "refunded_before_minor": before,
        "method": form.method,
        "items": [item.model_dump(exclude_none=True) for item in form.items] if form.items else None,
        "metadata": form.metadata,
        "captured_at": form.captured_at,
        "created_at": at,
    }


def _identity(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["account"], row["gateway"], row["transaction_id"]


def _sum(pointer: str, text: str, currency: str) -> int | Refusal:
    try:
        minor = minor_units_or_zero(text, currency)
    except MoneyError as error:
        return Refusal.of(Cause.INVALID, pointer, str(error))
    if minor > MAX_MINOR:
        return Refusal.of(Cause.INVALID, pointer, "the amount is too large")
    return minor


def _agree(tx: Tx, kept: Payment, row: dict[str, Any], *, created: bool) -> Registered | Refusal:
    if created:
        return Registered(kept, created=True)
    same = (
        kept.order_id == row["order_id"]
        and kept.currency == row["currency"]
        and kept.refunded_before_minor == row["refunded_before_minor"]
        and (row["status"] == "captured" or kept.authorized_minor == row["authorized_minor"])
    )
    if same and kept.balance.captured_minor == row["captured_minor"]:
        return Registered(kept, created=False)
    if same and kept.status == "authorized" and row["status"] == "captured":
        return _capture(tx, kept, row)
    return Refusal.of(
        Cause.PAYMENT_MISMATCH,
        "/transaction_id",
        "this payment is registered already with another order, currency or amount",
    )


def _capture(tx: Tx, kept: Payment, row: dict[str, Any]) -> Registered | Refusal:
    locked = payments.lock(tx, [kept.id])[kept.id]
    if payments.with_active_void(tx, [kept.id]):
        return Refusal.of(Cause.PAYMENT_MISMATCH, "/status", "a void of this payment is under way or done")
    if locked.balance == Balance(captured_minor=0):
        payments.capture(tx, kept.id, captured_minor=row["captured_minor"], captured_at=row["captured_at"])
    return Registered(payments.lock(tx, [kept.id])[kept.id], created=False)
