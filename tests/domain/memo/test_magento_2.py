"""How a Magento 2 reads what it is asked for, and everything it complains of."""

from typing import Any

import pytest

from tests.domain.memo.shops import amount, asking, case, line, memo, order, refusal


def _made(body: Any, *lines: dict[str, Any], shop: str = "2.2", **fields: Any) -> dict[str, Any]:
    return case(body, *(lines or (line(0, qty="4", row="40.00"), line(1))), shop=shop, **fields)


def _qtys(body: Any) -> dict[int, str]:
    return {item["line"]: item["qty"] for item in memo(_made(body))["items"]}


_ALL = {0: "4", 1: "1"}


@pytest.mark.parametrize(
    "body", [None, {}, [], {"items": []}, {"items": None}, {"items": {}}, {"itmes": [{"line": 0, "qty": 1}]}]
)
def test_without_items_everything_is_refunded(body: Any) -> None:
    assert _qtys(body) == _ALL


@pytest.mark.parametrize(
    "items",
    [
        [{"line": 0, "qty": 2}],
        [{"line": 0, "qty": "2"}],
        [{"line": 0, "qty": " 2.0"}],
        [{"line": 0, "qty": 3}, {"line": 0, "qty": 2}],
        [{"line": 0, "qty": 2}, {"line": 1}],
        {"a": {"line": 0, "Qty": 2}},
    ],
)
def test_named_items_are_refunded_and_the_last_of_two_counts(items: Any) -> None:
    assert _qtys({"items": items}) == {0: "2"}


@pytest.mark.parametrize("qty", ["2abc", "abc", "", True, [2], "2 "])
def test_a_quantity_of_another_type_is_refused(qty: Any) -> None:
    reason, words = refusal(_made({"items": [{"line": 0, "qty": qty}]}))
    assert reason == "invalid_input"
    assert words.startswith('Error occurred during "qty" processing. Invalid type for value: ')


@pytest.mark.parametrize("name", ["shipping_amount", "adjustment_positive", "adjustment_negative"])
@pytest.mark.parametrize("spelling", ["10%", "abc", "1,5", False, {}])
def test_an_argument_of_another_type_is_refused(name: str, spelling: Any) -> None:
    assert refusal(_made({"arguments": {name: spelling}}))[0] == "invalid_input"


@pytest.mark.parametrize(
    "body",
    [
        {"arguments": {"shipping": 1}},
        {"items": [{"line": 0, "sku": "S0"}]},
        {"comment": {"text": "a"}},
        {"items": "abc"},
    ],
)
def test_an_unknown_key_below_the_top_crashes_the_shop(body: Any) -> None:
    assert refusal(_made(body))[0] == "crash"


def test_keys_are_found_in_either_spelling() -> None:
    assert memo(_made({"arguments": {"adjustmentNegative": "2"}}))["adjustment_negative"] == "2"


def test_an_item_without_its_id_is_refused_over_everything_else() -> None:
    closed = order(state="closed")
    assert refusal(_made({"items": [{"qty": 1}]}, of=closed)) == ("invalid_input", "ID required")
    assert refusal(_made({"items": [7]}, of=closed)) == ("invalid_input", "ID required")


@pytest.mark.parametrize("item", [{"line": 7, "qty": 1}, {"order_item_id": 123456, "qty": 1}])
def test_an_item_of_another_order_is_refused(item: Any) -> None:
    reason, words = refusal(_made({"items": [item], "arguments": {"adjustment_positive": 3}}))
    assert reason == "no_products"
    assert (
        words.splitlines()[-1]
        == "The creditmemo contains product item that is not part of the original order."
    )


def test_more_than_is_left_is_refused() -> None:
    asked = asking("2.2", {1: 1.5})
    assert refusal(_made(asked, line(0), line(1) | {"is_qty_decimal": 1})) == (
        "quantity",
        'We found an invalid quantity to refund item "S1".',
    )


def test_half_a_piece_is_reckoned_in_part_by_2_2_and_refused_by_2_4() -> None:
    asked = asking("2.2", {0: 1.5})
    taxed = line(0, qty="4", row="40.00", tax_invoiced="4.00")
    of = order(tax_invoiced="4.00")
    [item] = memo(_made(asked, taxed, of=of))["items"]
    assert (item["row_total"], item["tax_amount"], item["qty"]) == ("10", "1.5", "1.5")
    assert refusal(_made(asked, taxed, of=of, shop="2.4"))[0] == "quantity"
    [less] = memo(_made(asking("2.2", {0: 0.5}), taxed, of=of))["items"]
    assert (less["row_total"], less["tax_amount"], less["qty"]) == ("0", "0.5", "0.5")


def test_every_complaint_has_its_line() -> None:
    of = order(state="closed", status="closed", total_paid="5.00")
    reason, words = refusal(_made({"arguments": {"adjustment_negative": 100}}, of=of))
    assert reason == "cannot_be_created"
    assert words == (
        "Creditmemo Document Validation Error(s):\n"
        "A creditmemo can not be created when an order has a status of closed\n"
        "The credit memo's total must be positive."
    )


