"""Text from outside, made fit to be stored and shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.text import harmless, plain

_limits = st.integers(0, 50)


@given(text=st.text(st.characters(), max_size=200), limit=_limits)
def test_cleaned_text_is_one_bounded_line_that_every_database_and_mail_takes(text: str, limit: int) -> None:
    cleaned = plain(text, limit=limit)

    assert len(cleaned) <= limit
    assert len(cleaned.splitlines()) <= 1
    assert not {unicodedata.category(char) for char in cleaned} & {"Cc", "Cs", "Cf", "Zl", "Zp"}
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned


@given(text=st.text(max_size=200), limit=_limits)
def test_cleaning_twice_changes_nothing_more_than_the_blank_at_a_cut(text: str, limit: int) -> None:
    once = plain(text, limit=limit)

    assert plain(once, limit=limit) == once.rstrip()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Card expired", "Card expired"),
        ("two\r\nlines\tand  blanks ", "two lines and blanks"),
        ("Subject\r\nBcc: everyone@example.com", "Subject Bcc: everyone@example.com"),
        ("nul\x00 and bell\x07", "nul and bell"),
        ("\u202egnp.exe", "gnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("half \ud800 a pair", "half a pair"),
        ("line\u2028paragraph\u2029", "lineparagraph"),
        ("no-break\u00a0blank", "no-break blank"),
        ("Zoë 返金 💷", "Zoë 返金 💷"),
        ("", ""),
        ("\x00\x01\x02", ""),
    ],
)
def test_what_people_can_read_stays_and_what_tricks_them_goes(text: str, cleaned: str) -> None:
    assert plain(text, limit=100) == cleaned


def test_markup_stays_text_for_the_page_to_escape() -> None:
    assert plain("<b>{{ 7*7 }}</b>", limit=100) == "<b>{{ 7*7 }}</b>"


@pytest.mark.parametrize(("limit", "cleaned"), [(3, "Car"), (4, "Card"), (5, "Card")])
def test_text_is_cut_at_the_limit_and_not_before(limit: int, cleaned: str) -> None:
    assert plain("Card", limit=limit) == cleaned


def test_text_of_any_length_is_read_no_further_than_needed() -> None:
    assert plain("x" * 10_000_000, limit=10) == "x" * 10
    assert plain("\x00" * 10_000_000 + "late", limit=10) == ""


@pytest.mark.parametrize(("hidden", "kept"), [(3, "x"), (4, "")])
def test_four_characters_are_read_for_one_that_is_kept(hidden: int, kept: str) -> None:
    assert plain("\x00" * hidden + "x", limit=1) == kept


@pytest.mark.parametrize(("hidden", "kept"), [(127, "x"), (128, "")])
def test_text_that_is_to_be_harmless_is_read_much_further(hidden: int, kept: str) -> None:
    assert harmless("\x00" * hidden + "x", limit=1) == kept


def test_harmless_text_shows_the_last_four_digits_of_a_card() -> None:
    assert "1111" in harmless("card 4111 1111 1111 1111 was declined", limit=100)
    assert "4111" not in harmless("card 4111 1111 1111 1111 was declined", limit=100)
