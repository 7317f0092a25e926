"""How much is asked for: stated, from items, or everything; never guessed from half of it."""

from typing import Any

import pytest

from refunds.flow.intake import Accepted
from refunds.flow.refusal import Cause, Refusal
from tests.house_of import House

SHIRT = {"sku": "shirt", "quantity": 2, "unit_price": "10.00"}


@pytest.mark.parametrize(
    ("fields", "amount_minor"),
    [
        ({"amount": "5.00", "amount_minor": 500}, 500),
        ({"amount_minor": 1234}, 1234),
        ({"items": [{"sku": "shirt", "amount": "12.50"}]}, 1250),
        ({"items": [SHIRT]}, 2000),
        ({"items": [SHIRT, {"order_item_id": "7", "amount": "0.99"}]}, 2099),
        ({"items": [SHIRT], "amount": "20.00"}, 2000),
        ({"items": [SHIRT], "shipping_amount": "3.50"}, 2350),
        ({"items": [SHIRT], "adjustment_positive": "1.00", "adjustment_negative": "2.50"}, 1850),
        ({"items": [{"sku": "bolt", "quantity": 3, "unit_price": "0.335"}]}, 101),
        ({"items": [{"sku": "shirt", "quantity": 1}], "amount": "7.00"}, 700),
        ({"shipping_amount": "3.50"}, 350),
        ({"shipping_amount": "3.50", "adjustment_positive": "0.50"}, 400),
        ({"shipping_amount": "3.50", "amount": "9.00"}, 900),
    ],
    ids=repr,
)
def test_the_amount_is_what_the_request_says(house: House, fields: dict[str, Any], amount_minor: int) -> None:
    taken = house.ask(house.payment("100.00"), **fields)

    assert isinstance(taken, Accepted), taken
    assert taken.refund.amount_minor == amount_minor


@pytest.mark.parametrize(
    "fields",
    [
        {"items": [SHIRT], "amount": "19.99"},
        {"items": [SHIRT], "amount_minor": 2001},
        {"items": [SHIRT], "adjustment_negative": "20.00"},
        {"items": [SHIRT], "adjustment_negative": "20.01"},
        {"items": [{"sku": "shirt", "amount": "1.00", "unit_price": "1.00"}]},
        {"items": [{"quantity": 1, "amount": "1.00"}]},
        {"items": []},
        {"items": [{"sku": "shirt", "quantity": 0, "amount": "1.00"}]},
        {"items": [{"sku": "shirt", "quantity": 1}]},
        {"items": [SHIRT, {"sku": "hat", "quantity": 1}]},
        {"adjustment_negative": "1.00"},
        {"amount": "1e3"},
        {"amount": " 5.00"},
        {"amount": "5,00"},
        {"amount": "\u0665.00"},
        {"amount": None, "amount_minor": True},
    ],
    ids=repr,
)
def test_what_does_not_add_up_is_refused_and_nothing_is_guessed(house: House, fields: dict[str, Any]) -> None:
    payment = house.payment("100.00")

    taken = house.ask(payment, **fields)

    assert isinstance(taken, Refusal), taken
    assert taken.cause is Cause.INVALID
    assert house.balance(payment).reserved_minor == 0


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        ({"sku": "hat", "amount": "1.00"}, "/items/0"),
        ({"sku": "shirt", "quantity": 3, "amount": "1.00"}, "/items/0/quantity"),
        ({"order_item_id": "9", "amount": "1.00"}, "/items/0"),
    ],
    ids=repr,
)
def test_items_are_held_against_the_order_where_the_payment_has_items(
    house: House, item: dict[str, Any], pointer: str
) -> None:
    payment = house.payment("100.00", items=[SHIRT])

    taken = house.ask(payment, items=[item])

    assert isinstance(taken, Refusal), taken
    assert [error.pointer for error in taken.errors] == [pointer]
    assert isinstance(house.ask(payment, items=[SHIRT]), Accepted)


def test_items_are_not_checked_where_the_payment_has_none(house: House) -> None:
    assert isinstance(house.ask(house.payment("100.00"), items=[SHIRT]), Accepted)


def test_more_pieces_than_were_bought_are_not_taken_in_two_lines(house: House) -> None:
    payment = house.payment("100.00", items=[SHIRT])
    line = {"sku": "shirt", "quantity": 2, "amount": "10.00"}

    taken = house.ask(payment, items=[line, line])

    assert isinstance(taken, Refusal), taken
    assert [error.pointer for error in taken.errors] == ["/items/1/quantity"]
