"""How moneyback answers: the same documents over HTTP and on the command line."""

from datetime import datetime
from typing import Any

from refunds.domain.money import decimal_text
from refunds.domain.status import Status
from refunds.store.payments import Payment
from refunds.store.refunds import Depth, Refund


def refund_answer(refund: Refund) -> dict[str, Any]:
    """A refund as services see it (design.md 9)."""
    failure = None
    if refund.failure_at is not None:
        failure = {
            "code": refund.failure_code,
            "text": refund.failure_text or "",
            "at": _text(refund.failure_at),
        }
    waits = refund.status in {Status.REQUESTED, Status.QUEUED}
    return {
        "id": refund.id,
        "kind": refund.kind.value,
        "status": refund.status.value,
        "wait": refund.wait.value if refund.wait else None,
        "order_id": refund.order_id,
        "transaction_id": refund.transaction_id,
        "account": refund.account,
        "gateway": refund.gateway,
        "amount": decimal_text(refund.amount_minor, refund.currency),
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "reason": refund.reason,
        "metadata": refund.request.get("metadata") or {},
        "attempts_counted": refund.attempts_counted,
        "next_attempt_at": _text(refund.due_at) if waits else None,
        "last_failure": failure,
        "gateway_reference": refund.gateway_reference,
        "created_at": _text(refund.created_at),
        "updated_at": _text(refund.updated_at),
    }


def payment_answer(payment: Payment) -> dict[str, Any]:
    """A payment and its balance."""

    def amount(minor: int) -> str:
        return decimal_text(minor, payment.currency)

    return {
        "id": payment.id,
        "status": payment.status,
        "order_id": payment.order_id,
        "transaction_id": payment.transaction_id,
        "account": payment.account,
        "gateway": payment.gateway,
        "currency": payment.currency,
        "captured_amount": amount(payment.balance.captured_minor),
        "authorized_amount": amount(payment.authorized_minor),
        "refunded_amount": amount(payment.balance.refunded_minor),
        "reserved_amount": amount(payment.balance.reserved_minor),
        "external_amount": amount(payment.balance.external_minor),
        "disputed_amount": amount(payment.balance.disputed_minor),
        "refundable_amount": amount(payment.balance.refundable_minor),
        "refundable_minor": payment.balance.refundable_minor,
        "method": payment.method,
        "metadata": payment.metadata or {},
        "captured_at": _text(payment.captured_at),
        "created_at": _text(payment.created_at),
    }


def queue_answer(depths: list[Depth], *, parked: int, now: datetime) -> dict[str, Any]:
    """What waits: depth, sums per currency and oldest age, by status. Sums are never across currencies."""
    statuses: dict[str, dict[str, Any]] = {}
    for depth in depths:
        entry = statuses.setdefault(
            depth.status.value,
            {"count": 0, "amounts": {}, "oldest_at": None, "oldest_age_seconds": 0},
        )
        entry["count"] += depth.count
        entry["amounts"][depth.currency] = decimal_text(depth.amount_minor, depth.currency)
        age = max((now - depth.oldest_at).total_seconds(), 0)
        if age >= entry["oldest_age_seconds"]:
            entry["oldest_at"], entry["oldest_age_seconds"] = _text(depth.oldest_at), round(age)
    waiting = statuses.get(Status.QUEUED, {"count": 0, "amounts": {}, "oldest_age_seconds": 0})
    return {
        "depth": waiting["count"],
        "amounts": waiting["amounts"],
        "oldest_age_seconds": waiting["oldest_age_seconds"],
        "by_status": statuses,
        "parked_messages": parked,
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
