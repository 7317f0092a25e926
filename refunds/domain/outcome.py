"""What an attempt or a look-up learned, in our words; adapters translate every gateway answer into these."""

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What an attempt learned."""

    REFUNDED = "refunded"
    """The gateway says that the money is on its way (or that the payment is voided)."""
    ACCEPTED = "accepted"
    """The gateway took the order; the final word comes later."""
    DECLINED = "declined"
    """The gateway surely refused; nothing moved."""
    UNAVAILABLE = "unavailable"
    """Surely not processed and not the refund's fault: not reached, turned away, no credentials."""
    UNKNOWN = "unknown"
    """Anything else. The money may have moved; only a look-up may follow."""


class Reason(StrEnum):
    """Class of a refusal: decides between the queue and a person."""

    PASSING = "passing"
    """May succeed another day."""
    PERMANENT = "permanent"
    """Will never succeed on this card or account; told early, still retried as the queue promises."""
    DISPUTED = "disputed"
    """The bank may already have paid: never retried, a person decides."""
    REFUNDED_ELSEWHERE = "refunded_elsewhere"
    """The gateway says the money was returned, but not by us: a person decides."""


class Finding(StrEnum):
    """What a look-up found about our refund."""

    REFUNDED = "refunded"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ABSENT = "absent"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcome of one attempt, with the evidence people will want to read.

    `code` and `text` are the gateway's own words, cleaned and bounded. `sent` is False only where it is
    proven that no byte of the request left; an unknown outcome that was not sent may have been paid before.
    `retry_after_seconds` is the gateway's wish, if it told one.
    """

    outcome: Outcome
    code: str = ""
    text: str = ""
    reason: Reason = Reason.PASSING
    reference: str | None = None
    request_id: str | None = None
    http_status: int | None = None
    sent: bool = True
    retry_after_seconds: float | None = None
    duration_ms: int = 0
    found_by_look_up: bool = False


NO_LOOK_UP = "no_look_up"
"""Code of a look-up that could not be made, because this gateway has none: no sign of trouble."""

HANDED_BACK = "handed_back"
"""Code of a call that was not begun: its lease or its worker came to an end, or its lane was paused."""

SEVERAL_REFUNDS = "several_refunds"
"""Code of an unclear look-up: more than one refund of ours stands at the gateway."""


ABOUT_THE_REFUND = frozenset(
    {NO_LOOK_UP, SEVERAL_REFUNDS, "payment_unknown", "answer_mismatch", "no_reference"}
)
"""Codes of unclear look-ups that the refund is to blame for: no sign that the gateway is in trouble."""


@dataclass(frozen=True, slots=True)
class LookUpAnswer:
    """What a look-up found; `refundable_minor` is what the gateway still holds, where it tells.

    `disputed`: the payment has an open dispute or chargeback.
    """

    finding: Finding
    code: str = ""
    text: str = ""
    reason: Reason = Reason.PASSING
    reference: str | None = None
    disputed: bool = False
    refundable_minor: int | None = None
    refunded_minor: int | None = None
    """All that the gateway has returned of this payment, by whomever; None where it does not tell."""
    duration_ms: int = 0
    snapshot: dict[str, object] = field(default_factory=dict)
