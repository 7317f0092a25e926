"""A refusal: a request that was not taken, why, and which field is to blame. It changed nothing."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Cause(StrEnum):
    """Stable causes; each has a page in docs/problems.md and a place in the HTTP and exit codes."""

    INVALID = "invalid_request"
    KEY_REUSED = "idempotency_key_reused"
    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_AMBIGUOUS = "payment_ambiguous"
    PAYMENT_MISMATCH = "payment_mismatch"
    GATEWAY_UNKNOWN = "gateway_unknown"
    ACCOUNT_UNKNOWN = "account_unknown"
    CURRENCY_MISMATCH = "currency_mismatch"
    EXCEEDS_CAPTURED = "exceeds_captured"
    EXCEEDS_REMAINING = "exceeds_remaining"
    STALE_BALANCE = "stale_balance"
    NOT_SUPPORTED = "not_supported"
    NOT_VOIDABLE = "not_voidable"
    REFUND_UNKNOWN = "refund_unknown"
    WRONG_STATUS = "wrong_status"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `pointer` is a JSON pointer such as `/items/0/quantity`."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not taken. `repeated` marks the answer of a key that was refused before."""

    cause: Cause
    detail: str
    errors: tuple[FieldError, ...] = ()
    repeated: bool = False

    @classmethod
    def of(cls, cause: Cause, pointer: str, detail: str) -> "Refusal":
        """A refusal that blames one field."""
        return cls(cause, detail, (FieldError(pointer, detail),))

    def document(self) -> dict[str, Any]:
        """As kept in the intake log."""
        errors = [{"pointer": error.pointer, "detail": error.detail} for error in self.errors]
        return {"cause": self.cause, "detail": self.detail, "errors": errors}

    @classmethod
    def kept(cls, document: dict[str, Any]) -> "Refusal":
        """As read back from the intake log."""
        errors = tuple(FieldError(**error) for error in document["errors"])
        return cls(Cause(document["cause"]), document["detail"], errors, repeated=True)
