"""The checks of a memo: may this order be credited at all, and is the memo within what was paid.

Magento 1: `Order::canCreditmemo`, `Creditmemo::refund`. Magento 2: `Validation/CanRefund`,
`QuantityValidator`, `TotalsValidator`, `Item/Validation/CreationQuantityValidator`. All money checks are in
base currency, but for the first, which is in the order's.
"""

from refunds.domain.memo import php
from refunds.domain.memo.asked import Asked
from refunds.domain.memo.draft import Draft
from refunds.domain.memo.order import Line, Order, Side
from refunds.domain.memo.reasons import Reason, Refused, joined, reasons_of
from refunds.domain.memo.wording import in_base

_CLOSED_STATES = frozenset({"payment_review", "holded", "canceled", "closed"})
_TOLERANCE = 0.0001


def may_be_credited(order: Order) -> bool:
    """Whether the order's state allows a memo and something paid is not refunded yet."""
    return order.state not in _CLOSED_STATES and not _is_paid_back(order)


def over_paid_of_magento_1(draft: Draft) -> Refused | None:
    """The refusal of a memo that gives back more than was paid. Zero and negative memos pass."""
    left = _left_if_over_paid(draft)
    if left is None:
        return None
    shown = f'<span class="price">{in_base(draft.order, left)}</span>'
    return Refused((Reason.OVER_PAID,), f"Maximum amount available to refund is {shown}")


def complaints_of_magento_2(draft: Draft, asked: Asked, *, invoice_allows: bool) -> Refused | None:
    """Everything that Magento 2 complains of in a memo, in one refusal; None where it makes the memo."""
    lines = [*_of_order(draft.order), *_of_quantities(draft), *_of_total(draft)]
    if not invoice_allows:
        lines.append("We can't create creditmemo for the invoice.")
    if asked.lacks_id:
        return Refused((Reason.INVALID_INPUT,), "ID required")
    lines += [line for number, qty in asked.named for line in _of_named(draft.order, number, qty)]
    if not lines:
        return None
    message = joined(list(dict.fromkeys(lines)))
    return Refused(reasons_of(message), message)


def _is_paid_back(order: Order) -> bool:
    sums = order.sums[Side.ORDER]
    return abs(php.rounded(sums.total_paid) - sums.total_refunded) < _TOLERANCE


def _left_if_over_paid(draft: Draft) -> float | None:
    order, memo = draft.order.sums[Side.BASE], draft.sums[Side.BASE]
    refunded = php.rounded(order.total_refunded + memo.grand)
    if refunded > php.rounded(order.total_paid):
        return order.total_paid - order.total_refunded
    return None


def _of_order(order: Order) -> list[str]:
    if order.state in _CLOSED_STATES:
        return [f"A creditmemo can not be created when an order has a status of {order.status}"]
    if _is_paid_back(order):
        return ["The order does not allow a creditmemo to be created."]
    return []


def _of_quantities(draft: Draft) -> list[str]:
    lines = []
    total = 0.0
    for item in draft.items:
        if item.line.is_dummy:
            total += item.qty
        elif item.qty > item.line.qty_to_refund:
            lines.append(
                "The quantity to creditmemo must not be greater than the unrefunded quantity"
                f' for product SKU "{item.line.name}".'
            )
        elif draft.rules.fractions_refused and _is_fraction(item.line, item.qty):
            lines.append(f'We found an invalid quantity to refund item "{item.line.name}".')
        else:
            total += item.qty
    grand = draft.sums[Side.ORDER].grand
    if grand < 0 or (grand == 0 and not draft.settings.zero_total_allowed):
        lines.append("The credit memo's total must be positive.")
    elif total <= 0 and not _has_shipping_left(draft.order):
        lines.append("You can't create a creditmemo without products.")
    return lines


def _is_fraction(line: Line, qty: float) -> bool:
    return not line.is_qty_decimal and qty != php.integer(qty)


def _has_shipping_left(order: Order) -> bool:
    sums = order.sums[Side.ORDER]
    return abs(php.rounded(sums.shipping) - sums.shipping_refunded) != 0


def _of_total(draft: Draft) -> list[str]:
    left = _left_if_over_paid(draft)
    return [] if left is None else [f"The most money available to refund is {php.text(left)}."]


def _of_named(order: Order, number: int | None, qty: float) -> list[str]:
    line = next((line for line in order.lines if line.line == number), None)
    if line is None:
        return ["The creditmemo contains product item that is not part of the original order."]
    if line.is_dummy:
        return ["The creditmemo contains incorrect product items."]
    if qty > line.qty_to_refund:
        return ["The quantity to refund must not be greater than the unrefunded quantity."]
    return []
