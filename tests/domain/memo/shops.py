"""Orders made up for tests, in the form of a case, and what a memo makes of them."""

from copy import deepcopy
from decimal import Decimal
from typing import Any, Final

from refunds.domain.memo.case import Answer, answer

COMPENSATION: Final = {
    "1": "hidden_tax",
    "2.2": "discount_tax_compensation",
    "2.4": "discount_tax_compensation",
}
SHOPS: Final = tuple(COMPENSATION)
_BOTH: Final = ("", "base_")


def line(number: int, *, qty: str = "1", row: str = "10.00", **fields: Any) -> dict[str, Any]:
    """A line that is wholly invoiced; amounts in both currencies unless a field says otherwise."""
    made: dict[str, Any] = {
        "line": number,
        "sku": f"S{number}",
        "product_type": "simple",
        "qty_ordered": qty,
        "qty_invoiced": qty,
        "qty_refunded": "0",
        "qty_canceled": "0",
        "is_qty_decimal": 0,
    }
    amounts = {
        "row_invoiced": row,
        "row_total_incl_tax": row,
        "tax_invoiced": "0",
        "discount_invoiced": "0",
    }
    for prefix in _BOTH:
        made |= {prefix + name: value for name, value in amounts.items()}
    return made | _spread(fields)


def order(**fields: Any) -> dict[str, Any]:
    """An order in one currency, paid and open; amounts in both currencies unless a field says otherwise."""
    made: dict[str, Any] = {
        "state": "processing",
        "status": "processing",
        "order_currency_code": "USD",
        "base_currency_code": "USD",
        "base_to_order_rate": "1.0000",
    }
    return made | _spread({"total_paid": "1000.00", "shipping_amount": "0.0000"}) | _spread(fields)


def case(
    asking: Any, *lines: dict[str, Any], shop: str = "1", of: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    """A case: what is asked for, of which lines, of which order."""
    made = {
        "case_id": "made up",
        "version": shop,
        "order": of or order(),
        "items": list(lines),
        "input": asking,
    }
    return made | fields


def asking(shop: str, qtys: dict[int, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    """What is asked for, in the form of a shop's API."""
    if shop == "1":
        named = {} if qtys is None else {"qtys": {f"L{number}": qty for number, qty in qtys.items()}}
        return named | arguments
    items = [{"line": number, "qty": qty} for number, qty in (qtys or {}).items()]
    return {"items": items, "arguments": arguments}


def memo(made: dict[str, Any]) -> dict[str, Any]:
    """The memo of a case that must become one."""
    ours = answer(made)
    assert ours.refused is None, ours.refused
    assert ours.creditmemo is not None
    return dict(ours.creditmemo)


def refusal(made: dict[str, Any]) -> tuple[str, str]:
    """The class and the words of the refusal of a case that must be refused."""
    ours: Answer = answer(made)
    assert ours.refused is not None, ours.creditmemo
    return ours.refused.reasons[0].value, ours.refused.message


def amount(document: dict[str, Any], name: str) -> Decimal:
    """An amount of an order, a line or a memo; one without a value is zero."""
    return Decimal(document.get(name) or 0)


def after(made: dict[str, Any], made_memo: dict[str, Any]) -> dict[str, Any]:
    """The case with its order as a shop leaves it after the memo (`Creditmemo::refund`, `Item::register`)."""
    now = deepcopy(made)
    called = COMPENSATION[made["version"]]
    of = now["order"]
    for prefix in _BOTH:
        sums = {
            "total_refunded": "grand_total",
            "tax_refunded": "tax_amount",
            f"{called}_refunded": f"{called}_amount",
            "shipping_refunded": "shipping_amount",
            "shipping_tax_refunded": "shipping_tax_amount",
        }
        _add(of, made_memo, {prefix + to: prefix + source for to, source in sums.items()})
    for item in made_memo["items"]:
        changed = next(one for one in now["items"] if one["line"] == item["line"])
        _add(changed, item, {"qty_refunded": "qty"})
        for prefix in _BOTH:
            sums = {
                "amount_refunded": "row_total",
                "tax_refunded": "tax_amount",
                f"{called}_refunded": f"{called}_amount",
                "discount_refunded": "discount_amount",
            }
            _add(changed, item, {prefix + to: prefix + source for to, source in sums.items()})
    return now


def _add(to: dict[str, Any], source: dict[str, Any], names: dict[str, str]) -> None:
    for target, name in names.items():
        to[target] = str(amount(to, target) + amount(source, name))


def _spread(fields: dict[str, Any]) -> dict[str, Any]:
    """Amounts for both currencies; whatever is named with its prefix, or is no text, stays as it is."""
    spread: dict[str, Any] = {}
    for name, value in fields.items():
        spread[name] = value
        is_amount = name.endswith(("_amount", "_invoiced", "_refunded", "_tax", "_paid", "_total"))
        if is_amount and not name.startswith(("qty", "base_")):
            spread.setdefault(f"base_{name}", fields.get(f"base_{name}", value))
    return spread
