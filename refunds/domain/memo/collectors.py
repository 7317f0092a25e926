"""The collectors of a memo's sums, in the shops' order: subtotal, discount, shipping, tax, adjustments.

Magento, `Order/Creditmemo/Total/{Subtotal,Discount,Shipping,Tax,Grand}.php`; each changes the grand total of
both currencies. The order of additions and multiplications is the shops': in doubles it decides the last
cent.
"""

from refunds.domain.memo import php
from refunds.domain.memo.draft import INCLUDING, REGULAR, Draft, Item, line_sums
from refunds.domain.memo.order import Side
from refunds.domain.memo.tax import collect_tax

_TOLERANCE = 0.0001


class ShippingError(Exception):
    """More shipping is asked for than is left; holds the most in base currency."""

    def __init__(self, most: float) -> None:
        super().__init__(most)
        self.most = most


class NoShippingError(Exception):
    """Shipping is asked for of an order that had none (Magento 2)."""


def collect(draft: Draft) -> None:
    """Fill in every sum of the memo.

    Raises ShippingError, NoShippingError, draft.TooManyError for what the shop refuses, php.ShopCrashError
    for what it dies of.
    """
    collect_subtotal(draft)
    collect_discount(draft)
    collect_shipping(draft)
    collect_tax(draft)
    collect_adjustments(draft)


def collect_subtotal(draft: Draft) -> None:
    """Row totals: what is left of the row, or its share."""
    for item in draft.priced():
        _row(draft, item)
    for side, sums, _ in draft.sides():
        for item in draft.priced():
            sums.subtotal += item.sums[side].row
            sums.subtotal_incl_tax += item.sums[side].row_incl_tax or 0.0
        sums.grand += sums.subtotal


def _row(draft: Draft, item: Item) -> None:
    shared = not item.is_last
    if draft.rules.is_magento_2 and item.line.qty_invoiced <= 0:
        shared = False
    has_incl_tax = all(item.line.sums[side].row_incl_tax is not None for side in Side)
    for side, item_sums, line in line_sums(item):
        row = line.row_invoiced - line.amount_refunded
        if shared:
            row = draft.remainders.round(item.share(row, item.pieces), REGULAR[side])
        item_sums.row = row
        if has_incl_tax:
            per_piece = php.divided(line.row_incl_tax or 0.0, item.line.qty_ordered)
            item_sums.row_incl_tax = draft.remainders.round(per_piece * item.pieces, INCLUDING[side])


def collect_discount(draft: Draft) -> None:
    """Discounts of the items, and of shipping by the part asked for, which is never rounded.

    A memo that names no shipping gives back all of it without its discount: both shops do.
    """
    totals = _shipping_discount(draft)
    for item in draft.priced():
        if not item.line.sums[Side.ORDER].discount_invoiced:
            continue
        for side, item_sums, line in line_sums(item):
            discount = line.discount_invoiced - line.discount_refunded
            if not item.is_last:
                share = item.share(discount, item.reckoned)
                discount = draft.remainders.round(share, REGULAR[side], negative=True)
            item_sums.discount = discount
            totals[side] += discount
    for side, sums, _ in draft.sides():
        sums.discount = totals[side]
        sums.grand -= totals[side]


def _shipping_discount(draft: Draft) -> dict[Side, float]:
    asked = draft.shipping_asked
    if not asked:
        return dict.fromkeys(Side, 0.0)
    order, base = draft.order.sums[Side.ORDER], draft.order.sums[Side.BASE]
    if draft.rules.is_magento_2 and base.shipping <= 0:
        raise NoShippingError
    whole = base.shipping
    if draft.rules.incl_tax_discount and draft.settings.shipping_with_tax:
        whole = base.shipping_incl_tax or 0.0
    in_base = php.divided(asked * base.shipping_discount, whole)
    return {Side.ORDER: php.divided(order.shipping * in_base, base.shipping), Side.BASE: in_base}


