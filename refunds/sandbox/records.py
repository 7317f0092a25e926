"""Rows of the ledger as values."""

from dataclasses import dataclass
from datetime import UTC, datetime

from refunds.sandbox.messages import MAX_MINOR, Options


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as it stands; `refunded_minor` holds all that was paid or promised back, before us too."""

    transaction_id: str
    currency: str
    captured_minor: int
    authorized_minor: int
    refunded_minor: int
    disputed: bool
    voided: bool
    script: str | None
    options: Options

    @property
    def refundable_minor(self) -> int:
        """What may still be refunded."""
        return max(0, self.captured_minor - self.refunded_minor)


@dataclass(frozen=True, slots=True)
class Refund:
    """One time money moved or was promised; fields as the columns of the table."""

    id: str
    transaction_id: str
    reference: str | None
    key: str | None
    kind: str
    amount_minor: int
    currency: str
    status: str
    code: str | None
    created_at: str
    final_at: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A money or look-up request as it came in."""

    number: int
    method: str
    path: str
    transaction_id: str
    reference: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept under an idempotency key; no status: the first request is still being processed."""

    fingerprint: str
    status: int | None
    body: str | None


@dataclass(frozen=True, slots=True)
class Later:
    """Something due on the sandbox's clock: a refund's final status, or (`money_order`) a late payout."""

    due_at: datetime
    refund_id: str | None = None
    status: str | None = None
    code: str | None = None
    money_order: str | None = None


def unknown_payment(transaction_id: str, currency: str) -> Payment:
    """A payment nobody has told the sandbox about: captured without limit."""
    return Payment(
        transaction_id=transaction_id,
        currency=currency,
        captured_minor=MAX_MINOR,
        authorized_minor=0,
        refunded_minor=0,
        disputed=False,
        voided=False,
        script=None,
        options=Options(),
    )


def stamp(moment: datetime) -> str:
    """ISO text of an aware moment in UTC, always of one width, so that texts sort as times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
