"""Amounts as shops write them: in messages with the sign of the currency, in fields as decimal text."""

import math

from refunds.domain.memo.order import Order

_SIGNS = {"USD": "$", "EUR": "\u20ac", "GBP": "\u00a3"}
_MOST_STORED = 99999999.9999
"""Amounts are kept as DECIMAL(12,4)."""
_STORED_PLACES = 4


def in_base(order: Order, amount: float) -> str:
    """An amount in base currency for a person."""
    sign = _SIGNS.get(order.base_currency, f"{order.base_currency} ")
    return f"{'-' if amount < 0 else ''}{sign}{abs(amount):,.2f}"


def stored(amount: float) -> str:
    """The amount with the four decimals that the shop keeps, as `sprintf` rounds; 0 for what is no number."""
    if not math.isfinite(amount):
        return stored(0.0)
    kept = min(max(amount, -_MOST_STORED), _MOST_STORED)
    shown = f"{kept:.{_STORED_PLACES}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def trimmed(amount: float) -> str:
    """As stored, without the zeros at the end."""
    return stored(amount).rstrip("0").rstrip(".")
