"""The till: moves money where the payment's state and balance allow it, whatever script or key there is."""

import json
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from refunds.sandbox.answer import Answer, error, told
from refunds.sandbox.ledger import Ledger
from refunds.sandbox.messages import MoneyOrder
from refunds.sandbox.records import Later, Payment, Refund, stamp


@dataclass(frozen=True, slots=True)
class Then:
    """The final status that follows by itself, so much later on the sandbox's clock."""

    after_seconds: float
    status: str
    code: str | None = None


class Till:
    """Writes refunds; never pays more than was captured."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def pay(
        self, order: MoneyOrder, payment: Payment, now: datetime, *, pending: bool = False, then: Then | None
    ) -> Answer:
        """Refund, or void the payment whole; a refusal where that cannot be."""
        if order.kind == "void":
            refusal, amount_minor = _refused_void(payment), payment.authorized_minor
        else:
            refusal, amount_minor = self._refused_refund(order, payment, now), order.request.amount_minor
        if refusal is not None:
            return refusal
        refund = replace(
            _succeeded(payment, amount_minor, now),
            reference=order.request.reference,
            key=order.key,
            kind=order.kind,
            status="pending" if pending else "succeeded",
            final_at=None if pending else stamp(now),
        )
        self._ledger.add_refund(refund)
        if order.kind == "void":
            self._ledger.set_voided(payment.transaction_id, voided=True)
        if then is not None:
            due_at = now + timedelta(seconds=then.after_seconds)
            self._ledger.add_later(Later(due_at, refund.id, then.status, then.code))
        return Answer(201, json.dumps(told(refund)), moved=True)

    def pay_by_hand(self, payment: Payment, amount_minor: int, now: datetime) -> Answer:
        """Refund as if in the platform's portal: no reference, no key; only the balance is looked at."""
        if amount_minor > payment.refundable_minor:
            return error(402, "amount_too_large", f"only {payment.refundable_minor} is left")
        refund = _succeeded(payment, amount_minor, now)
        self._ledger.add_refund(refund)
        return Answer(201, json.dumps(told(refund)), moved=True)

    def finish(self, refund_id: str, *, status: str, code: str | None, at: datetime) -> None:
        """Give a refund its final status; a void that failed leaves the payment as it was."""
        refund = self._ledger.finish_refund(refund_id, status=status, code=code, at=at)
        if refund.kind == "void" and status == "failed":
            self._ledger.set_voided(refund.transaction_id, voided=False)

    def _refused_refund(self, order: MoneyOrder, payment: Payment, now: datetime) -> Answer | None:
        amount_minor = order.request.amount_minor
        if payment.voided:
            return error(409, "already_voided", "the payment is voided")
        if payment.disputed:
            return error(402, "disputed", "the payment is disputed")
        if payment.captured_minor == 0:
            return error(409, "not_captured", "the payment is not captured: void it")
        if payment.refundable_minor == 0:
            return error(402, "already_refunded", "nothing is left to refund")
        if amount_minor > payment.refundable_minor:
            return error(402, "amount_too_large", f"only {payment.refundable_minor} is left")
        filtered = timedelta(seconds=payment.options.duplicate_filter_seconds)
        if filtered and self._ledger.has_equal_refund(
            payment.transaction_id, amount_minor=amount_minor, since=now - filtered
        ):
            return error(402, "duplicate_suspected", "an equal amount was refunded a moment ago")
        return None


def _refused_void(payment: Payment) -> Answer | None:
    if payment.voided:
        return error(409, "already_voided", "the payment is voided")
    if payment.captured_minor > 0:
        return error(409, "already_captured", "the payment is captured: refund it")
    if payment.disputed:
        return error(402, "disputed", "the payment is disputed")
    if payment.authorized_minor == 0:
        return error(402, "already_refunded", "there is nothing to void")
    return None


def _succeeded(payment: Payment, amount_minor: int, now: datetime) -> Refund:
    return Refund(
        id=f"sre_{os.urandom(12).hex()}",
        transaction_id=payment.transaction_id,
        reference=None,
        key=None,
        kind="refund",
        amount_minor=amount_minor,
        currency=payment.currency,
        status="succeeded",
        code=None,
        created_at=stamp(now),
        final_at=stamp(now),
    )
