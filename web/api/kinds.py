"""Kinds of problems: one table for status, title and the page behind each `type` (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from refunds.flow.refusal import Cause


class Fault(StrEnum):
    """What can be wrong with a request before the flow has seen it, or with us. Stable, as Cause is."""

    MALFORMED_BODY = "malformed_body"
    KEY_MISSING = "idempotency_key_missing"
    KEY_INVALID = "idempotency_key_invalid"
    BAD_REQUEST = "bad_request"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_SLOW = "request_too_slow"
    BODY_TOO_LARGE = "body_too_large"
    MEDIA_TYPE = "media_type_not_supported"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal_error"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of problem is answered; `meaning` is its page."""

    status: int
    title: str
    meaning: str


_NOTHING_KEPT = "Nothing was kept, and the idempotency key is free."

KINDS: Mapping[Cause | Fault, Kind] = {
    Cause.INVALID: Kind(
        422,
        "The request is not valid",
        f"Every entry of `errors` names one field and what is wrong with it. {_NOTHING_KEPT}",
    ),
    Cause.KEY_REUSED: Kind(
        422,
        "The idempotency key stands for another request",
        "A key belongs to the first request that was accepted under it, for as long as its refund is kept. "
        "Send that same request again, or choose a new key for a new refund.",
    ),
    Cause.PAYMENT_UNKNOWN: Kind(
        404,
        "There is no such payment",
        "Register the payment first with POST /v1/payments, or send it along in the field `payment`. "
        + _NOTHING_KEPT,
    ),
    Cause.PAYMENT_AMBIGUOUS: Kind(
        422,
        "The request fits several payments",
        f"The order has more than one payment: name one by `transaction_id` and `gateway`. {_NOTHING_KEPT}",
    ),
    Cause.PAYMENT_MISMATCH: Kind(
        409,
        "The payment is known with other values",
        "Order, currency and sums of a registered payment do not change. What is kept stayed as it was.",
    ),
    Cause.GATEWAY_UNKNOWN: Kind(
        422,
        "There is no such gateway",
        f"Name a gateway that is configured here. {_NOTHING_KEPT}",
    ),
    Cause.ACCOUNT_UNKNOWN: Kind(
        422,
        "There is no such account",
        f"Leave `account` out to mean the account `default`. {_NOTHING_KEPT}",
    ),
    Cause.CURRENCY_MISMATCH: Kind(
        422,
        "The payment is in another currency",
        f"A refund is paid in the currency of its payment. {_NOTHING_KEPT}",
    ),
    Cause.EXCEEDS_CAPTURED: Kind(
        409,
        "More than was captured",
        f"A refund cannot be more than the payment took in. {_NOTHING_KEPT}",
    ),
    Cause.EXCEEDS_REMAINING: Kind(
        409,
        "More than is left",
        "Part of the payment is refunded already, or reserved for refunds under way. "
        f"GET /v1/payments shows what is refundable now. {_NOTHING_KEPT}",
    ),
    Cause.STALE_BALANCE: Kind(
        409,
        "The refundable balance has changed",
        f"`refundable_seen` no longer holds: look again before deciding. {_NOTHING_KEPT}",
    ),
    Cause.NOT_SUPPORTED: Kind(
        422,
        "The gateway cannot do this",
        f"What a gateway cannot do is refused, never left out in silence. {_NOTHING_KEPT}",
    ),
    Cause.NOT_VOIDABLE: Kind(
        409,
        "A void does not go together with this payment",
        f"It is captured already, or a void has taken all of it. {_NOTHING_KEPT}",
    ),
    Cause.REFUND_UNKNOWN: Kind(
        404,
        "There is no such refund",
        "The id is not one that POST /v1/refunds answered here.",
    ),
    Cause.WRONG_STATUS: Kind(
        409,
        "The refund's status does not allow this",
        "While money may be moving a refund is left alone; what is final stays. Read the refund again.",
    ),
    Fault.MALFORMED_BODY: Kind(
        400,
        "The body cannot be read",
        f"The body has to be one JSON object in UTF-8. {_NOTHING_KEPT}",
    ),
    Fault.KEY_MISSING: Kind(
        400,
        "The idempotency key is missing",
        "Send a header Idempotency-Key that is new for each refund and the same when you try again: "
        "then nothing is paid twice.",
    ),
    Fault.KEY_INVALID: Kind(
        400,
        "The idempotency key cannot be used",
        "One header Idempotency-Key, 1 to 255 printable ASCII characters, with or without quotes.",
    ),
    Fault.BAD_REQUEST: Kind(400, "The request cannot be understood", "It is not HTTP as it is served here."),
    Fault.UNAUTHENTICATED: Kind(
        401,
        "A token is needed",
        "Send `Authorization: Bearer TOKEN` with a token that `moneyback token create` made.",
    ),
    Fault.FORBIDDEN: Kind(
        403,
        "The token does not allow this",
        "The detail names the scope that is needed; `moneyback token create --scope` gives it.",
    ),
    Fault.NOT_FOUND: Kind(404, "There is nothing here", "The path leads nowhere; /openapi.json lists all."),
    Fault.METHOD_NOT_ALLOWED: Kind(
        405, "The method is not allowed here", "The header Allow names those that are."
    ),
    Fault.TOO_SLOW: Kind(408, "The body did not arrive in time", f"Send it again. {_NOTHING_KEPT}"),
    Fault.BODY_TOO_LARGE: Kind(413, "The body is too large", f"256 KiB is the limit. {_NOTHING_KEPT}"),
    Fault.MEDIA_TYPE: Kind(
        415,
        "The body has another type",
        f"Send application/json in UTF-8, not compressed. {_NOTHING_KEPT}",
    ),
    Fault.UNAVAILABLE: Kind(
        503,
        "Not available at the moment",
        "The database is away, or not migrated. Send the same request with the same idempotency key again "
        "after the time in Retry-After.",
    ),
    Fault.INTERNAL: Kind(
        500,
        "Something went wrong here",
        "It is our defect, and it is logged under the request id. Whether the request was taken is not "
        "certain: send it again with the same idempotency key.",
    ),
}
"""Every cause and fault; a test sees to it that none is missing."""


def page(fault: Cause | Fault) -> str:
    """The page behind a `type`: plain text."""
    kind = KINDS[fault]
    return f"{kind.title}\n\n{kind.meaning}\n\ncause: {fault}\nstatus: {kind.status}\n"


def named(name: str) -> Cause | Fault | None:
    """The cause or fault of this name, or None."""
    return next((fault for fault in KINDS if fault == name), None)


def of_status(status: int) -> Fault:
    """The fault that stands for an HTTP status where nothing closer is known."""
    if status >= 500:  # noqa: PLR2004 the server's own
        return Fault.INTERNAL
    return next((fault for fault in Fault if KINDS[fault].status == status), Fault.BAD_REQUEST)
