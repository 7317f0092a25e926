"""A memo while its collectors fill it: quantities, sums in both currencies, the remainders of rounding."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from refunds.domain.memo import php
from refunds.domain.memo.order import Invoice, Line, LineSums, Order, OrderSums, Side
from refunds.domain.memo.rules import Rules, Settings


class TooManyError(Exception):
    """More of a line is asked for than is left to refund; holds the name of the line."""


@dataclass(slots=True)
class ItemSums:
    """Sums of one item in one currency; None where the shop leaves the field empty."""

    row: float = 0.0
    row_incl_tax: float | None = None
    discount: float | None = None
    tax: float | None = None
    compensation: float | None = None


@dataclass(slots=True)
class Item:
    """An item of a memo."""

    line: Line
    qty: float
    """As it was asked for."""
    rules: Rules
    sums: dict[Side, ItemSums] = field(default_factory=lambda: {side: ItemSums() for side in Side})

    @property
    def pieces(self) -> float:
        """The quantity as the shop counts it: whole pieces where the line has only those, never below 0.

        Raises TooManyError where it is more than is left (`Creditmemo/Item::setQty`, in 2.2 `processQty`).
        """
        asked = self.qty if self.line.is_qty_decimal else float(php.integer(self.qty))
        pieces = asked if asked > 0 else 0.0
        if pieces > self.line.qty_to_refund and not self.line.is_dummy:
            raise TooManyError(self.line.name)
        return pieces

    @property
    def reckoned(self) -> float:
        """The quantity that discount and tax are shared by, and that is told: Magento 2.2 takes it uncut."""
        return self.qty if self.rules.is_magento_2 else self.pieces

    @property
    def is_last(self) -> bool:
        """Whether the item takes all that is left of its line (`Creditmemo/Item::isLast`)."""
        if php.text(self.pieces) != php.text(self.line.qty_to_refund):
            return False
        return not (self.rules.last_needs_all_invoiced and self.line.qty_to_invoice)

    def share(self, left: float, qty: float) -> float:
        """The part of what is left of the line's amount that falls on a quantity."""
        return php.divided(left, self.line.qty_invoiced - self.line.qty_refunded) * qty


@dataclass(slots=True)
class MemoSums:
    """Sums of a memo in one currency."""

    subtotal: float = 0.0
    subtotal_incl_tax: float = 0.0
    discount: float = 0.0
    """Positive here; shops show it negative."""
    shipping: float = 0.0
    shipping_incl_tax: float | None = None
    shipping_tax: float = 0.0
    tax: float = 0.0
    """May hold fixed product tax before the tax is collected."""
    compensation: float = 0.0
    adjustment_positive: float | None = None
    adjustment_negative: float | None = None
    grand: float = 0.0

    @property
    def adjustment(self) -> float:
        """What the adjustments come to."""
        return (self.adjustment_positive or 0.0) - (self.adjustment_negative or 0.0)


@dataclass(slots=True)
class Remainders:
    """What rounding left over, one remainder a kind (`Math/Calculator::deltaRound`).

    Row totals, discounts and tax share the remainder of their currency, in the order of the collectors.
    """

    left: dict[str, float] = field(default_factory=dict[str, float])

    def round(self, value: float, kind: str, *, negative: bool = False) -> float:
        """The value with the remainder so far, rounded to cents; zero stays zero and leaves the remainder."""
        if value == 0:
            return value
        sign = -1.0 if negative else 1.0
        exact = value + sign * self.left.get(kind, 0.0)
        rounded = php.rounded(exact)
        self.left[kind] = sign * (exact - rounded)
        return rounded


REGULAR: Mapping[Side, str] = {Side.ORDER: "regular", Side.BASE: "base"}
INCLUDING: Mapping[Side, str] = {Side.ORDER: "including", Side.BASE: "including_base"}


@dataclass(slots=True)
class Draft:
    """A memo being made."""

    rules: Rules
    settings: Settings
    order: Order
    items: list[Item]
    invoice: Invoice | None = None
    shipping_asked: float | None = None
    """In base currency, with or without tax as the settings say."""
    sums: dict[Side, MemoSums] = field(default_factory=lambda: {side: MemoSums() for side in Side})
    remainders: Remainders = field(default_factory=Remainders)

    def sides(self) -> Iterator[tuple[Side, MemoSums, OrderSums]]:
        """Both currencies with the sums of the memo and of the order."""
        for side in Side:
            yield side, self.sums[side], self.order.sums[side]

    def priced(self) -> list[Item]:
        """The items that take part in sums."""
        return [item for item in self.items if not item.line.is_dummy]

    @property
    def is_last(self) -> bool:
        """Magento 2, `Creditmemo::isLast`: every item of the memo is last, or nothing is left to refund."""
        if self.items:
            return all(item.is_last for item in self.priced())
        return not any(line.qty_to_refund > 0 for line in self.order.lines)


def line_sums(item: Item) -> Iterator[tuple[Side, ItemSums, LineSums]]:
    """Both currencies with the sums of an item and of its line."""
    for side in Side:
        yield side, item.sums[side], item.line.sums[side]
