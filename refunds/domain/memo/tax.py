"""The tax collector: tax and discount tax compensation of items and shipping, never more than is left.

Magento, `Order/Creditmemo/Total/Tax.php`. Compensation is the tax inside a discount on prices with tax,
which is given back beside the tax; Magento 1 calls it hidden tax.
"""

from dataclasses import dataclass

from refunds.domain.memo import php
from refunds.domain.memo.draft import REGULAR, Draft, Item, line_sums
from refunds.domain.memo.order import InvoiceSums, OrderSums, Side


@dataclass(slots=True)
class _Collected:
    tax: float = 0.0
    compensation: float = 0.0
    shipping_tax: float = 0.0


def collect_tax(draft: Draft) -> None:
    """Add tax and compensation to the memo; tax that it holds (fixed product tax) counts for the cap."""
    collected = {side: _Collected() for side in Side}
    for item in draft.priced():
        _collect_item(draft, item, collected)
    if draft.invoice is not None:
        partial = _collect_shipping_of_invoice(draft, collected)
    else:
        partial = _collect_shipping_of_order(draft, collected)
    takes_rest = draft.rules.is_magento_2 and not partial and draft.is_last
    for side, sums, order in draft.sides():
        found = collected[side]
        most_tax = _most_tax(draft, order, side)
        most_compensation = _most_compensation(order)
        tax = most_tax if takes_rest else min(most_tax, found.tax)
        compensation = most_compensation if takes_rest else min(most_compensation, found.compensation)
        sums.tax += tax
        sums.compensation = compensation
        sums.shipping_tax = found.shipping_tax
        sums.grand = sums.grand + tax + compensation


def _collect_item(draft: Draft, item: Item, collected: dict[Side, _Collected]) -> None:
    order_line = item.line.sums[Side.ORDER]
    if draft.rules.is_magento_2:
        if item.qty <= 0 or not item.line.qty_invoiced:
            return
    elif order_line.tax_invoiced is None and order_line.compensation_invoiced is None:
        return
    for side, sums, line in line_sums(item):
        tax = (line.tax_invoiced or 0.0) - line.tax_refunded
        compensation = (line.compensation_invoiced or 0.0) - line.compensation_refunded
        if not item.is_last:
            tax = draft.remainders.round(item.share(tax, item.reckoned), REGULAR[side])
            compensation = draft.remainders.round(item.share(compensation, item.reckoned), REGULAR[side])
        sums.tax, sums.compensation = tax, compensation
        collected[side].tax += tax
        collected[side].compensation += compensation


def _collect_shipping_of_invoice(draft: Draft, collected: dict[Side, _Collected]) -> bool:
    """The shipping's part of an invoice's tax; whether only a part of the shipping is given back."""
    assert draft.invoice is not None  # noqa: S101 - the caller's branch
    whole, given = draft.order.sums[Side.BASE].shipping, draft.sums[Side.BASE].shipping
    if not whole or (not draft.rules.is_magento_2 and not given):
        return False
    factor = given / whole
    for side in Side:
        invoice, found = draft.invoice.sums[side], collected[side]
        kind = REGULAR[side]
        found.compensation += invoice.shipping_compensation * factor
        found.shipping_tax = draft.remainders.round(invoice.shipping_tax * factor, kind)
        found.compensation = draft.remainders.round(found.compensation, kind)
        if not draft.rules.is_magento_2:
            draft.remainders.round(invoice.shipping_compensation * factor, kind)
        found.tax += found.shipping_tax
    in_order = draft.invoice.sums[Side.ORDER]
    return (factor < 1 and in_order.shipping_tax > 0) or _is_paid_by_discount(draft)


def _collect_shipping_of_order(draft: Draft, collected: dict[Side, _Collected]) -> bool:
    """The shipping's part of the order's tax; whether only a part of the shipping is given back."""
    base = draft.order.sums[Side.BASE]
    given = draft.sums[Side.BASE].shipping
    left = base.shipping - base.shipping_refunded
    by_display = draft.settings.shipping_with_tax and draft.settings.tax_after_discount
    partial = False
    if left > given or (draft.rules.incl_tax_discount and by_display and base.shipping):
        for side, sums, order in draft.sides():
            part = php.divided(sums.shipping, order.shipping)
            found, kind = collected[side], REGULAR[side]
            found.shipping_tax = draft.remainders.round(order.shipping_tax * part, kind)
            compensation = draft.remainders.round(order.shipping_compensation * part, kind)
            found.tax += found.shipping_tax
            found.compensation += compensation
            if side is Side.ORDER and part < 1:
                partial = order.shipping_tax > 0 or _is_paid_by_discount(draft)
    elif left == given:
        for side, _, order in draft.sides():
            found = collected[side]
            found.shipping_tax = order.shipping_tax - order.shipping_tax_refunded
            found.tax += found.shipping_tax
            found.compensation += order.shipping_compensation - order.shipping_compensation_refunded
    return partial


def _is_paid_by_discount(draft: Draft) -> bool:
    order = draft.order.sums[Side.ORDER]
    return draft.rules.free_shipping_is_partial and order.shipping_discount >= order.shipping


def _most_tax(draft: Draft, order: OrderSums, side: Side) -> float:
    held = draft.sums[side].tax
    most = order.tax_invoiced - order.tax_refunded - held
    if draft.invoice is None or not draft.rules.is_magento_2:
        return most
    invoice: InvoiceSums = draft.invoice.sums[side]
    return min(most, invoice.tax - invoice.tax_of_memos - held)


def _most_compensation(order: OrderSums) -> float:
    return (
        order.compensation_invoiced
        + order.shipping_compensation
        - order.compensation_refunded
        - order.shipping_compensation_refunded
    )
