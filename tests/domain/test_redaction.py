"""Redaction and refusal: the same finds, in text and in documents of any depth."""

from typing import Any

import pytest

from refunds.domain.redaction import forbidden, found_in, redacted, redacted_text
from refunds.domain.text import harmless

SECRET = "Zq9X" + "a1B2" * 7
HALVES = ("4111 1111", "1111 1111")


@pytest.mark.parametrize(
    "text",
    [
        *(f"mb_{SECRET}", f"sk_live_{SECRET}", f"rk_test_{SECRET}", f"whsec_{SECRET}", f"live_{SECRET}"),
        *(f"bearer {SECRET}", f"Authorization: Basic {SECRET}", f"authorization={SECRET}"),
        *(f"api_key={SECRET}", f"apikey: {SECRET}", f"secret_key={SECRET}", f'"token": "{SECRET}"'),
        *(f"smtp://me:{SECRET}@mail.test", f"ghp_{SECRET}", f"glpat-{SECRET}", "AKIA" + SECRET.upper()),
        *(f"ey{'J'}{'a' * 12}.{SECRET}.{SECRET}", f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{SECRET}"),
    ],
)
def test_keys_and_tokens_are_found_by_name_and_by_mark(text: str) -> None:
    assert found_in(f"it said {text}") == "a key or token"
    assert SECRET.lower() not in redacted_text(f"it said {text}").lower()


@pytest.mark.parametrize(
    "text",
    [
        *("the token was lost", "secret santa", "password forgotten", "authorization expired (51)"),
        *("pre-authorization (void)", "bearer of bad news", "key 1: shop/order-7/return-1", "mb_short"),
        *("sre_1a2b3c4d5e6f", "pi_3MtwBwLkdIwHu7ix28a3tqPa", "cs_test_a1B2c3D4e5F6g7H8i9J0", "task-force"),
        *("http://127.0.0.1:8010/v1?page=2", "test_order_7", "tok_visa"),
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert found_in(text) is None
    assert redacted_text(text) == text


def test_a_number_that_is_split_over_neighbours_is_hidden() -> None:
    fields: dict[str, Any] = {"order": "12345678", "pan_first": HALVES[0], "pan_last": HALVES[1], "n": 1}
    assert redacted(fields) == {"order": "12345678", "pan_first": "[card]", "pan_last": "[card]", "n": 1}
    assert redacted(["4111", "1111", "1111", "1111", "7"]) == ["[card]", "[card]", "[card]", "[card]", "7"]
    unrelated = {"order_id": HALVES[0], "transaction_id": HALVES[1]}
    assert redacted(unrelated) == unrelated
    assert redacted({"card_brand": "visa", "card_last4": "1111"}) == {
        "card_brand": "visa",
        "card_last4": "1111",
    }


def test_a_number_that_is_no_text_is_hidden_and_an_amount_is_not() -> None:
    card = 4111111111111111
    assert redacted({"whole": card, "amount_minor": card, "n": 7}) == {
        "whole": "[card]",
        "amount_minor": card,
        "n": 7,
    }


def test_what_must_not_be_kept_is_named_by_its_place_and_never_repeated() -> None:
    document = {
        "reason": "card 4111-1111-1111-1111",
        "metadata": {"cvv": "123", "security code": 1234, "api_key": "x", "4111111111111111": "a"},
        "items": [{"sku": "1"}, {"sku": "4111.1111.1111.1111"}],
        "deep": [[{"a": {"pan_1": HALVES[0], "pan_2": HALVES[1]}}]],
    }
    found = forbidden(document, most=20)
    assert dict(found) == {
        "/reason": "a card number",
        "/metadata": "a card number in a name",
        "/metadata/cvv": "a card's security code",
        "/metadata/security code": "a card's security code",
        "/metadata/api_key": "a key or token",
        "/items/1/sku": "a card number",
        "/deep/0/0/a/pan_1": "a part of a card number",
        "/deep/0/0/a/pan_2": "a part of a card number",
    }
    assert "1111" not in repr(found)
    assert len(forbidden(document, most=3)) == 3


def test_a_document_may_be_of_any_depth() -> None:
    deep: Any = "4111111111111111"
    for _ in range(50_000):
        deep = [deep]
    assert [what for _, what in forbidden(deep, most=1)] == ["a card number"]


def test_a_cut_leaves_no_part_of_a_number_behind() -> None:
    for before in range(300):
        kept = harmless("x" * before + " 4111 1111 1111 1111" * 50, limit=300)
        assert len(kept) <= 300
        assert "4111" not in kept
