"""One verdict on its way into the tables."""

from dataclasses import dataclass

from refunds.domain.judge import Verdict
from refunds.domain.outcome import Answer, LookUpAnswer
from refunds.store.claim import Claim


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address that is told, and why it is."""

    address: str
    why: str


@dataclass(frozen=True, slots=True)
class Settled:
    """One verdict to book, with the answer or finding that led to it and who is to be told."""

    claim: Claim
    verdict: Verdict
    answer: Answer | None = None
    found: LookUpAnswer | None = None
    recipients: tuple[Recipient, ...] = ()