def collect_shipping(draft: Draft) -> None:
    """Shipping without tax: all that is left, or what was asked for in base currency."""
    if draft.shipping_asked is None:
        _shipping_left(draft)
    elif draft.rules.is_magento_2:
        _shipping_of_magento_2(draft, php.rounded(draft.shipping_asked))
    else:
        _shipping_of_magento_1(draft, php.rounded(draft.shipping_asked))
    for _, sums, _ in draft.sides():
        sums.grand += sums.shipping


def _shipping_left(draft: Draft) -> None:
    had_shipping = draft.order.sums[Side.BASE].shipping != 0
    for side, sums, order in draft.sides():
        sums.shipping = order.shipping - order.shipping_refunded
        if draft.rules.is_magento_2:
            sums.shipping_incl_tax = php.rounded(_left_incl_tax(draft, side))
        elif had_shipping:
            left_tax = order.shipping_tax - order.shipping_tax_refunded
            sums.shipping_incl_tax = php.rounded(sums.shipping + left_tax)
        else:
            sums.shipping_incl_tax = order.shipping_incl_tax


def _left_incl_tax(draft: Draft, side: Side) -> float:
    order = draft.order.sums[side]
    by_display = draft.settings.shipping_with_tax and draft.settings.tax_after_discount
    if draft.rules.incl_tax_discount and by_display:
        return (order.shipping_incl_tax or 0.0) - order.shipping_incl_tax_of_memos
    if side is Side.ORDER or not draft.rules.incl_tax_from_order:
        return (order.shipping - order.shipping_refunded) + (order.shipping_tax - order.shipping_tax_refunded)
    left = (order.shipping_incl_tax or 0.0) - order.shipping_refunded - order.shipping_tax_refunded
    return max(left, 0.0)


def _shipping_of_magento_1(draft: Draft, wanted: float) -> None:
    base = draft.order.sums[Side.BASE]
    with_tax = {side: order.shipping_incl_tax for side, _, order in draft.sides()}
    if draft.settings.shipping_with_tax and base.shipping_incl_tax:
        part = wanted / base.shipping_incl_tax
        with_tax = {Side.ORDER: php.rounded((with_tax[Side.ORDER] or 0.0) * part), Side.BASE: wanted}
        wanted = php.rounded(base.shipping * part)
    most = base.shipping - base.shipping_refunded
    if not wanted < php.rounded(most) + _TOLERANCE:
        raise ShippingError(most)
    takes_all = wanted > most - _TOLERANCE
    for side, sums, order in draft.sides():
        sums.shipping_incl_tax = with_tax[side]
        if takes_all:
            sums.shipping = order.shipping - order.shipping_refunded
        elif side is Side.BASE:
            sums.shipping = wanted
        else:
            shipping = order.shipping * wanted / base.shipping if base.shipping else order.shipping
            sums.shipping = php.rounded(shipping)


def _shipping_of_magento_2(draft: Draft, wanted: float) -> None:
    base = draft.order.sums[Side.BASE]
    if draft.settings.shipping_with_tax:
        most, whole = _left_incl_tax(draft, Side.BASE), base.shipping_incl_tax or 0.0
    else:
        most, whole = base.shipping - base.shipping_refunded, base.shipping
    if not wanted < php.rounded(most) + _TOLERANCE:
        raise ShippingError(most)
    ratio = wanted / whole if whole > 0 else 0.0
    takes_all = wanted > most - _TOLERANCE
    for _, sums, order in draft.sides():
        if takes_all:
            sums.shipping = order.shipping - order.shipping_refunded
        else:
            sums.shipping = php.rounded(order.shipping * ratio)
        sums.shipping_incl_tax = php.rounded((order.shipping_incl_tax or 0.0) * ratio)


def collect_adjustments(draft: Draft) -> None:
    """Adjustments go into the grand total as they are: they carry no tax and belong to no item."""
    for _, sums, _ in draft.sides():
        sums.grand += sums.adjustment_positive or 0.0
        sums.grand -= sums.adjustment_negative or 0.0
