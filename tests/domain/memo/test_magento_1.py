"""What a Magento 1 makes of shipping and adjustments, what it refuses, and where it crashes."""

from typing import Any

import pytest

from tests.domain.memo.shops import amount, asking, case, line, memo, order, refusal


def test_a_closed_order_is_refused_before_anything_is_read() -> None:
    closed = case({"qtys": "abc"}, line(0), of=order(state="closed"))
    assert refusal(closed)[0] == "cannot_be_created"


@pytest.mark.parametrize("state", ["closed", "canceled", "holded", "payment_review"])
def test_some_states_allow_no_memo(state: str) -> None:
    assert refusal(case(None, line(0), of=order(state=state)))[0] == "cannot_be_created"


@pytest.mark.parametrize("paid", [None, "0.0000", "12.0000", "12.00004"])
def test_nothing_left_of_what_was_paid_allows_no_memo(paid: str | None) -> None:
    refunded = None if paid in {None, "0.0000"} else "12.0000"
    of = order(total_paid=paid, total_refunded=refunded)
    assert refusal(case(None, line(0), of=of))[0] == "cannot_be_created"


def test_an_order_that_is_not_there_is_refused_as_unknown() -> None:
    assert refusal(case(None) | {"order": None})[0] == "order_unknown"


_SHIPPED = {
    "shipping_amount": "5.00",
    "shipping_incl_tax": "6.00",
    "shipping_tax_amount": "1.00",
    "tax_invoiced": "1.00",
}


@pytest.mark.parametrize(
    ("asked", "shipping", "tax", "shown"),
    [
        ({}, "5", "1", "6"),
        ({"shipping_amount": None}, "5", "1", "6"),
        ({"shipping_amount": "5,00"}, "5", "1", "6"),
        ({"shipping_amount": 5.004}, "5", "1", "6"),
        ({"shipping_amount": "2.5 USD"}, "2.5", "0.5", "6"),
        ({"shipping_amount": "abc"}, "0", "0", "6"),
        ({"shipping_amount": ""}, "0", "0", "6"),
        ({"shipping_amount": False}, "0", "0", "6"),
        ({"shipping_amount": True}, "1", "0.2", "6"),
        ({"shipping_amount": []}, "0", "0", "6"),
        ({"shipping_amount": -2}, "-2", "-0.4", "6"),
    ],
)
def test_shipping_is_asked_for_without_tax(asked: Any, shipping: str, tax: str, shown: str) -> None:
    made = memo(case({"qtys": {"L0": 0}} | asked, line(0), of=order(**_SHIPPED)))
    found = [amount(made, f"{side}shipping_{name}") for side in ("", "base_") for name in _SHIPPING]
    assert [str(value.normalize()) for value in found] == [shipping, tax, shown] * 2
    assert amount(made, "grand_total") == amount(made, "shipping_amount") + amount(made, "tax_amount")


_SHIPPING = ("amount", "tax_amount", "incl_tax")


@pytest.mark.parametrize("asked", [5.01, "1e999", 6])
def test_more_shipping_than_is_left_is_refused(asked: Any) -> None:
    over = case({"shipping_amount": asked}, line(0), of=order(**_SHIPPED))
    assert refusal(over) == ("over_shipping", "Maximum shipping amount allowed to refund is: $5.00")


@pytest.mark.parametrize(
    ("asked", "shipping", "with_tax"), [(6, "5", "6"), (3, "2.5", "3"), (1.01, "0.84", "1.01"), (0, "0", "0")]
)
def test_shipping_is_asked_for_with_tax_where_the_shop_shows_it_so(
    asked: float, shipping: str, with_tax: str
) -> None:
    shown: dict[str, Any] = {"store": {"tax/sales_display/shipping": 2}}
    made = memo(case({"qtys": {"L0": 0}, "shipping_amount": asked}, line(0), of=order(**_SHIPPED), **shown))
    found = [
        str(amount(made, name).normalize()) for name in ("base_shipping_amount", "base_shipping_incl_tax")
    ]
    assert found == [shipping, with_tax]


