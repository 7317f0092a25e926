"""What services ask for: the forms of a refund request and of a payment, checked field by field.

One form for every entrance (design.md 9). Numbers are never floats, unknown fields are refused, and so is
card data, a key or a token in whatever field (PCI DSS 4.0.1, 3.3.1 and 3.5.1).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from refunds.domain.money import MAX_MINOR, MoneyError, exponent
from refunds.domain.redaction import forbidden
from refunds.flow.refusal import Cause, FieldError, Refusal

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BROKEN = re.compile(r"[\x00\ud800-\udfff]")


def _line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must be one line without control characters")
    if value != value.strip():
        raise ValueError("must not begin or end with a blank")
    return value


def _text(value: str) -> str:
    if _BROKEN.search(value):
        raise ValueError("must be text without NUL or broken characters")
    return value


def _currency(value: str) -> str:
    try:
        exponent(value)
    except MoneyError as error:
        raise ValueError(str(error)) from None
    return value


def _address(value: str) -> str:
    # No option of the library lets .local, .test or localhost pass: under a domain that means nothing to it,
    # every name is judged by its syntax alone. What is kept is ASCII, as allowed domains and headers are.
    try:
        judged = validate_email(f"{value}.x", check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise ValueError("must be one plain mail address: ASCII before the @, a host name after it") from None
    return f"{judged.local_part}@{judged.ascii_domain.removesuffix('.x')}"


def _in_our_time(value: datetime) -> datetime:
    if not 1970 <= value.year < 3000:  # noqa: PLR2004 - what both databases keep in every zone
        raise ValueError("must lie between 1970 and 2999")
    return value


def _instant(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Text = Annotated[str, Field(max_length=500), AfterValidator(_text)]
Decimals = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,6})?$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$"), AfterValidator(_currency)]
MinorUnits = Annotated[int, Field(gt=0, le=MAX_MINOR)]
Quantity = Annotated[int, Field(gt=0, le=1_000_000)]
Address = Annotated[str, Field(max_length=320), AfterValidator(_address)]
Metadata = Annotated[dict[Line, Text], Field(max_length=50)]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant), AfterValidator(_in_our_time)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Item(_Form):
    """One line of what is given back."""

    sku: Line | None = None
    order_item_id: Line | None = None
    quantity: Quantity = 1
    amount: Decimals | None = None
    unit_price: Decimals | None = None
    description: Text | None = None

    @model_validator(mode="after")
    def _named_and_priced_once(self) -> "Item":
        if self.sku is None and self.order_item_id is None:
            raise ValueError("an item needs a sku or an order_item_id")
        if self.amount is not None and self.unit_price is not None:
            raise ValueError("an item takes an amount or a unit_price, not both")
        return self


class PaymentForm(_Form):
    """A payment: money taken earlier."""

    order_id: Line
    transaction_id: Line
    captured_amount: Decimals = "0"
    currency: Currency
    account: Line = "default"
    gateway: Name | None = None
    captured_at: Instant | None = None
    method: Annotated[Line, Field(max_length=64)] | None = None
    status: Literal["captured", "authorized"] = "captured"
    authorized_amount: Decimals | None = None
    refunded_before: Decimals = "0"
    items: Annotated[list[Item], Field(max_length=2000)] | None = None
    metadata: Metadata | None = None


class RefundForm(_Form):
    """A refund request."""

    order_id: Line | None = None
    transaction_id: Line | None = None
    amount: Decimals | None = None
    amount_minor: MinorUnits | None = None
    currency: Currency | None = None
    account: Line = "default"
    gateway: Name | None = None
    mode: Literal["online", "offline"] = "online"
    reason: Text | None = None
    items: Annotated[list[Item], Field(min_length=1, max_length=2000)] | None = None
    shipping_amount: Decimals | None = None
    adjustment_positive: Decimals | None = None
    adjustment_negative: Decimals | None = None
    return_to_stock: bool = False
    cancel_order: bool = False
    notify_customer: bool = False
    notify: Annotated[list[Address], Field(max_length=20)] = []
    refundable_seen: Decimals | None = None
    callback_url: Line | None = None
    metadata: Metadata | None = None
    payment: PaymentForm | None = None

    @model_validator(mode="after")
    def _names_a_payment(self) -> "RefundForm":
        if self.order_id is None and self.transaction_id is None and self.payment is None:
            raise ValueError("order_id or transaction_id is needed")
        return self


FormT = TypeVar("FormT", bound=_Form)


def read(form: type[FormT], document: Any) -> FormT | Refusal:
    """The form filled from a JSON document, or a refusal that names every field that is wrong."""
    if not isinstance(document, Mapping):
        return Refusal.of(Cause.INVALID, "", "the request must be a JSON object")
    if held := not_kept(document):
        return _refused(held)
    try:
        return form.model_validate(dict(document))
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        return _refused([_field_error(entry) for entry in entries])
    except (UnicodeError, RecursionError):
        return Refusal.of(Cause.INVALID, "", "the request holds text that cannot be read")


def not_kept(document: Any) -> list[FieldError]:
    """The fields that hold what must not be kept: card data, keys, tokens. Their text is not repeated."""
    return [
        FieldError(pointer, f"holds {what}: moneyback keeps none, leave it out")
        for pointer, what in forbidden(document, most=20)
    ]


def _refused(errors: Sequence[FieldError]) -> Refusal:
    told = "; ".join(f"{found.pointer} {found.detail}".strip() for found in errors[:3])
    return Refusal(Cause.INVALID, told + ("; …" if len(errors) > 3 else ""), tuple(errors))  # noqa: PLR2004


def _field_error(entry: Any) -> FieldError:
    path = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')[:100]}" for part in entry["loc"])
    detail = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        detail = "this field is not known"
    return FieldError(path, detail)
