"""An order as its shop tells it: what was invoiced and refunded so far, in both currencies."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property


class Side(Enum):
    """The two currencies of a shop; the value is the prefix of the fields."""

    ORDER = ""
    BASE = "base_"


@dataclass(frozen=True, slots=True)
class OrderSums:
    """What an order says of itself in one of its currencies."""

    grand_total: float = 0.0
    shipping: float = 0.0
    shipping_refunded: float = 0.0
    shipping_incl_tax: float | None = None
    shipping_tax: float = 0.0
    shipping_tax_refunded: float = 0.0
    shipping_compensation: float = 0.0
    shipping_compensation_refunded: float = 0.0
    shipping_discount: float = 0.0
    shipping_incl_tax_of_memos: float = 0.0
    """The sum over earlier memos, where the caller knows it."""
    tax_invoiced: float = 0.0
    tax_refunded: float = 0.0
    compensation_invoiced: float = 0.0
    compensation_refunded: float = 0.0
    total_paid: float = 0.0
    total_refunded: float = 0.0


@dataclass(frozen=True, slots=True)
class LineSums:
    """What one line says of itself in one of the currencies; None where the shop has no value."""

    price: float | None = None
    row_invoiced: float = 0.0
    amount_refunded: float = 0.0
    row_incl_tax: float | None = None
    discount_invoiced: float = 0.0
    discount_refunded: float = 0.0
    tax_invoiced: float | None = None
    tax_refunded: float = 0.0
    compensation_invoiced: float | None = None
    compensation_refunded: float = 0.0


@dataclass(frozen=True)
class Line:
    """A line of an order."""

    line: int
    name: str
    qty_ordered: float
    qty_invoiced: float
    qty_refunded: float
    qty_canceled: float
    sums: Mapping[Side, LineSums]
    is_qty_decimal: bool = True
    parent: int | None = None
    children: tuple[int, ...] = ()
    is_dummy: bool = False
    """A container or a part whose price sits on the other side of it: it takes part in no sum."""

    @cached_property
    def qty_to_refund(self) -> float:
        """How much was invoiced and not refunded yet."""
        return 0.0 if self.is_dummy else max(self.qty_invoiced - self.qty_refunded, 0.0)

    @cached_property
    def qty_to_invoice(self) -> float:
        """How much is left to invoice."""
        return 0.0 if self.is_dummy else max(self.qty_ordered - self.qty_invoiced - self.qty_canceled, 0.0)


@dataclass(frozen=True, slots=True)
class Order:
    """An order before the memo."""

    state: str
    status: str
    base_currency: str
    base_to_order_rate: float
    sums: Mapping[Side, OrderSums]
    lines: tuple[Line, ...]
    currency: str | None = None
    of_guest: bool = True


@dataclass(frozen=True, slots=True)
class InvoiceSums:
    """What an invoice says of itself in one of the currencies, with the tax of its earlier memos."""

    shipping: float = 0.0
    shipping_tax: float = 0.0
    shipping_compensation: float = 0.0
    tax: float = 0.0
    tax_of_memos: float = 0.0


@dataclass(frozen=True, slots=True)
class Invoice:
    """The invoice that a memo is made of: its sums, what it covers of each line and has given back."""

    sums: Mapping[Side, InvoiceSums]
    qtys: Mapping[int, float] = field(default_factory=dict[int, float])
    qtys_refunded: Mapping[int, float] = field(default_factory=dict[int, float])

    def limit(self, line: int) -> float | None:
        """How much of a line this invoice may still give back; None where it does not cover it."""
        covered = self.qtys.get(line)
        return None if covered is None else covered - self.qtys_refunded.get(line, 0.0)


def with_parents(lines: list[tuple[Line, str]]) -> tuple[Line, ...]:
    """Lines that know their children and whether they are dummies, from lines and their product types.

    Magento, `Order/Item::isDummy`: of a bundle priced by its parts the container is the dummy, of a
    configurable product (and of a bundle with a price of its own) the part is.
    """
    types = {line.line: kind for line, kind in lines}
    children: dict[int, tuple[int, ...]] = {}
    for line, _ in lines:
        if line.parent is not None:
            children[line.parent] = (*children.get(line.parent, ()), line.line)
    made = []
    for line, _ in lines:
        mine = children.get(line.line, ())
        whole = line.line if mine else line.parent
        of_parts = whole is not None and types.get(whole) == "bundle"
        is_dummy = of_parts if mine else line.parent is not None and not of_parts
        made.append(replace(line, children=mine, is_dummy=is_dummy))
    return tuple(made)