def test_nothing_left_of_what_was_paid_is_refused() -> None:
    of = order(total_paid="5.00", total_refunded="5.00")
    reason, words = refusal(_made(None, of=of))
    assert reason == "cannot_be_created"
    assert words.splitlines()[1:] == [
        "The order does not allow a creditmemo to be created.",
        "The most money available to refund is 0.",
    ]


@pytest.mark.parametrize(("paid", "left"), [("75.345", "75.345"), ("30.1", "30.1"), ("10", "10")])
def test_what_is_left_is_told_as_the_number_is(paid: str, left: str) -> None:
    of = order(total_paid=paid)
    over = _made({"arguments": {"adjustment_positive": 500}}, of=of)
    assert refusal(over)[1].endswith(f"The most money available to refund is {left}.")


def test_a_memo_without_products_needs_shipping_that_is_left() -> None:
    body = asking("2.2", {0: 0, 1: 0}, adjustment_positive=3, shipping_amount=0)
    assert refusal(_made(body))[0] == "no_products"
    shipped = order(shipping_amount="5.00")
    assert memo(_made(body, of=shipped))["grand_total"] == "3"
    used = order(shipping_amount="5.00", shipping_refunded="5.00")
    assert refusal(_made(body, of=used))[0] == "no_products"


def test_a_total_of_zero_is_refused_but_where_2_4_allows_it() -> None:
    body = asking("2.4", {0: 1}, adjustment_negative=10)
    assert refusal(_made(body, shop="2.4"))[0] == "not_positive"
    allowed = {"store": {"sales/zerograndtotal_creditmemo/allow_zero_grandtotal": 1}}
    assert memo(_made(body, shop="2.4", **allowed))["grand_total"] == "0"


_SHIPPED = {
    "shipping_amount": "5.00",
    "shipping_incl_tax": "6.00",
    "shipping_tax_amount": "1.00",
    "tax_invoiced": "1.00",
}


@pytest.mark.parametrize("asked", [5.01, 6])
def test_more_shipping_than_is_left_is_refused(asked: float) -> None:
    over = _made({"arguments": {"shipping_amount": asked}}, of=order(**_SHIPPED))
    assert refusal(over) == ("over_shipping", "Maximum shipping amount allowed to refund is: $5.00")


def test_shipping_of_an_order_without_any_is_refused() -> None:
    assert refusal(_made({"arguments": {"shipping_amount": 1}}))[0] == "no_shipping"


@pytest.mark.parametrize("shop", ["2.2", "2.4"])
def test_shipping_is_asked_for_with_tax_where_the_shop_shows_it_so(shop: str) -> None:
    shown = {"store": {"tax/sales_display/shipping": 2}}
    body = asking(shop, {0: 1}, shipping_amount=3)
    made = memo(_made(body, of=order(**_SHIPPED), shop=shop, **shown))
    assert (made["shipping_amount"], made["shipping_incl_tax"], made["shipping_tax_amount"]) == (
        "2.5",
        "3",
        "0.5",
    )


@pytest.mark.parametrize(("shop", "discount"), [("2.2", "-0.6"), ("2.4", "-0.5")])
def test_the_discount_of_shipping_with_tax_is_shared_on_the_whole_in_2_4(shop: str, discount: str) -> None:
    shown = {"store": {"tax/sales_display/shipping": 2}}
    of = order(**_SHIPPED, shipping_discount_amount="1.00")
    body = asking(shop, {0: 1}, shipping_amount=3)
    assert memo(_made(body, of=of, shop=shop, **shown))["base_discount_amount"] == discount


@pytest.mark.parametrize(("shop", "with_tax"), [("2.2", "6"), ("2.4", "6.2")])
def test_what_is_left_of_shipping_with_tax_is_told_by_version(shop: str, with_tax: str) -> None:
    of = order(**_SHIPPED | {"shipping_incl_tax": "6.20"})
    made = memo(_made({"items": []}, of=of, shop=shop))
    assert (made["shipping_incl_tax"], made["base_shipping_incl_tax"]) == ("6", with_tax)


def test_what_is_left_of_shipping_with_tax_is_never_less_than_nothing() -> None:
    given = {"shipping_refunded": "5.00", "shipping_tax_refunded": "2.00"}
    made = memo(_made({"items": []}, of=order(**_SHIPPED | given), shop="2.4"))
    assert made["base_shipping_incl_tax"] == "0"


def test_the_last_memo_takes_all_tax_that_is_left() -> None:
    of = order(tax_invoiced="1.03", tax_refunded="0.50")
    last = line(0, tax_invoiced="0.50")
    assert memo(_made(None, last, of=of))["tax_amount"] == "0.53"
    assert memo(_made(asking("2.2", {0: 1}), last, line(1), of=of))["tax_amount"] == "0.5"


def test_the_last_memo_without_all_the_shipping_takes_no_rest() -> None:
    of = order(**_SHIPPED | {"tax_invoiced": "1.53"})
    body = {"arguments": {"shipping_amount": 2.5}}
    assert memo(_made(body, line(0, tax_invoiced="0.50"), of=of))["tax_amount"] == "1"


