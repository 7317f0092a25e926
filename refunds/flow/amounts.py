"""How much a request asks for: explicit, from its items, or everything that is refundable now."""

from decimal import Decimal

from refunds.domain.balance import Shortfall
from refunds.domain.money import (
    Money,
    MoneyError,
    decimal_text,
    minor_units,
    minor_units_or_zero,
    rounded_minor,
)
from refunds.domain.status import Kind
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.request import Item, RefundForm
from refunds.store.payments import Payment

_SHORT = {
    Shortfall.EXCEEDS_CAPTURED: Cause.EXCEEDS_CAPTURED,
    Shortfall.EXCEEDS_REMAINING: Cause.EXCEEDS_REMAINING,
}


def amount_asked(form: RefundForm, payment: Payment, *, kind: Kind) -> int | Refusal:
    """Minor units to reserve, or why they cannot be: the balance as it is under the payment's lock."""
    if form.currency is not None and form.currency != payment.currency:
        detail = f"the payment is in {payment.currency}"
        return Refusal.of(Cause.CURRENCY_MISMATCH, "/currency", detail)
    try:
        stated = _stated(form, payment.currency)
        of_parts = _of_parts(form, payment.currency) if stated is None or form.items else None
    except MoneyError as error:
        return Refusal.of(Cause.INVALID, "/amount", str(error))
    if isinstance(stated, Refusal):
        return stated
    if stated is not None and of_parts is not None and stated != of_parts:
        detail = f"the items add up to {Money(of_parts, payment.currency)}"
        return Refusal.of(Cause.INVALID, "/amount", detail)
    wrong = _not_bought(form, payment) or _stale(form, payment)
    if wrong is not None:
        return wrong
    amount = stated if stated is not None else of_parts
    if kind is Kind.VOID:
        return _void(amount, payment)
    if amount is None and form.items:  # some lines are not everything
        return Refusal.of(Cause.INVALID, "/amount", "is needed where an item has no price")
    return _refund(amount, payment)


def _stated(form: RefundForm, currency: str) -> int | Refusal | None:
    if form.amount is None:
        return form.amount_minor
    minor = minor_units(form.amount, currency)
    if form.amount_minor is not None and form.amount_minor != minor:
        return Refusal.of(Cause.INVALID, "/amount_minor", "does not agree with amount")
    return minor


def _of_parts(form: RefundForm, currency: str) -> int | None:
    """The sum of items, shipping and adjustments; None where none is named, or an item has no price."""
    if not form.items and not (form.shipping_amount or form.adjustment_positive or form.adjustment_negative):
        return None
    total = Decimal(form.shipping_amount or 0) + Decimal(form.adjustment_positive or 0)
    total -= Decimal(form.adjustment_negative or 0)
    for item in form.items or ():
        if item.amount is not None:
            total += Decimal(item.amount)
        elif item.unit_price is not None:
            total += Decimal(item.unit_price) * item.quantity
        else:
            return None
    if total <= 0:
        raise MoneyError("the items and adjustments add up to nothing")
    return rounded_minor(total, currency)


def _not_bought(form: RefundForm, payment: Payment) -> Refusal | None:
    if not form.items or not payment.items:
        return None
    bought: dict[str, int] = {}
    for line in payment.items:
        for name in _names(Item(**line)):
            bought[name] = bought.get(name, 0) + line.get("quantity", 1)
    asked: dict[str, int] = {}
    for index, item in enumerate(form.items):
        for name in _names(item):
            if name not in bought:
                return Refusal.of(Cause.INVALID, f"/items/{index}", "the order has no such item")
            asked[name] = asked.get(name, 0) + item.quantity
            if asked[name] > bought[name]:
                detail = f"the order has {bought[name]} of it"
                return Refusal.of(Cause.INVALID, f"/items/{index}/quantity", detail)
    return None


def _names(item: Item) -> tuple[str, ...]:
    if item.order_item_id is not None:
        return (f"id:{item.order_item_id}",)
    return (f"sku:{item.sku}",)


def _stale(form: RefundForm, payment: Payment) -> Refusal | None:
    if form.refundable_seen is None:
        return None
    try:
        seen = minor_units_or_zero(form.refundable_seen, payment.currency)
    except MoneyError as error:
        return Refusal.of(Cause.INVALID, "/refundable_seen", str(error))
    if seen == payment.balance.refundable_minor:
        return None
    refundable = decimal_text(payment.balance.refundable_minor, payment.currency)
    return Refusal.of(Cause.STALE_BALANCE, "/refundable_seen", f"{refundable} is refundable now")


def _void(amount: int | None, payment: Payment) -> int | Refusal:
    """A void takes the whole authorised payment; an amount given may not be more than that."""
    if payment.balance.captured_minor or not payment.authorized_minor:
        detail = "the payment is captured: ask for a refund"
        return Refusal.of(Cause.NOT_VOIDABLE, "/transaction_id", detail)
    if amount is not None and amount > payment.authorized_minor:
        authorized = Money(payment.authorized_minor, payment.currency)
        return Refusal.of(Cause.EXCEEDS_CAPTURED, "/amount", f"{authorized} was authorized")
    return payment.authorized_minor


def _refund(amount: int | None, payment: Payment) -> int | Refusal:
    balance, currency = payment.balance, payment.currency
    asked = balance.refundable_minor if amount is None else amount
    if asked == 0:
        return Refusal.of(Cause.EXCEEDS_REMAINING, "/amount", "nothing is refundable now")
    short = balance.shortfall(asked)
    if short is None:
        return asked
    left = Money(balance.refundable_minor, currency)
    captured = Money(balance.captured_minor, currency)
    detail = f"{Money(asked, currency)} asked, {left} of {captured} is refundable now"
    return Refusal.of(_SHORT[short], "/amount", detail)
