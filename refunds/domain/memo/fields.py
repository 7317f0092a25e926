"""A memo as the fields that its shop's API would answer, amounts as decimal text."""

from collections.abc import Callable
from typing import Any

from refunds.domain.memo.draft import Draft, Item
from refunds.domain.memo.order import Side
from refunds.domain.memo.wording import stored, trimmed

_REFUNDED_STATE = 2


def fields_of(draft: Draft, *, comment: str | None = None) -> dict[str, Any]:
    """The fields of a memo: totals, and the items of which something is given back."""
    fields: dict[str, Any] = {"state": _REFUNDED_STATE}
    if draft.rules.is_magento_2:
        fields["invoice_id_set"] = draft.invoice is not None
    else:
        fields |= {"order_currency_code": draft.order.currency, "invoice_id": None, "transaction_id": None}
    show = _shown(trimmed if draft.rules.is_magento_2 else stored)
    for name, amount in _totals(draft):
        fields[name] = show(amount)
    fields["items"] = [_item(item, show) for item in draft.items if item.reckoned > 0]
    fields["comments"] = [] if comment is None else [{"comment": comment}]
    return fields


def _shown(decimal: Callable[[float], str]) -> Callable[[float | None], str | None]:
    return lambda amount: None if amount is None else decimal(amount)


def _totals(draft: Draft) -> list[tuple[str, float | None]]:
    both = []
    for side in Side:
        sums = draft.sums[side]
        both.append(
            {
                "subtotal": sums.subtotal,
                "subtotal_incl_tax": sums.subtotal_incl_tax,
                "tax_amount": sums.tax,
                f"{draft.rules.compensation}_amount": sums.compensation,
                "discount_amount": -sums.discount,
                "shipping_amount": sums.shipping,
                "shipping_incl_tax": sums.shipping_incl_tax,
                "shipping_tax_amount": sums.shipping_tax,
                "adjustment": sums.adjustment,
                "adjustment_positive": sums.adjustment_positive,
                "adjustment_negative": sums.adjustment_negative,
                "grand_total": sums.grand,
            }
        )
    order, base = both
    return [pair for name in order for pair in ((name, order[name]), (f"base_{name}", base[name]))]


def _item(item: Item, show: Callable[[float | None], str | None]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "line": item.line.line,
        "qty": show(item.reckoned),
    }
    both = []
    for side in Side:
        sums, line = item.sums[side], item.line.sums[side]
        both.append(
            {
                "price": line.price,
                "row_total": sums.row,
                "row_total_incl_tax": sums.row_incl_tax,
                "tax_amount": sums.tax,
                f"{item.rules.compensation}_amount": sums.compensation,
                "discount_amount": sums.discount,
            }
        )
    order, base = both
    for name in order:
        fields[name] = show(order[name])
        fields[f"base_{name}"] = show(base[name])
    return fields
