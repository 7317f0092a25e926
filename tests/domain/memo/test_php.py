"""PHP's numbers: rounding over fifteen digits, casts by prefix, text of fourteen digits."""

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.memo import php


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.005, 1.01),
        (5.055, 5.06),
        (1.955, 1.96),
        (-1.005, -1.01),
        (2.675, 2.68),
        (0.285, 0.29),
        (1.45, 1.45),
        (3.3350000000000004, 3.34),
        (3.33499, 3.33),
        (0.0049999, 0.0),
        (1e20, 1e20),
        (0.0, 0.0),
        (1e-30, 0.0),
        (123456789012.345, 123456789012.35),
        (9999999999999.995, 9999999999999.99),
    ],
)
def test_a_half_goes_away_from_zero_where_the_text_shows_a_half(value: float, expected: float) -> None:
    assert php.rounded(value) == expected


def test_what_is_no_finite_number_stays_what_it_is() -> None:
    assert php.rounded(math.inf) == math.inf
    assert math.isnan(php.rounded(math.nan))


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4))
def test_a_decimal_of_four_places_rounds_as_on_paper(value: Decimal) -> None:
    assert php.rounded(float(value)) == float(value.quantize(Decimal("0.01"), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12.50", 12.5),
        ("2abc", 2.0),
        (" \t7", 7.0),
        ("7 ", 7.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e2x", 100.0),
        ("1e", 1.0),
        ("-3", -3.0),
        ("+4", 4.0),
        ("abc", 0.0),
        ("", 0.0),
        ("0x1A", 0.0),
        ("INF", 0.0),
        ("\u0661", 0.0),
        ("1e999", math.inf),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (True, 1.0),
        (None, 0.0),
        ([], 0.0),
        (["x"], 1.0),
        ({"a": 1}, 1.0),
    ],
)
def test_a_value_is_as_much_of_a_number_as_it_begins_with(value: Any, expected: float) -> None:
    assert php.number(value) == expected


@pytest.mark.parametrize("value", ["1", " 1", "1.", ".5", "-1e3", 1, 2.5])
def test_numbers_and_their_texts_are_numeric(value: Any) -> None:
    assert php.is_numeric(value)


@pytest.mark.parametrize("value", ["", ".", "1 ", "1,5", "10%", "abc", "0x1", True, None, [], "INF"])
def test_everything_else_is_not_numeric(value: Any) -> None:
    assert not php.is_numeric(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.9, 1), (-1.9, -1), (math.inf, 0), (math.nan, 0), (2.0**63, -(2**63)), (2.0**64, 0)],
)
def test_a_cast_to_int_cuts_and_wraps_around(value: float, expected: int) -> None:
    assert php.integer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1 + 0.2, "0.3"),
        (10.0, "10"),
        (75.345, "75.345"),
        (-0.0, "0"),
        (1e25, "1.0E+25"),
        (math.inf, "INF"),
        (-math.inf, "-INF"),
        (math.nan, "NAN"),
    ],
)
def test_text_has_fourteen_digits(value: float, expected: str) -> None:
    assert php.number(php.text(value)) == php.number(expected)
    assert php.text(value).replace("1E", "1.0E") == expected


def test_dividing_by_zero_is_a_crash_of_the_shop() -> None:
    with pytest.raises(php.ShopCrashError, match="division by zero"):
        php.divided(0.0, 0.0)
