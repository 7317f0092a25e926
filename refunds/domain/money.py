"""Money: integer minor units and an ISO 4217 currency; decimal text at the borders, never a float."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

from iso4217 import Currency

MAX_MINOR = 10**15
"""Largest amount taken, in minor units; far above any order and far below 64 bits."""

_DECIMAL_TEXT = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,6})?", re.ASCII)


class MoneyError(ValueError):
    """An amount or a currency that cannot be taken; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in integer minor units of one currency."""

    amount_minor: int
    currency: str

    def __str__(self) -> str:
        """`GBP 12.75`."""
        return f"{self.currency} {decimal_text(self.amount_minor, self.currency)}"


@cache
def exponent(currency: str) -> int:
    """Number of decimals of a currency (ISO 4217, 0 to 4).

    Raises MoneyError for a code that is not current or has no minor unit (gold, test codes).
    """
    try:
        digits = Currency(currency).exponent
    except ValueError:
        raise MoneyError(f"{currency!r} is not a current ISO 4217 currency code") from None
    if digits is None:
        raise MoneyError(f"{currency} has no minor unit and cannot be paid out")
    return int(digits)


def minor_units(text: str, currency: str) -> int:
    """Minor units of a plain decimal text such as `12.75`.

    Takes ASCII digits; no sign, no exponent, no grouping, and no more decimals than the currency has.
    Raises MoneyError otherwise, for zero and for more than MAX_MINOR too.
    """
    minor = minor_units_or_zero(text, currency)
    if minor == 0:
        raise MoneyError("the amount must be more than zero")
    return minor


def minor_units_or_zero(text: str, currency: str) -> int:
    """As minor_units, but 0 is an answer."""
    if not _DECIMAL_TEXT.fullmatch(text):
        raise MoneyError("the amount must be a plain decimal number such as 12.75")
    digits = exponent(currency)
    if len(text.partition(".")[2]) > digits:
        raise MoneyError(f"{currency} has {digits} decimals; {text} has more")
    scaled = Decimal(text).scaleb(digits)
    if scaled > MAX_MINOR:
        raise MoneyError("the amount is too large")
    return int(scaled)


def rounded_minor(value: Decimal, currency: str) -> int:
    """Minor units of an exact decimal, half away from zero; unit prices may be finer."""
    return int(value.scaleb(exponent(currency)).to_integral_value(rounding=ROUND_HALF_UP))


def decimal_text(amount_minor: int, currency: str) -> str:
    """Decimal text of minor units in the currency's own decimals: 1275 GBP is `12.75`, 1275 JPY `1275`.

    A stored currency that has since been withdrawn reads with two decimals.
    """
    try:
        digits = exponent(currency)
    except MoneyError:
        digits = 2
    return f"{Decimal(amount_minor).scaleb(-digits):.{digits}f}"
