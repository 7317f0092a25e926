"""Reads what a shop's API says of an order: decimal text, numbers and nothing become sums.

Fields as in `sales_order.info` of Magento 1 and `GET /V1/orders` of Magento 2, lines beside the order.
"""

import math
from collections.abc import Mapping
from typing import Any

from refunds.domain.memo import php
from refunds.domain.memo.order import (
    Invoice,
    InvoiceSums,
    Line,
    LineSums,
    Order,
    OrderSums,
    Side,
    with_parents,
)
from refunds.domain.memo.rules import Rules

MOST_LINES = 10_000
"""Longest order taken."""


class CaseError(ValueError):
    """A document that is no order, no line or no case; names the field."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def read_order(document: Any, lines: Any, rules: Rules) -> Order:
    """An order and its lines; raises CaseError for whatever is neither a number nor left out."""
    order = mapping(document, "order")
    taken = _list(lines, "items")
    if len(taken) > MOST_LINES:
        raise CaseError("items", f"has more than {MOST_LINES} lines")
    read = [_line(mapping(one, f"items[{place}]"), place, rules) for place, one in enumerate(taken)]
    numbers = [line.line for line, _ in read]
    if len(set(numbers)) != len(numbers):
        raise CaseError("items", "two lines have the same number")
    return Order(
        state=_text(order, "order", "state"),
        status=_text(order, "order", "status", _text(order, "order", "state")),
        base_currency=_text(order, "order", "base_currency_code", "USD"),
        currency=_text(order, "order", "order_currency_code") or None,
        base_to_order_rate=_rate(order),
        of_guest=php.is_true(order.get("customer_is_guest", 1)),
        sums={side: _order_sums(order, side, rules) for side in Side},
        lines=with_parents(read),
    )


def read_invoice(document: Any, rules: Rules) -> Invoice:
    """An invoice: its sums, its `items` (line, qty, qty_refunded), the tax its earlier memos gave back."""
    invoice = mapping(document, "invoice")
    compensation = f"shipping_{rules.compensation}_amount"
    sums = {
        side: InvoiceSums(
            shipping=_sum(invoice, "invoice", side, "shipping_amount"),
            shipping_tax=_sum(invoice, "invoice", side, "shipping_tax_amount"),
            shipping_compensation=_sum(invoice, "invoice", side, compensation),
            tax=_sum(invoice, "invoice", side, "tax_amount"),
            tax_of_memos=_sum(invoice, "invoice", side, "tax_refunded"),
        )
        for side in Side
    }
    qtys, refunded = {}, {}
    for place, one in enumerate(_list(invoice.get("items", []), "invoice.items")):
        where = f"invoice.items[{place}]"
        item = mapping(one, where)
        number = _number_of_line(item, where, place)
        qtys[number] = _amount(item, where, "qty")
        refunded[number] = _amount(item, where, "qty_refunded")
    return Invoice(sums=sums, qtys=qtys, qtys_refunded=refunded)


def mapping(document: Any, where: str) -> Mapping[str, Any]:
    """The document as an object; raises CaseError for anything else."""
    if not isinstance(document, Mapping):
        raise CaseError(where, "must be an object")
    return document


def _order_sums(order: Mapping[str, Any], side: Side, rules: Rules) -> OrderSums:
    def amount(name: str) -> float:
        return _sum(order, "order", side, name)

    called = rules.compensation
    return OrderSums(
        grand_total=amount("grand_total"),
        shipping=amount("shipping_amount"),
        shipping_refunded=amount("shipping_refunded"),
        shipping_incl_tax=_maybe(order, "order", f"{side.value}shipping_incl_tax"),
        shipping_tax=amount("shipping_tax_amount"),
        shipping_tax_refunded=amount("shipping_tax_refunded"),
        # Magento 2 cuts the name of this one field in base currency short.
        shipping_compensation=amount(f"shipping_{called}_amount") or amount(f"shipping_{called}_amnt"),
        shipping_compensation_refunded=amount(f"shipping_{called}_refunded"),
        shipping_discount=amount("shipping_discount_amount"),
        shipping_incl_tax_of_memos=amount("shipping_incl_tax_refunded"),
        tax_invoiced=amount("tax_invoiced"),
        tax_refunded=amount("tax_refunded"),
        compensation_invoiced=amount(f"{called}_invoiced"),
        compensation_refunded=amount(f"{called}_refunded"),
        total_paid=amount("total_paid"),
        total_refunded=amount("total_refunded"),
    )


def _line(item: Mapping[str, Any], place: int, rules: Rules) -> tuple[Line, str]:
    where = f"items[{place}]"
    parent = item.get("parent_line")
    if parent is not None and (not isinstance(parent, int) or isinstance(parent, bool)):
        raise CaseError(f"{where}.parent_line", "must be the number of a line")
    line = Line(
        line=_number_of_line(item, where, place),
        name=_text(item, where, "name", _text(item, where, "sku")),
        qty_ordered=_amount(item, where, "qty_ordered"),
        qty_invoiced=_amount(item, where, "qty_invoiced"),
        qty_refunded=_amount(item, where, "qty_refunded"),
        qty_canceled=_amount(item, where, "qty_canceled"),
        is_qty_decimal=_amount(item, where, "is_qty_decimal") != 0,
        parent=parent,
        sums={side: _line_sums(item, where, side, rules) for side in Side},
    )
    return line, _text(item, where, "product_type", "simple")


def _line_sums(item: Mapping[str, Any], where: str, side: Side, rules: Rules) -> LineSums:
    called = rules.compensation
    return LineSums(
        price=_maybe(item, where, f"{side.value}price"),
        row_invoiced=_sum(item, where, side, "row_invoiced"),
        amount_refunded=_sum(item, where, side, "amount_refunded"),
        row_incl_tax=_maybe(item, where, f"{side.value}row_total_incl_tax"),
        discount_invoiced=_sum(item, where, side, "discount_invoiced"),
        discount_refunded=_sum(item, where, side, "discount_refunded"),
        tax_invoiced=_maybe(item, where, f"{side.value}tax_invoiced"),
        tax_refunded=_sum(item, where, side, "tax_refunded"),
        compensation_invoiced=_maybe(item, where, f"{side.value}{called}_invoiced"),
        compensation_refunded=_sum(item, where, side, f"{called}_refunded"),
    )


def _rate(order: Mapping[str, Any]) -> float:
    rate = _maybe(order, "order", "base_to_order_rate")
    return 1.0 if rate is None else rate


def _number_of_line(item: Mapping[str, Any], where: str, place: int) -> int:
    number = item.get("line", place)
    if not isinstance(number, int) or isinstance(number, bool):
        raise CaseError(f"{where}.line", "must be a whole number")
    return number


def _sum(document: Mapping[str, Any], where: str, side: Side, name: str) -> float:
    return _amount(document, where, side.value + name)


def _amount(document: Mapping[str, Any], where: str, name: str) -> float:
    return _maybe(document, where, name) or 0.0


def _maybe(document: Mapping[str, Any], where: str, name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if not php.is_numeric(value):
        raise CaseError(f"{where}.{name}", f"{str(value)[:40]!r} is not a number")
    amount = php.number(value)
    if not math.isfinite(amount):
        raise CaseError(f"{where}.{name}", "is too large")
    return amount


def _text(document: Mapping[str, Any], where: str, name: str, default: str = "") -> str:
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise CaseError(f"{where}.{name}", "must be text")
    return value


def _list(document: Any, where: str) -> list[Any]:
    if not isinstance(document, list):
        raise CaseError(where, "must be a list")
    return document
