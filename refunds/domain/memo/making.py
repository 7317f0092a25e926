"""Makes a memo as a shop does: which items come in, what they sum up to, what the shop refuses."""

from refunds.domain.memo import php
from refunds.domain.memo.asked import Asked
from refunds.domain.memo.collectors import NoShippingError, ShippingError, collect
from refunds.domain.memo.draft import Draft, Item, TooManyError
from refunds.domain.memo.order import Invoice, Line, Order, Side
from refunds.domain.memo.reasons import Reason, Refused
from refunds.domain.memo.refusing import complaints_of_magento_2, may_be_credited, over_paid_of_magento_1
from refunds.domain.memo.rules import Rules, Settings
from refunds.domain.memo.wording import in_base

STORE_CREDIT_OF_GUEST = "Money can not be refunded to the store credit account as order was created by guest"
CANNOT_BE_CREATED = "Credit memo for requested order can not be created."
CRASHED = "the shop fails here with HTTP 500 and saves nothing"


def make(
    *,
    order: Order,
    asked: Asked,
    rules: Rules,
    settings: Settings,
    invoice: Invoice | None = None,
    invoice_allows: bool = True,
    to_store_credit: bool = False,
) -> Draft | Refused:
    """The memo that the shop would make of this order, or its refusal.

    Checks come in the shop's own order, so that of two reasons the shop's first is told. `invoice_allows` is
    false for an invoice that Magento 2 credits by no means, such as one paid offline. `to_store_credit` is
    Magento 1's: money to the customer's credit there, which guests do not have.
    """
    if not rules.is_magento_2 and not may_be_credited(order):
        return Refused((Reason.CANNOT_BE_CREATED,), CANNOT_BE_CREATED)
    try:
        draft = _drawn_up(order, asked, rules, settings, invoice)
        collect(draft)
    except TooManyError as error:
        return Refused((Reason.QUANTITY,), _too_many(error.args[0], rules))
    except ShippingError as error:
        most = in_base(order, error.most)
        return Refused((Reason.OVER_SHIPPING,), f"Maximum shipping amount allowed to refund is: {most}")
    except NoShippingError:
        words = "You can not refund shipping if there is no shipping amount."
        return Refused((Reason.NO_SHIPPING,), words)
    except php.ShopCrashError as error:
        return crashed(error)
    if rules.is_magento_2:
        return complaints_of_magento_2(draft, asked, invoice_allows=invoice_allows) or draft
    if to_store_credit and order.of_guest:
        return Refused((Reason.STORE_CREDIT_OF_GUEST,), STORE_CREDIT_OF_GUEST)
    return over_paid_of_magento_1(draft) or draft


def crashed(error: php.ShopCrashError) -> Refused:
    """The refusal that a crash of the shop means."""
    return Refused((Reason.CRASH,), f"{CRASHED}: {error}")


def _drawn_up(order: Order, asked: Asked, rules: Rules, settings: Settings, invoice: Invoice | None) -> Draft:
    items = [
        Item(line=line, qty=qty, rules=rules)
        for line in order.lines
        if (qty := _quantity(line, asked, rules, invoice)) is not None
    ]
    for item in items:
        item.pieces  # noqa: B018 - the shop refuses a quantity before it sums anything up
    draft = Draft(rules=rules, settings=settings, order=order, items=items, invoice=invoice)
    draft.shipping_asked = asked.shipping
    if invoice is not None and asked.shipping is None:
        draft.shipping_asked = _shipping_of_invoice(order, settings, invoice)
    _adjust(draft, asked)
    return draft


def _quantity(line: Line, asked: Asked, rules: Rules, invoice: Invoice | None) -> float | None:
    """How much of a line comes into the memo; None where the line stays out of it."""
    limit = None if invoice is None else invoice.limit(line.line)
    if invoice is not None and (limit is None or limit <= 0):
        return None
    if line.is_dummy:
        return _quantity_of_dummy(line, asked)
    if line.line in asked.qtys:
        qty = asked.qtys[line.line]
    elif not asked.names_items:
        qty = line.qty_to_refund
    elif rules.absent_is_zero:
        qty = 0.0
    else:
        return None
    return qty if limit is None else min(qty, limit)


def _quantity_of_dummy(line: Line, asked: Asked) -> float | None:
    """A dummy comes along as one piece where the lines that carry its price come in."""
    if not asked.names_items:
        return 1.0
    carriers = line.children or (() if line.parent is None else (line.parent,))
    return 1.0 if any(asked.qtys.get(carrier, 0.0) > 0 for carrier in carriers) else None


def _shipping_of_invoice(order: Order, settings: Settings, invoice: Invoice) -> float:
    base = order.sums[Side.BASE]
    if settings.shipping_with_tax:
        return (base.shipping_incl_tax or 0.0) - base.shipping_refunded - base.shipping_tax_refunded
    return min(base.shipping - base.shipping_refunded, invoice.sums[Side.BASE].shipping)


def _adjust(draft: Draft, asked: Asked) -> None:
    """Adjustments in base currency are rounded, then converted and rounded again."""
    base, order = draft.sums[Side.BASE], draft.sums[Side.ORDER]
    rate = draft.order.base_to_order_rate
    if asked.adjustment_positive is not None:
        base.adjustment_positive = php.rounded(php.number(php.text(asked.adjustment_positive)))
        order.adjustment_positive = php.rounded(base.adjustment_positive * rate)
    if asked.adjustment_negative is not None:
        base.adjustment_negative = php.rounded(php.number(php.text(asked.adjustment_negative)))
        order.adjustment_negative = php.rounded(base.adjustment_negative * rate)


def _too_many(name: str, rules: Rules) -> str:
    if rules.is_magento_2:
        return f'We found an invalid quantity to refund item "{name}".'
    return f'Invalid qty to refund item "{name}"'
