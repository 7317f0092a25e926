"""Notices: what people are told about a refund, one kind an event."""

from enum import StrEnum


class NoticeKind(StrEnum):
    """Why somebody is told. The first two are never mixed: one is certainly unpaid, the other may be paid."""

    FAILED = "failed"
    """Failed for good: certainly not paid, moneyback has stopped trying."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """The money may have been paid: check before paying another way."""
    REFUSED_EARLY = "refused_early"
    """Day 0 of a refusal that can hardly succeed; the queue goes on trying."""
    STILL_UNPAID = "still_unpaid"
    """Three local dates without a counted attempt: an outage, nothing was given up."""
    NEEDS_REVIEW = "needs_review"
    """A dispute, or refunded elsewhere: not paid by us, a person decides."""
    TAKEN_BACK = "taken_back"
    """It was paid, and the gateway took the money back: it is owed again."""
    PAID_ANYWAY = "paid_anyway"
    """Given up or marked as paid elsewhere, and found paid by the gateway: was it paid twice?"""
    RESOLVED = "resolved"
    """An earlier alarm is withdrawn: the money was paid after all, or another way."""
