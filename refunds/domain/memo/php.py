"""Numbers as PHP treats them: rounding, text to number and back, division by zero.

Sources: the PHP manual (numeric strings, casts) and the observed behaviour of PHP 7.1 and 8.2; PHP 8.4 rounds
differently.
"""

import math
import re
from typing import Any, Final

_LEADING_NUMBER: Final = re.compile(
    r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
)
_SIGNIFICANT_DIGITS: Final = 14
"""PHP's `precision`: how many digits of a double survive as text."""
_EXACT_BELOW: Final = 1e15
_LONG: Final = 1 << 64


class ShopCrashError(ArithmeticError):
    """The shop dies here with HTTP 500 and saves nothing; the message says of what."""


def rounded(value: float, places: int = 2) -> float:
    """The value to so many decimals, half away from zero, as `round` of PHP 5.3 to 8.3.

    The value is first rounded to 15 significant digits, so that 1.005 (a double just below) becomes 1.01.
    """
    if value == 0 or not math.isfinite(value):
        return value
    factor = 10.0**places
    precision = 14 - math.floor(math.log10(abs(value)))
    if places < precision < places + 15:
        scaled = value * 10.0**precision if precision >= 0 else value / 10.0**-precision
        scaled = _half_away(scaled) / 10.0 ** abs(places - precision)
    else:
        scaled = value * factor
        if abs(scaled) >= _EXACT_BELOW:
            return value
    return _half_away(scaled) / factor


def divided(dividend: float, divisor: float) -> float:
    """The quotient; raises ShopCrashError for a divisor of zero, as PHP 8 does."""
    if divisor == 0:
        raise ShopCrashError("division by zero")
    return dividend / divisor


def number(value: Any) -> float:
    """The value cast to float: text counts as far as it begins like a number, a list if it is not empty."""
    match value:
        case str():
            found = _LEADING_NUMBER.match(value)
            return _double(found[1]) if found else 0.0
        case list() | dict():
            return 1.0 if value else 0.0
        case None:
            return 0.0
        case _:
            return _double(value)


def is_numeric(value: Any) -> bool:
    """Whether the value is a number or text that is one from its first to its last character."""
    match value:
        case bool():
            return False
        case int() | float():
            return True
        case str():
            return _LEADING_NUMBER.fullmatch(value) is not None
        case _:
            return False


def integer(value: float) -> int:
    """The value cast to int: fractions are cut, no number is 0, what is too large wraps around."""
    if not math.isfinite(value):
        return 0
    wrapped = int(value) % _LONG
    return wrapped - _LONG if wrapped >= _LONG // 2 else wrapped


def text(value: float) -> str:
    """The value as text; two doubles that differ only behind the 14th digit read the same."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    shown = f"{value:.{_SIGNIFICANT_DIGITS}G}"
    return "0" if shown == "-0" else shown


def is_true(value: Any) -> bool:
    """Whether the value counts as true: empty text and the text `0` do not."""
    return bool(value) and value != "0"


def _double(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _half_away(value: float) -> float:
    return float(math.floor(value + 0.5)) if value >= 0 else float(math.ceil(value - 0.5))
