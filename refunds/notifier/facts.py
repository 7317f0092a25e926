"""What one notice says: a single structure from which both parts of the mail are written."""

from dataclasses import dataclass
from datetime import datetime

from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Finding
from refunds.domain.status import Kind


@dataclass(frozen=True, slots=True)
class AttemptFact:
    """One recorded attempt, times aware UTC. `finding` is what a look-up said of it, at `found_at`."""

    number: int
    counted: bool
    at: datetime
    outcome: str
    """The value of its Outcome; empty: never heard of, or not even sent."""
    code: str = ""
    text: str = ""
    request_id: str | None = None
    finding: Finding | None = None
    found_at: datetime | None = None
    sent: bool = True
    """False only where it is certain that no request left."""


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """All that a mail about one refund to one address is built from. Times are aware UTC.

    Texts may be hostile: they are cleaned and bounded before anything is built from them.
    `notice_id` belongs to one recipient alone, for the Message-ID derives from it. `decided_at` is when the
    event happened; it is the mail's Date, so that a repeat is the same mail to the byte.
    """

    notice_id: str
    kind: NoticeKind
    recipient: str
    why_recipient: str
    """Reads after the address: `is in MONEYBACK_NOTIFY_EMAILS`."""
    environment: str
    version: str
    refund_id: str
    refund_kind: Kind
    account: str
    gateway: str
    order_id: str
    transaction_id: str
    amount_minor: int
    currency: str
    captured_minor: int
    """Of the payment; for a void, what was authorised."""
    created_at: datetime
    decided_at: datetime
    requested_by: str
    reason: str | None = None
    """The caller's, for wanting the refund."""
    failure_code: str = ""
    failure_text: str = ""
    attempts: tuple[AttemptFact, ...] = ()
    next_attempt_at: datetime | None = None
    certainty: str | None = None
    """What the gateway said when it was asked at `looked_up_at`, or why it is certain.

    With FAILED and `looked_up_at` it must be proof that nothing was paid: the mail then calls it safe to pay,
    unless there is `evidence`.
    """
    looked_up_at: datetime | None = None
    evidence: str | None = None
    """Anything else that was observed: a late answer, a dispute, a refund made elsewhere."""
    thread_message_id: str | None = None
    """Message-ID of the first mail on this refund to this address; None: this is the first."""
    message_number: int = 1
    message_total: int = 1
    public_url: str | None = None
    zone: str = "UTC"
    """IANA name; local times are shown besides UTC."""
