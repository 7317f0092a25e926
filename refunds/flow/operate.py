"""Operate: what people decide about one refund. Each act is one line of history with who and why."""

from refunds.domain.status import CANCELLABLE, Kind, Status
from refunds.flow.parts import Parts
from refunds.flow.refusal import Cause, Refusal
from refunds.store import moves, payments, refunds
from refunds.store.database import Tx, now
from refunds.store.refunds import Refund


def retry_now(parts: Parts, refund_id: str, *, actor: str, reason: str) -> Refund | Refusal:
    """One more try at once: extra, uncounted, the schedule stays. For queued and failed refunds.

    A failed refund reserves its amount again first, and is failed again if the try does not pay.
    """
    with parts.database.begin() as tx:
        refund = refunds.get(tx, refund_id, lock=True)
        if refund is None:
            return unknown(refund_id)
        if refund.status not in {Status.QUEUED, Status.FAILED}:
            return refused(refund, "tried now")
        impossible = None if refund.extra else reserve_again(tx, refund)
        if impossible is not None:
            return impossible
        moves.try_now(tx, refund, actor=actor, why=f"try now: {reason}", now=now(tx))
    parts.wakeup.ring(refund.account, refund.gateway)
    return again(parts, refund_id)


def cancel(parts: Parts, refund_id: str, *, actor: str, reason: str) -> Refund | Refusal:
    """Give up a refund that is surely not under way; its amount is refundable again."""
    with parts.database.begin() as tx:
        refund = refunds.get(tx, refund_id, lock=True)
        if refund is None:
            return unknown(refund_id)
        if refund.status not in CANCELLABLE:
            return refused(refund, "cancelled")
        moves.move(
            tx,
            refund,
            new=Status.CANCELLED,
            actor=actor,
            why=f"cancelled: {reason}",
            now=now(tx),
            values={"extra": False},
        )
        moves.shift(tx, refund, reserved=-1)
    return again(parts, refund_id)


def reserve_again(tx: Tx, refund: Refund) -> Refusal | None:
    """Take the payment anew for a failed refund or void, or say why that cannot be; others still have it."""
    if refund.status is not Status.FAILED:
        return None
    payment = payments.lock(tx, [refund.payment_id])[refund.payment_id]
    if refund.kind is Kind.VOID:
        if payment.balance.captured_minor or payments.with_active_void(tx, [payment.id]):
            detail = "the payment is captured, or another void has taken it"
            return Refusal.of(Cause.NOT_VOIDABLE, "/id", detail)
        return None
    if payment.balance.shortfall(refund.amount_minor) is not None:
        detail = "the payment has not enough left; was it refunded another way?"
        return Refusal.of(Cause.EXCEEDS_REMAINING, "/id", detail)
    payments.reserve(tx, {payment.id: refund.amount_minor})
    return None


def again(parts: Parts, refund_id: str) -> Refund | Refusal:
    """The refund as it stands after an act."""
    with parts.database.read() as tx:
        return refunds.get(tx, refund_id) or unknown(refund_id)


def unknown(refund_id: str) -> Refusal:
    """There is no such refund."""
    return Refusal.of(Cause.REFUND_UNKNOWN, "/id", f"there is no refund {refund_id!r}")


def refused(refund: Refund, act: str) -> Refusal:
    """Its status does not let this be done to it."""
    detail = f"a refund that is {refund.status.value} cannot be {act}"
    return Refusal.of(Cause.WRONG_STATUS, "/id", detail)
