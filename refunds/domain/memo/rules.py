"""In which manner a shop makes its memos: Magento 1, Magento 2.2 as observed, Magento 2.4 as published."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Shop(StrEnum):
    """The kind of shop, by its version."""

    MAGENTO_1 = "1"
    MAGENTO_2_2 = "2.2"
    MAGENTO_2_4 = "2.4"


@dataclass(frozen=True, slots=True)
class Rules:
    """Where the manners differ; docs/credit-memo.md says what each of them was seen on."""

    compensation: str
    """What discount tax compensation is called in field names."""
    is_magento_2: bool
    last_needs_all_invoiced: bool
    """Magento 1: an item with something left to invoice is never the last."""
    absent_is_zero: bool
    """Magento 2: an item that was not named is in the memo with quantity 0; in Magento 1 it is not in it."""
    fractions_refused: bool
    """Magento 2.4 refuses half a piece of an item sold in whole ones; the others cut it."""
    free_shipping_is_partial: bool
    """Magento 2.4: shipping that its discount pays wholly keeps a memo from taking the rest of all tax."""
    incl_tax_from_order: bool
    """Magento 2.4: what is left of shipping with tax in base currency comes from the order's amount with tax;
    before, from the amounts without tax and of tax, which a discount makes differ."""
    incl_tax_discount: bool
    """Magento 2.4: where shipping is asked for with tax, its discount is shared on the amount with tax."""


_MAGENTO_1: Final = Rules(
    compensation="hidden_tax",
    is_magento_2=False,
    last_needs_all_invoiced=True,
    absent_is_zero=False,
    fractions_refused=False,
    free_shipping_is_partial=False,
    incl_tax_from_order=False,
    incl_tax_discount=False,
)
_MAGENTO_2_2: Final = Rules(
    compensation="discount_tax_compensation",
    is_magento_2=True,
    last_needs_all_invoiced=False,
    absent_is_zero=True,
    fractions_refused=False,
    free_shipping_is_partial=False,
    incl_tax_from_order=False,
    incl_tax_discount=False,
)
_MAGENTO_2_4: Final = replace(
    _MAGENTO_2_2,
    fractions_refused=True,
    free_shipping_is_partial=True,
    incl_tax_from_order=True,
    incl_tax_discount=True,
)

RULES: Final = {
    Shop.MAGENTO_1: _MAGENTO_1,
    Shop.MAGENTO_2_2: _MAGENTO_2_2,
    Shop.MAGENTO_2_4: _MAGENTO_2_4,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a shop that bear on its memos."""

    shipping_with_tax: bool = False
    """`tax/sales_display/shipping` is 2: shipping is asked for with its tax."""
    tax_after_discount: bool = False
    """`tax/calculation/apply_after_discount`."""
    zero_total_allowed: bool = False
    """`sales/zerograndtotal_creditmemo/allow_zero_grandtotal` (Magento 2.4)."""
