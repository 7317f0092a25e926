"""Money at the borders: only plain decimal text comes in, and what goes out comes in again."""

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from refunds.domain.money import (
    MAX_MINOR,
    Money,
    MoneyError,
    decimal_text,
    exponent,
    minor_units,
    minor_units_or_zero,
    rounded_minor,
)

_EXPONENTS = {
    "JPY": 0,
    "KRW": 0,
    "ISK": 0,
    "UGX": 0,
    "GBP": 2,
    "EUR": 2,
    "MGA": 2,
    "LBP": 2,
    "KWD": 3,
    "IQD": 3,
    "CLF": 4,
    "UYW": 4,
}
"""An excerpt of ISO 4217; printing libraries differ on half of these."""

_CURRENCIES = sorted(currency.value for currency in Currency if currency.exponent is not None)
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")

_NOT_PLAIN = {
    "bengali digits": "\u09e7\u09e8.\u09ed\u09eb",
    "a bengali digit among ours": "1\u09e8.75",
    "a bengali decimal": "12.7\u09eb",
    "arabic-indic digits": "\u0661\u0662",
    "full-width digits": "\uff11\uff12.\uff17\uff15",
    "superscript": "12\u00b2",
    "exponent": "1.275E+1",
    "small exponent": "1e2",
    "minus": "-12.75",
    "true minus": "\u221212.75",
    "plus": "+12.75",
    "grouped by comma": "1,200.00",
    "grouped by underscore": "1_200",
    "grouped by space": "1 200",
    "decimal comma": "12,75",
    "two points": "1.2.3",
    "no whole part": ".75",
    "no decimals after the point": "12.",
    "leading zero": "012.75",
    "two zeros": "00.75",
    "space before": " 12.75",
    "space after": "12.75 ",
    "newline after": "12.75\n",
    "nul": "12.75\x00",
    "not a number": "NaN",
    "infinity": "Infinity",
    "hexadecimal": "0x10",
    "with currency": "GBP 12.75",
    "empty": "",
    "nineteen digits": "1" * 19,
    "as long as a book": "9" * 100_000,
    "seven decimals": "0.0000000",
}


@pytest.mark.parametrize(("currency", "decimals"), _EXPONENTS.items())
def test_the_number_of_decimals_is_that_of_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


@pytest.mark.shared
def test_every_code_has_the_decimals_of_the_shared_table(shared_folder: Path) -> None:
    with (shared_folder / "data/refunds/iso4217_minor_units.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    payable = {row["code"]: int(row["minor_units"]) for row in rows if row["minor_units"]}

    assert {code: exponent(code) for code in payable} == payable
    assert sorted(payable) == _CURRENCIES
    for row in rows:
        if not row["minor_units"]:
            with pytest.raises(MoneyError, match="no minor unit"):
                exponent(row["code"])


@pytest.mark.parametrize("currency", ["XAU", "XAG", "XDR", "XTS", "XXX"])
def test_a_code_without_minor_unit_is_refused(currency: str) -> None:
    with pytest.raises(MoneyError, match=f"{currency} has no minor unit"):
        minor_units("1", currency)


@pytest.mark.parametrize("currency", ["VEF", "BGN", "HRK", "ZWL", "DEM", "gbp", "GBP ", "826", "£", ""])
def test_a_code_that_is_withdrawn_or_none_is_refused(currency: str) -> None:
    with pytest.raises(MoneyError, match="not a current ISO 4217 currency"):
        minor_units("1", currency)


@given(code=st.text(max_size=5))
def test_no_code_breaks_the_look_at_its_decimals(code: str) -> None:
    try:
        decimals = exponent(code)
    except MoneyError:
        assert code not in _CURRENCIES
    else:
        assert 0 <= decimals <= 4


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.75", "GBP", 1_275),
        ("12.7", "GBP", 1_270),
        ("12", "GBP", 1_200),
        ("0.01", "GBP", 1),
        ("1200", "JPY", 1_200),
        ("1.001", "KWD", 1_001),
        ("1.0001", "CLF", 10_001),
        ("10000000000000.00", "GBP", MAX_MINOR),
        ("1000000000000000", "JPY", MAX_MINOR),
    ],
)
def test_plain_decimal_text_becomes_minor_units(text: str, currency: str, minor: int) -> None:
    assert minor_units(text, currency) == minor


@given(currency=st.sampled_from(_CURRENCIES), minor=st.integers(1, MAX_MINOR))
def test_decimal_text_comes_back_as_the_same_amount_in_every_currency(currency: str, minor: int) -> None:
    text = decimal_text(minor, currency)

    assert minor_units(text, currency) == minor
    assert Decimal(text) == Decimal(minor) / 10 ** exponent(currency)
    assert str(Money(minor, currency)) == f"{currency} {text}"


@pytest.mark.parametrize("text", _NOT_PLAIN.values(), ids=_NOT_PLAIN.keys())
def test_text_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(MoneyError, match="plain decimal number"):
        minor_units(text, "GBP")


@given(text=st.text(max_size=30) | st.text("0123456789.eE+-_, ", max_size=30))
def test_no_text_breaks_the_reading_of_an_amount(text: str) -> None:
    try:
        minor = minor_units_or_zero(text, "GBP")
    except MoneyError:
        return
    assert Decimal(text) * 100 == minor
    assert _PLAIN.fullmatch(text)


@pytest.mark.parametrize(
    ("text", "currency"),
    [("0.001", "GBP"), ("12.751", "GBP"), ("1200.01", "JPY"), ("1.0001", "KWD"), ("1.00001", "CLF")],
)
def test_more_decimals_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(MoneyError, match=f"{currency} has {exponent(currency)} decimals"):
        minor_units(text, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("10000000000000.01", "GBP"),
        ("1000000000000001", "JPY"),
        ("9" * 18, "CLF"),
        ("1000000000000.001", "KWD"),
    ],
)
def test_an_amount_above_the_largest_taken_is_refused(text: str, currency: str) -> None:
    with pytest.raises(MoneyError, match="too large"):
        minor_units(text, currency)


@pytest.mark.parametrize("text", ["0", "0.00"])
def test_zero_is_refused_as_an_amount_and_taken_as_a_sum(text: str) -> None:
    with pytest.raises(MoneyError, match="more than zero"):
        minor_units(text, "GBP")
    assert minor_units_or_zero(text, "GBP") == 0


@given(currency=st.sampled_from(_CURRENCIES), minor=st.integers(-(2**63), 2**63))
def test_decimal_text_is_never_in_scientific_notation(currency: str, minor: int) -> None:
    text = decimal_text(minor, currency)

    assert _PLAIN.fullmatch(text)
    assert len(text.partition(".")[2]) == exponent(currency)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "GBP", "0.00"),
        (0, "JPY", "0"),
        (1, "CLF", "0.0001"),
        (-5, "GBP", "-0.05"),
        (10**15, "JPY", "1000000000000000"),
        (1_275, "VEF", "12.75"),
    ],
)
def test_decimal_text_has_the_currencys_own_decimals_and_two_where_it_is_withdrawn(
    minor: int, currency: str, text: str
) -> None:
    assert decimal_text(minor, currency) == text


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("12.745", "GBP", 1_275),
        ("12.7449", "GBP", 1_274),
        ("-12.745", "GBP", -1_275),
        ("0.5", "JPY", 1),
        ("0.00005", "CLF", 1),
        ("12.75", "GBP", 1_275),
    ],
)
def test_finer_prices_are_rounded_half_away_from_zero(value: str, currency: str, minor: int) -> None:
    assert rounded_minor(Decimal(value), currency) == minor
