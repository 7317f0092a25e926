"""What clients send: money requests, and payments that are put into the sandbox."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from refunds.sandbox.script import Script

MAX_MINOR = 10**15
"""Largest amount taken, in minor units; also what an open payment counts as captured."""

AmountMinor = Annotated[int, Field(gt=0, le=MAX_MINOR)]
_HeldMinor = Annotated[int, Field(ge=0, le=MAX_MINOR)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MoneyRequest(_Message):
    """Body of a refund or a void."""

    amount_minor: AmountMinor
    currency: _Currency
    reference: _Name
    order_id: _Name
    reason: Annotated[str, Field(max_length=1000)] | None = None


class MoneyOrder(_Message):
    """A money request with all that decides whether a repeat is the same request."""

    kind: Literal["refund", "void"]
    transaction_id: _Name
    key: str | None
    request: MoneyRequest

    @property
    def fingerprint(self) -> str:
        """Equal for two orders exactly if they ask for the same."""
        return json.dumps([self.kind, self.transaction_id, *self.request.model_dump().values()])


class Options(_Message):
    """What the platform can do for one payment; the defaults are those of a platform with everything."""

    keys: bool = True
    look_up: bool = True
    key_life_seconds: Annotated[float, Field(gt=0, le=366 * 86_400)] = 86_400
    duplicate_filter_seconds: Annotated[float, Field(ge=0, le=366 * 86_400)] = 0


class PaymentEntry(_Message):
    """A payment put into the sandbox; a script or options left out leave those already there."""

    transaction_id: _Name
    currency: _Currency
    captured_minor: _HeldMinor
    authorized_minor: _HeldMinor = 0
    refunded_before_minor: _HeldMinor = 0
    script: Script | None = None
    options: Options | None = None


class Dispute(_Message):
    """Whether the payment is disputed."""

    disputed: bool


class PortalRefund(_Message):
    """A refund made by hand in the platform's portal."""

    amount_minor: AmountMinor


class ClockOffset(_Message):
    """How far the sandbox's clock is ahead of the machine's."""

    offset_seconds: Annotated[float, Field(ge=-10 * 366 * 86_400, le=10 * 366 * 86_400, allow_inf_nan=False)]


class Latency(_Message):
    """Real milliseconds every money and look-up request waits before it is taken."""

    ms: Annotated[int, Field(ge=0, le=600_000)]


PAYMENT_ENTRIES = TypeAdapter(Annotated[list[PaymentEntry], Field(max_length=20_000)])
"""Reads the list that puts payments into the sandbox."""
