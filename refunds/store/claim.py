"""A claimed refund, as it is read for the flow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from refunds.domain.judge import Standing
from refunds.domain.status import Kind, Status
from refunds.store.database import Tx
from refunds.store.statement import read


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimed refund: everything the call and the verdict need. Times as in Standing."""

    refund_id: str
    payment_id: str
    account: str
    gateway: str
    kind: Kind
    status: Status
    prior: Status
    extra: bool
    fence: int
    number: int
    episode: int
    generation: int
    attempts_counted: int
    amount_minor: int
    currency: str
    order_id: str
    transaction_id: str
    reason: str | None
    claimed_at: datetime
    sending_at: datetime | None
    last_counted_at: datetime | None
    key_sent_at: datetime | None
    waiting_since: datetime | None
    absent_at: datetime | None
    watch_until: datetime | None
    created_at: datetime
    look_first: bool
    refunded_minor: int
    """Of the payment, by our books."""
    deferrals: int
    look_ups: int
    gateway_reference: str | None

    @property
    def key(self) -> str:
        """The gateway's idempotency key: refund id and generation."""
        return f"{self.refund_id}-{self.generation}"

    def sent(self, at: datetime) -> "Claim":
        """The same claim once its sending was recorded."""
        return replace(self, sending_at=at, key_sent_at=self.key_sent_at or at)

    def standing(self) -> Standing:
        """What the rules look at."""
        return Standing(
            kind=self.kind,
            status=self.status,
            prior=self.prior,
            extra=self.extra,
            attempts_counted=self.attempts_counted,
            claimed_at=self.claimed_at,
            sending_at=self.sending_at,
            last_counted_at=self.last_counted_at,
            key_sent_at=self.key_sent_at,
            deferrals=self.deferrals,
            look_ups=self.look_ups,
            waiting_since=self.waiting_since,
            absent_at=self.absent_at,
            watch_until=self.watch_until,
        )


CLAIMED = """r.id, r.payment_id, r.account, r.gateway, r.kind, r.status, r.prior, r.extra, r.fence,
    r.attempts, r.episode, r.generation, r.attempts_counted, r.amount_minor, r.currency, r.reason,
    r.claimed_at, r.sending_at, r.last_counted_at, r.key_sent_at, r.waiting_since, r.absent_at,
    r.watch_until, r.created_at, r.look_first, r.deferrals, r.look_ups, r.gateway_reference"""
"""Columns of `refunds r` that make a Claim; with them come those of OF_PAYMENT."""

OF_PAYMENT = ("order_id", "transaction_id", "refunded_minor")

TIMES = (
    "claimed_at",
    "sending_at",
    "last_counted_at",
    "key_sent_at",
    "waiting_since",
    "absent_at",
    "watch_until",
    "created_at",
)


def read_claims(tx: Tx, parameters: Mapping[str, object], *, where: str, **times: datetime) -> list[Claim]:
    """Claims by a condition on `refunds r`."""
    sql = f"""SELECT {CLAIMED}, {", ".join(f"p.{name}" for name in OF_PAYMENT)}
        FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE {where}"""
    return [claim_of(row) for row in read(tx, sql, TIMES, parameters, **times).mappings()]


def claim_of(row: Any) -> Claim:
    """A Claim from a row of these columns."""
    return Claim(
        refund_id=row["id"],
        payment_id=row["payment_id"],
        account=row["account"],
        gateway=row["gateway"],
        kind=Kind(row["kind"]),
        status=Status(row["status"]),
        prior=Status(row["prior"] or row["status"]),
        extra=bool(row["extra"]),
        fence=row["fence"],
        number=row["attempts"],
        episode=row["episode"],
        generation=row["generation"],
        attempts_counted=row["attempts_counted"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        order_id=row["order_id"],
        transaction_id=row["transaction_id"],
        reason=row["reason"],
        claimed_at=row["claimed_at"],
        sending_at=row["sending_at"],
        last_counted_at=row["last_counted_at"],
        key_sent_at=row["key_sent_at"],
        waiting_since=row["waiting_since"],
        absent_at=row["absent_at"],
        watch_until=row["watch_until"],
        created_at=row["created_at"],
        look_first=bool(row["look_first"]),
        refunded_minor=row["refunded_minor"],
        deferrals=row["deferrals"],
        look_ups=row["look_ups"],
        gateway_reference=row["gateway_reference"],
    )
