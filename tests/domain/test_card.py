"""Card data: found in every spelling, and nothing else taken for it."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.card import is_card_number
from refunds.domain.card_data import card_data_in, without_card_data

CARD = "4111111111111111"
FULLWIDTH = "".join(chr(ord("\N{FULLWIDTH DIGIT ZERO}") + int(digit)) for digit in CARD)
ARABIC = "".join(chr(ord("\N{ARABIC-INDIC DIGIT ZERO}") + int(digit)) for digit in CARD)


@pytest.mark.parametrize(
    "text",
    [
        *(CARD, "4111 1111 1111 1111", "4111-1111-1111-1111", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        *("378282246310005", "3782 822463 10005", "4222222222222", "6304 0000 0000 0000 000"),
        *(FULLWIDTH, ARABIC, f"{ARABIC[:4]} {ARABIC[4:]}", f"41{FULLWIDTH[2:]}"),
        *("4111.1111.1111.1111", "4111_1111_1111_1111", "4111/1111/1111/1111", "4111  1111  1111   1111"),
        *("4111\N{NO-BREAK SPACE}1111\N{THIN SPACE}1111 1111", "4111\N{EN DASH}1111\N{MINUS SIGN}11111111"),
        *("\N{ZERO WIDTH SPACE}".join(CARD), "\N{COMBINING ENCLOSING KEYCAP}".join(CARD), "\x00".join(CARD)),
        *("4111 1111\n1111 1111", r"4111\u00a01111\u00a01111\u00a01111", r"\uff14\uff11" + "1" * 14),
        *(base64.b64encode(CARD.encode()).decode(), base64.b64encode(f"pan={CARD};".encode()).decode()),
        base64.urlsafe_b64encode(b"4111 1111 1111 1111?>").decode().rstrip("="),
        *(f"%B{CARD}^DOE/JANE^25121010000012300000?", f"B{CARD}^DOE/JANE^2512"),
        *(
            f";{CARD}=25121010000012300000?",
            "4111111111111112=2512101",
            "4111111111111111D25121010000012300000F",
        ),
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "paid with {}.", "12 {} 99", "2026-01-02 {} 10:11:12", '"pan": "{}"']
)
def test_it_is_found_however_it_is_spelt_and_wherever_it_stands(text: str, around: str) -> None:
    whole = around.format(text)
    assert card_data_in(whole)
    shown = without_card_data(whole)
    assert card_data_in(shown) is None
    assert "[card]" in shown or "[track data]" in shown
    if not text[:3].count(" "):  # of single digits none can say whether those beside belong to them
        assert shown.startswith(around.partition("{}")[0])
        assert shown.endswith(around.partition("{}")[2])


@pytest.mark.parametrize(
    "text",
    [
        *("4111111111111112", "411111111111", "a4111111111111111", "4111111111111111b", "0" * 20),
        *("rf_01KA8Y1T5B6N0QZ4R7S2V9WXEH", "sre_1a2b3c4d5e6f7g8h", "pm_01KA8Y1T5B6N0QZ4R7S2V9WXEH"),
        *(
            "2026-01-02 10:11:12.123456",
            "2026-01-02 2026-01-03 2026-01-04",
            "20260102101112",
            "20260102_101112",
        ),
        *("1764026706123", "order-7-1764026706123", "GBP 48.26 asked, GBP 17.40 of GBP 50.00"),
        *("10.00 20.00 30.00 40.00 50.00", "12345678901234.56", "192.168.100.200 192.168.100.201"),
        *("536379", "+44 20 7946 0958", "cvv of the card", "security check 5 passed", "411111******1111"),
    ],
)
def test_what_is_no_card_stays_as_it_is(text: str) -> None:
    assert card_data_in(text) is None
    assert without_card_data(text) == text


def test_no_uuid_is_taken_for_a_card() -> None:
    chance = random.Random(7)
    for _ in range(2000):
        digits = "".join(chance.choices("0123456789", k=32))
        uuid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        assert card_data_in(f"key {uuid}") is None


def test_no_time_in_milliseconds_is_taken_for_a_card() -> None:
    assert not any(is_card_number(str(millis)) for millis in range(1_764_026_706_000, 1_764_026_708_000))
    assert is_card_number("4222222222222")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cvv=123", "cvv=***"),
        ('"cvc": "1234", x', '"cvc": "***", x'),
        ("CVV2 is 123", "CVV2 is ***"),
        ("security code 123", "security code ***"),
        ("cvc_code: 999;", "cvc_code: ***;"),
        (
            "\N{FULLWIDTH LATIN SMALL LETTER C}vv \N{FULLWIDTH DIGIT ONE}23",
            "\N{FULLWIDTH LATIN SMALL LETTER C}vv ***",
        ),
        ("cvv 12", "cvv 12"),
        ("cvv 12345", "cvv 12345"),
        ("order 123", "order 123"),
    ],
)
def test_a_security_code_is_hidden_by_its_name(text: str, shown: str) -> None:
    assert without_card_data(text) == shown
    assert (card_data_in(text) == "a card's security code") == (text != shown)


def test_no_number_is_half_hidden_by_another_that_it_overlaps() -> None:
    chance = random.Random(3)
    for _ in range(2000):
        before = " ".join(str(chance.randrange(100)) for _ in range(9))
        shown = without_card_data(f"{before} 4111 1111 1111 1111 {before}")
        assert "1111" not in shown


def test_people_may_be_shown_the_last_four() -> None:
    assert without_card_data(f"card {ARABIC}", last_four=True) == "card [card …1111]"


@given(st.text(max_size=200))
def test_any_text_is_read_to_its_end_and_once_is_enough(text: str) -> None:
    shown = without_card_data(text)
    assert without_card_data(shown) == shown
    assert (card_data_in(text) is None) == (shown == text)


@given(
    st.integers(min_value=10**11, max_value=10**18 - 1),
    st.lists(st.sampled_from(["", " ", "-"]), min_size=19),
)
def test_single_blanks_and_dashes_may_stand_anywhere(body: int, between: list[str]) -> None:
    digits = next(f"{body}{check}" for check in range(10) if _luhn(f"{body}{check}"))
    spelt = "".join(digit + sign for digit, sign in zip(digits, between, strict=False)).strip(" -")
    is_time = (len(digits) == 13 and digits[0] == "1") or digits.startswith(("19", "20"))
    assert is_time or card_data_in(f"({spelt})") == "a card number"


def _luhn(digits: str) -> bool:
    total = sum(int(digit) for digit in digits[-1::-2])
    return (total + sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])) % 10 == 0
