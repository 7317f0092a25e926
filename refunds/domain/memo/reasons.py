"""Why a shop refuses a credit memo: one class a reason, found again in the shop's own words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Reason(StrEnum):
    """The classes of refusal that both shops know, whatever words they use."""

    ORDER_UNKNOWN = "order_unknown"
    CANNOT_BE_CREATED = "cannot_be_created"
    """The state of the order, or nothing is left of what was paid."""
    INVOICE_CANNOT_BE_CREDITED = "invoice_cannot_be_credited"
    STORE_CREDIT_OF_GUEST = "store_credit_of_guest"
    OVER_PAID = "over_paid"
    """More than was paid and not refunded yet."""
    OVER_SHIPPING = "over_shipping"
    NO_SHIPPING = "no_shipping"
    QUANTITY = "quantity"
    FOREIGN_ITEM = "foreign_item"
    NO_PRODUCTS = "no_products"
    NOT_POSITIVE = "not_positive"
    INVALID_INPUT = "invalid_input"
    CRASH = "crash"
    """The shop fails with HTTP 500 and saves nothing."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal: its classes in the order of the shop's lines, and the shop's own words."""

    reasons: tuple[Reason, ...]
    message: str


_WORDS: Final = (
    (
        Reason.ORDER_UNKNOWN,
        r"order does not exist|order not exists|requested order not|entity doesn't exist|No such entity",
    ),
    (Reason.INVOICE_CANNOT_BE_CREDITED, r"creditmemo for the invoice"),
    (
        Reason.CANNOT_BE_CREATED,
        r"(?:for requested order|creditmemo) can not be created|not allow a creditmemo|memo for the order",
    ),
    (Reason.STORE_CREDIT_OF_GUEST, r"store credit"),
    (Reason.OVER_PAID, r"Maximum amount available to refund|most money available to refund"),
    (Reason.OVER_SHIPPING, r"Maximum shipping amount allowed"),
    (Reason.NO_SHIPPING, r"can not refund shipping if there is no shipping"),
    (Reason.QUANTITY, r"[Ii]nvalid q(?:uanti)?ty to refund|[Qq]uantity to (?:refund|creditmemo) must not be"),
    (Reason.FOREIGN_ITEM, r"not part of the (?:original order|current creditmemo)|incorrect product items"),
    (Reason.NO_PRODUCTS, r"creditmemo without products"),
    (Reason.NOT_POSITIVE, r"total must be positive"),
    (Reason.INVALID_INPUT, r"Invalid type for value|ID required"),
)
_HEADING: Final = "Creditmemo Document Validation Error(s):"
_FAULTS: Final[Mapping[int, Reason]] = {
    103: Reason.ORDER_UNKNOWN,
    105: Reason.STORE_CREDIT_OF_GUEST,
    106: Reason.CANNOT_BE_CREATED,
}
"""Fault codes of Magento 1 that mean one thing; 1 and 102 carry whatever the text says."""
_SERVER_ERROR: Final = 500


def recorded_reasons(result: Mapping[str, Any]) -> tuple[Reason, ...]:
    """The classes of a refusal that a shop answered, over XML-RPC or REST."""
    if result.get("http_status") == _SERVER_ERROR:
        return (Reason.CRASH,)
    fault = result.get("fault_code")
    if isinstance(fault, int) and fault in _FAULTS:
        return (_FAULTS[fault],)
    error = result.get("error")
    message = error.get("message") if isinstance(error, Mapping) else error
    return reasons_of(str(message or result.get("fault_string") or ""))


def reasons_of(message: str) -> tuple[Reason, ...]:
    """The class of every line of a shop's message, each once."""
    lines = [line for line in message.split("\n") if line and line != _HEADING]
    return tuple(dict.fromkeys(_reason(line) for line in lines)) or (Reason.OTHER,)


def joined(lines: list[str]) -> str:
    """Several complaints as Magento 2 answers them: one message, a line each."""
    return "\n".join([_HEADING, *lines])


def _reason(line: str) -> Reason:
    return next((reason for reason, words in _WORDS if re.search(words, line)), Reason.OTHER)
