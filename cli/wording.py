"""Words for one refund: when, how much, and where it stands."""

from collections.abc import Mapping
from datetime import UTC, datetime

from refunds.domain.money import Money
from refunds.domain.status import Kind, Status, Wait
from refunds.notifier.moments import lapse
from refunds.store.refunds import Refund


def stamp(at: datetime | None) -> str:
    """`2025-11-18 09:00:00Z`; nothing for None."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def from_now(at: datetime, now: datetime) -> str:
    """`in 14 h`, or `due now`."""
    return "due now" if at <= now else f"in {lapse(now, at)}"


def money(refund: Refund) -> str:
    """`GBP 12.75`."""
    return str(Money(refund.amount_minor, refund.currency))


def next_try(refund: Refund, now: datetime) -> str:
    """When a waiting refund is tried again, absolute and relative; nothing where no try is due."""
    if refund.due_at is None or not _is_tried(refund):
        return ""
    return f"{stamp(refund.due_at)} ({from_now(refund.due_at, now)})"


def last_failure(refund: Refund) -> str:
    """`card_closed: This card has been closed`."""
    return ": ".join(part for part in (refund.failure_code, refund.failure_text) if part)


def summary(refund: Refund) -> list[tuple[str, str]]:
    """The fields that tell which refund it is and where it stands."""
    return [
        ("id", refund.id),
        ("kind", "void" if refund.kind is Kind.VOID else ""),
        ("status", refund.status.value),
        ("amount", money(refund)),
        ("order", refund.order_id),
        ("transaction", refund.transaction_id),
        ("account", refund.account),
        ("gateway", refund.gateway),
        ("reason", refund.reason or ""),
    ]


def standing(refund: Refund, *, most_counted: int, now: datetime) -> str:
    """Where it stands, in sentences that promise nobody money that has not left."""
    due = next_try(refund, now)
    return _STANDINGS[refund.status].format(
        until="the end of an outage" if refund.wait is Wait.OUTAGE else "its next daily try",
        due=f"The next try: {due}. " if due else "",
        used=f"Of {most_counted} counted tries {refund.attempts_counted} are used.",
    )


_STANDINGS: Mapping[Status, str] = {
    Status.AWAITING_APPROVAL: "It waits for approval; nothing was sent to the gateway.",
    Status.HELD: "It is held as a suspected twin of another; nothing was sent to the gateway.",
    Status.REQUESTED: "It is kept here and waits for its first try; nothing was sent to the gateway yet.",
    Status.ATTEMPTING: "The gateway is being asked at this moment.",
    Status.SUBMITTED: "The gateway has taken it; its final word is awaited.",
    Status.IN_DOUBT: "Nobody knows yet whether the money moved: the gateway is asked what became of it, and"
    " nothing is sent again meanwhile. Do not pay another way.",
    Status.QUEUED: "It is not paid: it is queued here and waits for {until}. {due}{used}",
    Status.NEEDS_REVIEW: "A person has to decide: look at the gateway before paying another way.",
    Status.FAILED: "It was not paid and no daily try will follow. {due}{used}",
    Status.REFUNDED: "The gateway has refunded it.",
    Status.VOIDED: "The gateway has voided the payment.",
    Status.REFUNDED_EXTERNALLY: "It was paid another way and is only marked here.",
    Status.CANCELLED: "It was cancelled; moneyback does not pay it.",
}


def _is_tried(refund: Refund) -> bool:
    return refund.status in {Status.REQUESTED, Status.QUEUED} or (
        refund.status is Status.FAILED and refund.extra
    )