def test_a_negative_quantity_takes_the_discount_back() -> None:
    body = asking("2.2", {0: -1, 1: 2})
    made = memo(_made(body, line(0, qty="4", row="40.00", discount_invoiced="4.00"), line(1, qty="2")))
    assert [item["line"] for item in made["items"]] == [1]
    assert (made["discount_amount"], made["grand_total"]) == ("1", "11")


_OFFLINE = "We can't create creditmemo for the invoice."


def test_the_invoice_of_an_order_paid_offline_is_never_credited() -> None:
    assert refusal(_made(None, via="invoice")) == (
        "invoice_cannot_be_credited",
        f"Creditmemo Document Validation Error(s):\n{_OFFLINE}",
    )
    poor = order(total_paid="5.00")
    reason, words = refusal(_made(None, of=poor, via="invoice"))
    assert reason == "over_paid"
    assert words.splitlines()[-1] == _OFFLINE


def _invoice(**fields: Any) -> dict[str, Any]:
    sums = {"shipping_amount": "5.00", "shipping_tax_amount": "1.00", "tax_amount": "3.00"} | fields
    items = [{"line": 0, "qty": "2", "qty_refunded": fields.get("qty_refunded", "0")}]
    return sums | {f"base_{name}": value for name, value in sums.items()} | {"items": items}


@pytest.mark.parametrize("shop", ["2.2", "2.4"])
def test_a_memo_of_an_invoice_takes_its_lines_its_shipping_and_its_tax(shop: str) -> None:
    of = order(
        **_SHIPPED | {"shipping_amount": "8.00", "shipping_tax_amount": "1.60", "tax_invoiced": "6.60"}
    )
    lines = (line(0, qty="4", row="40.00", tax_invoiced="4.00"), line(1))
    made = memo(_made(None, *lines, of=of, shop=shop, via="invoice", invoice=_invoice()))
    assert made["invoice_id_set"] is True
    assert [(item["line"], item["qty"]) for item in made["items"]] == [(0, "2")]
    assert (made["shipping_amount"], made["shipping_tax_amount"], made["tax_amount"]) == ("5", "0.63", "2.63")
    used = _invoice(qty_refunded="2")
    assert refusal(_made(None, *lines, of=order(), shop=shop, invoice=used))[0] == "not_positive"


def test_a_memo_of_an_invoice_gives_back_no_more_tax_than_the_invoice_has() -> None:
    of = order(tax_invoiced="6.60")
    lines = (line(0, qty="4", row="40.00", tax_invoiced="4.00"), line(1))
    invoice = _invoice(shipping_amount="0", tax_refunded="2.00")
    assert memo(_made(None, *lines, of=of, invoice=invoice))["tax_amount"] == "1"


def test_a_magento_1_memo_of_an_invoice_rounds_its_parts() -> None:
    of = order(**_SHIPPED, shipping_hidden_tax_amount="0.30")
    invoice = _invoice(shipping_hidden_tax_amount="0.30")
    asked = {"qtys": {"L0": 1}, "shipping_amount": 2.5}
    made = memo(case(asked, line(0, qty="4", row="40.00"), of=of, invoice=invoice))
    assert (made["shipping_tax_amount"], made["hidden_tax_amount"]) == ("0.5000", "0.1500")
    nothing = memo(case({"qtys": {"L0": 1}, "shipping_amount": 0}, line(0, qty="4"), of=of, invoice=invoice))
    assert (nothing["shipping_tax_amount"], nothing["hidden_tax_amount"]) == ("0.0000", "0.0000")


@pytest.mark.parametrize("shop", ["1", "2.2", "2.4"])
def test_of_a_configurable_product_the_part_counts_for_nothing(shop: str) -> None:
    whole = line(0, qty="2", row="20.00") | {"product_type": "configurable"}
    part = line(1, qty="2", row="7.00") | {"parent_line": 0}
    made = memo(case(asking(shop, {0: 1}), whole, part, shop=shop))
    assert amount(made, "grand_total") == 10
    assert amount(memo(case(asking(shop), whole, part, shop=shop)), "grand_total") == 20


@pytest.mark.parametrize("shop", ["1", "2.2", "2.4"])
def test_of_a_bundle_priced_by_its_parts_the_container_counts_for_nothing(shop: str) -> None:
    whole = line(0, qty="2", row="20.00") | {"product_type": "bundle"}
    parts = [line(number, qty="2", row="10.00") | {"parent_line": 0} for number in (1, 2)]
    made = memo(case(asking(shop, {1: 1}), whole, *parts, shop=shop))
    assert amount(made, "grand_total") == 5
    assert amount(memo(case(asking(shop), whole, *parts, shop=shop)), "grand_total") == 20


def test_asking_for_a_dummy_itself_is_refused() -> None:
    whole = line(0, qty="2", row="20.00") | {"product_type": "bundle"}
    part = line(1, qty="2", row="10.00") | {"parent_line": 0}
    words = refusal(_made(asking("2.2", {0: 1, 1: 1}), whole, part))[1]
    assert words.endswith("The creditmemo contains incorrect product items.")