def test_shipping_shown_both_ways_is_asked_for_without_tax() -> None:
    shown: dict[str, Any] = {"store": {"tax/sales_display/shipping": 3}}
    over = case({"shipping_amount": 6}, line(0), of=order(**_SHIPPED), **shown)
    assert refusal(over)[0] == "over_shipping"


def test_shipping_of_an_order_without_any_crashes_the_shop() -> None:
    assert refusal(case({"shipping_amount": 1}, line(0)))[0] == "crash"
    assert amount(memo(case({"shipping_amount": 0}, line(0))), "shipping_amount") == 0


def test_a_line_with_something_left_to_invoice_and_nothing_to_refund_crashes_the_shop() -> None:
    half = line(0, qty="2") | {"qty_invoiced": "1", "qty_refunded": "1"}
    assert refusal(case(None, half, line(1)))[0] == "crash"
    assert [item["line"] for item in memo(case({"qtys": {"L1": 1}}, half, line(1)))["items"]] == [1]


def test_a_line_with_something_left_to_invoice_is_never_last() -> None:
    lines = [line(number, qty="2", row="5.005") | {"qty_invoiced": "1"} for number in (0, 1)]
    made = memo(case(None, *lines))
    assert [item["row_total"] for item in made["items"]] == ["5.0100", "5.0000"]
    invoiced = [line(number, qty="1", row="5.005") for number in (0, 1)]
    assert [item["row_total"] for item in memo(case(None, *invoiced))["items"]] == ["5.0050", "5.0050"]


def test_the_discount_of_shipping_is_not_rounded_and_needs_shipping_to_be_named() -> None:
    of = order(shipping_amount="5.55", shipping_discount_amount="0.555", total_paid="4.995")
    named = memo(case({"qtys": {"L0": 0}, "shipping_amount": 1.11}, line(0), of=of))
    assert named["discount_amount"] == "-0.1110"
    assert named["grand_total"] == "0.9990"
    assert refusal(case({"qtys": {"L0": 0}}, line(0), of=of))[0] == "over_paid"


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        (3, "3"),
        ("3", "3"),
        ("10%", "10"),
        ("abc", "0"),
        ("", "0"),
        ("1,5", "1.5"),
        (-2, "-2"),
        (0.005, "0.01"),
        (True, "1"),
        (1.00499999999999999, "1.01"),
    ],
)
@pytest.mark.parametrize("name", ["adjustment_positive", "adjustment_negative"])
def test_an_adjustment_is_a_rounded_number_whatever_follows_it(
    name: str, spelling: Any, expected: str
) -> None:
    made = memo(case({"qtys": {"L0": 0}, name: spelling}, line(0)))
    assert amount(made, f"base_{name}") == amount({"is": expected}, "is")
    sign = 1 if name == "adjustment_positive" else -1
    assert amount(made, "grand_total") == amount(made, "adjustment") == sign * amount(made, name)


@pytest.mark.parametrize("spelling", [False, [], {"a": 1}, "1e999", "-1e999"])
def test_an_adjustment_that_is_no_number_crashes_the_shop(spelling: Any) -> None:
    assert refusal(case({"adjustment_positive": spelling}, line(0)))[0] == "crash"


def test_no_adjustment_is_no_value() -> None:
    made = memo(case({"adjustment_positive": None}, line(0)))
    assert made["adjustment_positive"] is None
    assert made["adjustment"] == "0.0000"


def test_an_adjustment_is_converted_by_the_rate_and_rounded_again() -> None:
    made = memo(
        case({"qtys": {"L0": 0}, "adjustment_positive": 1.23}, line(0), of=order(base_to_order_rate="0.9137"))
    )
    assert (made["base_adjustment_positive"], made["adjustment_positive"]) == ("1.2300", "1.1200")


def test_zero_and_negative_memos_are_made() -> None:
    assert memo(case({"qtys": {"L0": 0}}, line(0)))["grand_total"] == "0.0000"
    assert memo(case({"qtys": {"L0": 0}, "adjustment_negative": 3}, line(0)))["grand_total"] == "-3.0000"


