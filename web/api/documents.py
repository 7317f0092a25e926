"""The documents that are answered, for the OpenAPI document. The flow writes them; a test compares."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from refunds.domain.status import Kind, Status, Wait

Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="UTC")]
Decimals = Annotated[str, Field(description="in the currency's own decimals", examples=["12.75"])]
Minor = Annotated[int, Field(description="in the currency's minor units", examples=[1275])]

_REFUND: dict[str, Any] = {
    "id": "rf_01JZ8XQ6G4T2M8K0V5N3C7B9DE",
    "kind": "refund",
    "status": "queued",
    "wait": "daily",
    "order_id": "536379",
    "transaction_id": "pay_536379",
    "account": "default",
    "gateway": "sandbox",
    "amount": "12.75",
    "amount_minor": 1275,
    "currency": "GBP",
    "reason": "goods returned",
    "metadata": {"channel": "shop"},
    "attempts_counted": 1,
    "next_attempt_at": "2026-03-02T09:00:00.000000Z",
    "last_failure": {
        "code": "insufficient_funds",
        "text": "The balance is too low",
        "at": "2026-03-01T14:03:11.201934Z",
    },
    "gateway_reference": None,
    "created_at": "2026-03-01T14:03:10.118201Z",
    "updated_at": "2026-03-01T14:03:11.201934Z",
}
_PAYMENT: dict[str, Any] = {
    "id": "pm_01JZ8XQ6G4T2M8K0V5N3C7B9DF",
    "status": "captured",
    "order_id": "536379",
    "transaction_id": "pay_536379",
    "account": "default",
    "gateway": "sandbox",
    "currency": "GBP",
    "captured_amount": "255.00",
    "authorized_amount": "0.00",
    "refunded_amount": "0.00",
    "reserved_amount": "12.75",
    "external_amount": "0.00",
    "disputed_amount": "0.00",
    "refundable_amount": "242.25",
    "refundable_minor": 24225,
    "method": "card",
    "metadata": {},
    "captured_at": "2026-02-20T08:00:00.000000Z",
    "created_at": "2026-03-01T14:03:10.001000Z",
}


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Failure(_Document):
    """The gateway's words of the last refusal."""

    code: str | None
    text: str
    at: Instant


class Refund(_Document):
    """A refund as it stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REFUND]})

    id: str
    kind: Kind
    status: Status
    wait: Annotated[Wait | None, Field(description="what a queued refund waits for")]
    order_id: str
    transaction_id: str
    account: str
    gateway: str
    amount: Decimals
    amount_minor: Minor
    currency: str
    reason: str | None
    metadata: dict[str, str]
    attempts_counted: Annotated[int, Field(description="places of the schedule used up")]
    next_attempt_at: Instant | None
    last_failure: Failure | None
    gateway_reference: str | None
    created_at: Instant
    updated_at: Instant


class Payment(_Document):
    """A payment and its balance."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PAYMENT]})

    id: str
    status: str
    order_id: str
    transaction_id: str
    account: str
    gateway: str
    currency: str
    captured_amount: Decimals
    authorized_amount: Decimals
    refunded_amount: Decimals
    reserved_amount: Decimals
    external_amount: Decimals
    disputed_amount: Decimals
    refundable_amount: Decimals
    refundable_minor: Minor
    method: str | None
    metadata: dict[str, str]
    captured_at: Instant | None
    created_at: Instant


Cursor = Annotated[str | None, Field(description="`after` of the next page; null on the last")]


class RefundList(_Document):
    """One page of refunds."""

    items: list[Refund]
    next: Cursor


class PaymentList(_Document):
    """One page of payments."""

    items: list[Payment]
    next: Cursor


class Waiting(_Document):
    """What stands in one status."""

    count: int
    amounts: Annotated[dict[str, Decimals], Field(description="sums by currency")]
    oldest_at: Instant | None
    oldest_age_seconds: int


class Queue(_Document):
    """The refund queue and everything else that is open, or failed."""

    depth: Annotated[int, Field(description="refunds on the refund queue")]
    amounts: Annotated[dict[str, Decimals], Field(description="their sums by currency")]
    oldest_age_seconds: int
    by_status: dict[Status, Waiting]
    parked_messages: int


class Database(_Document):
    """The database, as readiness sees it."""

    answers: bool
    skew_seconds: Annotated[float | None, Field(description="this host's clock ahead of the database's")]


class Migrations(_Document):
    """Version of the schema."""

    current: str | None
    wanted: str | None
    up_to_date: bool


class Signs(_Document):
    """Signs of life of the processes of one role."""

    processes: int
    last_beat_age_seconds: float


class Readiness(_Document):
    """Whether this process can serve. Only database and migrations decide."""

    ready: bool
    database: Database
    migrations: Migrations
    processes: dict[str, Signs]
    last_tick_age_seconds: Annotated[float | None, Field(description="since any scheduler ticked")]
    redis: str


class Life(_Document):
    """The process turns."""

    alive: bool


class FieldProblem(_Document):
    """One field and what is wrong with it."""

    pointer: Annotated[
        str, Field(description="JSON pointer into the body; a parameter is named as if it stood there")
    ]
    detail: str


class Problem(_Document):
    """Problem details, RFC 9457."""

    type: Annotated[
        str, Field(description="leads to a page that explains it", examples=["/problems/forbidden"])
    ]
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]
    request_id: str