def test_what_does_not_fit_the_shops_column_is_kept_at_its_end() -> None:
    made = memo(case({"qtys": {"L0": 0}, "adjustment_negative": 1e12}, line(0)))
    assert made["grand_total"] == "-99999999.9999"


def test_more_than_was_paid_is_refused_with_what_is_left() -> None:
    of = order(total_paid="10.00", total_refunded="4.00")
    words = 'Maximum amount available to refund is <span class="price">$6.00</span>'
    assert refusal(case(None, line(0), of=of)) == ("over_paid", words)
    euros = of | {"base_currency_code": "EUR"}
    assert "\u20ac6.00" in refusal(case(None, line(0), of=euros))[1]


def test_the_rest_after_a_negative_memo_can_be_more_than_before() -> None:
    of = order(total_paid="10.00", total_refunded="-3.00")
    assert memo(case({"adjustment_positive": 3}, line(0), of=of))["grand_total"] == "13.0000"


@pytest.mark.parametrize(
    ("given", "refused"),
    [("5", True), (5, True), ("0.0", True), ("0", False), ("", False), (0, False), (None, False)],
)
def test_guests_have_no_store_credit(given: Any, refused: bool) -> None:
    made = case(None, line(0), extra_args=["sorry", False, False, given])
    if refused:
        assert refusal(made)[0] == "store_credit_of_guest"
        member = made | {"order": made["order"] | {"customer_is_guest": "0"}}
        assert memo(member)["grand_total"] == "10.0000"
    else:
        assert memo(made)["comments"] == [{"comment": "sorry"}]


def test_store_credit_is_looked_at_after_quantities_and_before_what_was_paid() -> None:
    extra: dict[str, Any] = {"extra_args": [None, False, False, "5"]}
    assert refusal(case({"qtys": {"L0": 9}}, line(0), **extra))[0] == "quantity"
    poor = order(total_paid="1.00")
    assert refusal(case(None, line(0), of=poor, **extra))[0] == "store_credit_of_guest"


def test_tax_that_the_shop_has_no_value_for_stays_without_one() -> None:
    made = memo(case(None, line(0, tax_invoiced=None)))
    assert made["items"][0]["tax_amount"] is None
    assert made["tax_amount"] == "0.0000"


def test_no_more_tax_is_given_back_than_the_order_has_left() -> None:
    of = order(tax_invoiced="1.00", tax_refunded="0.70")
    made = memo(case(None, line(0, tax_invoiced="1.00"), of=of))
    assert (made["tax_amount"], made["items"][0]["tax_amount"]) == ("0.3000", "1.0000")


def test_asking_for_the_same_again_makes_another_memo() -> None:
    asked = asking("1", {0: 1}, shipping_amount=0)
    again = line(0, qty="3", row="30.00") | {"qty_refunded": "1"}
    again |= {"amount_refunded": "10.00", "base_amount_refunded": "10.00"}
    first, second = memo(case(asked, line(0, qty="3", row="30.00"))), memo(case(asked, again))
    assert first["grand_total"] == second["grand_total"] == "10.0000"


def test_a_line_whose_rest_was_canceled_is_last() -> None:
    ended = line(0, qty="2", row="5.005") | {"qty_invoiced": "1", "qty_canceled": "1"}
    assert memo(case(None, ended))["items"][0]["row_total"] == "5.0050"


def test_one_cent_more_than_was_paid_is_refused() -> None:
    assert refusal(case(None, line(0), of=order(total_paid="9.99")))[0] == "over_paid"
    assert memo(case(None, line(0), of=order(total_paid="9.995")))["grand_total"] == "10.0000"


@pytest.mark.parametrize("shop", ["1", "2.2", "2.4"])
def test_the_most_shipping_is_the_exact_rest_in_the_orders_currency(shop: str) -> None:
    sums = {"shipping_amount": "9.13", "base_shipping_amount": "10.00"}
    given = {"shipping_refunded": "3.05", "base_shipping_refunded": "3.33"}
    made = case(asking(shop, {0: 1}, shipping_amount=6.67), line(0), shop=shop, of=order(**sums, **given))
    assert amount(memo(made), "shipping_amount") == amount({"is": "6.08"}, "is")
