"""The forms: what a field may hold, how a wrong one is named, and whom a request may ask to tell."""

from datetime import UTC, datetime
from email.utils import getaddresses
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from config import checks
from refunds.flow.refusal import Cause, FieldError, Refusal
from refunds.flow.request import Item, PaymentForm, RefundForm, read

PAYMENT = {"order_id": "1", "transaction_id": "t1", "currency": "GBP"}
LONGEST = "x" * 200

FormT = TypeVar("FormT", RefundForm, PaymentForm)


def taken(form: type[FormT], document: object) -> FormT:
    found = read(form, document)
    assert isinstance(found, form)
    return found


def refused(form: type[RefundForm | PaymentForm], document: object) -> tuple[FieldError, ...]:
    found = read(form, document)
    assert isinstance(found, Refusal)
    assert found.cause is Cause.INVALID
    return found.errors


def notified(address: str) -> tuple[str, ...] | None:
    """What is kept of an address to be told; None where it is refused, and alone to blame."""
    found = read(RefundForm, {"order_id": "1", "notify": [address]})
    if isinstance(found, RefundForm):
        return tuple(found.notify)
    assert [error.pointer for error in found.errors] == ["/notify/0"]
    return None


@pytest.mark.parametrize(
    "address",
    [
        "oncall@shop.example",
        "oncall@localhost",
        "oncall@mailhost",
        "oncall@shop.test",
        "oncall@shop.local",
        "oncall@shop.internal",
        "o'n+c=all.x@a-b.c1",
    ],
)
def test_an_address_of_any_domain_that_is_well_formed_is_taken(address: str) -> None:
    assert notified(address) == (address,)


@pytest.mark.parametrize(
    "spelt", ["a@B\u00fccher.Example", "a@xn--bcher-kva.example", "a@b\u00fccher\u3002example"]
)
def test_the_domain_of_an_address_is_kept_as_the_allowed_domains_are(spelt: str) -> None:
    assert notified(spelt) == ("a@xn--bcher-kva.example",)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@",
        "@shop.local",
        "a@@shop.local",
        "a@shop.local\r\nBcc: b@shop.local",
        "a@shop.local\n",
        "\ra@shop.local",
        "a\n@shop.local",
        "a@shop.local,b@shop.local",
        "a@shop.local, b@shop.local",
        "a@shop.local;b@shop.local",
        "a@shop.local b@shop.local",
        "a@shop.local@b.local",
        " a@shop.local",
        "a@shop.local ",
        "\ta@shop.local",
        "a@shop.local\u00a0",
        "a@shop.local\u2028",
        "a@shop.local\u200b",
        "a@shop.local\0",
        "a\ud800@shop.local",
        "a@shop.local\udc80",
        "A <a@shop.local>",
        "<a@shop.local>",
        '"A" <a@shop.local>',
        "a@shop.local (A)",
        '"a b"@shop.local',
        '"a\r\nBcc: b"@shop.local',
        "\u00e4@shop.local",
        "a@[127.0.0.1]",
        "a@shop.local.",
        "a@-shop.local",
        "a..b@shop.local",
        f"a@{'x' * 64}.local",
        f"a@{'x.' * 200}local",
    ],
)
def test_what_is_not_one_plain_address_is_refused(address: str) -> None:
    assert notified(address) is None


names = st.text(st.sampled_from("ab1_+.\u00e9"), min_size=1, max_size=4)
hosts = st.text(st.sampled_from("ab1-.\u00e9\u0301\u05d0\u3002"), min_size=1, max_size=4)
tricks = st.one_of(st.just(""), st.sampled_from("@'\"<>(),:;\\ \t\r\n\0\u200d\u2028\uff20\ud800"))


@given(st.builds("{}{}@{}{}".format, tricks, names, hosts, tricks))
def test_a_taken_address_is_one_to_the_standard_library_and_to_the_settings_too(text: str) -> None:
    try:
        address = TypeAdapter(checks.Address).validate_python(text)
    except ValidationError:
        assert notified(text) is None
        return
    assert address.isascii()
    assert getaddresses([address]) == [("", address)]
    assert notified(text) == notified(address) == (address,)


def test_an_address_is_not_repeated_by_the_complaint() -> None:
    [error] = refused(RefundForm, {"order_id": "1", "notify": ["a@shop.local", "secret person@shop.local"]})
    assert error.pointer == "/notify/1"
    assert "secret" not in error.detail


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"colour": 1}, "/colour"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"items": [{"sku": "a", "price": "1"}]}, "/items/0/price"),
        ({"payment": {**PAYMENT, "paid": True}}, "/payment/paid"),
    ],
)
def test_a_field_that_is_not_known_is_refused_wherever_it_stands(wrong: dict[str, Any], pointer: str) -> None:
    assert refused(RefundForm, {"order_id": "1"} | wrong) == (FieldError(pointer, "this field is not known"),)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"amount": 12.75}, "/amount"),
        ({"amount": 12}, "/amount"),
        ({"amount_minor": 1275.0}, "/amount_minor"),
        ({"amount_minor": "1275"}, "/amount_minor"),
        ({"items": [{"sku": "a", "amount": 1.5}]}, "/items/0/amount"),
        ({"items": [{"sku": "a", "quantity": 1.0}]}, "/items/0/quantity"),
        ({"refundable_seen": 0.0}, "/refundable_seen"),
        ({"payment": {**PAYMENT, "captured_amount": 1.0}}, "/payment/captured_amount"),
    ],
)
def test_a_number_in_another_form_than_agreed_is_refused(wrong: dict[str, Any], pointer: str) -> None:
    assert [error.pointer for error in refused(RefundForm, {"order_id": "1"} | wrong)] == [pointer]


@pytest.mark.parametrize("value", [True, False])
def test_true_and_false_are_no_numbers_and_one_and_zero_neither_true_nor_false(value: bool) -> None:
    wrong = {
        "order_id": "1",
        "amount_minor": value,
        "items": [{"sku": "a", "quantity": value}],
        "return_to_stock": int(value),
    }
    pointers = {error.pointer for error in refused(RefundForm, wrong)}
    assert pointers == {"/amount_minor", "/items/0/quantity", "/return_to_stock"}


@pytest.mark.parametrize("quantity", [-1, 0, 1_000_001, 10**30])
def test_a_quantity_is_from_one_to_a_million(quantity: int) -> None:
    [error] = refused(RefundForm, {"order_id": "1", "items": [{"sku": "a", "quantity": quantity}]})
    assert error.pointer == "/items/0/quantity"
    largest = taken(RefundForm, {"order_id": "1", "items": [{"sku": "a", "quantity": 1_000_000}]})
    assert largest.items == [Item(sku="a", quantity=1_000_000)]


@pytest.mark.parametrize("amount_minor", [-1, 0, 10**15 + 1])
def test_minor_units_are_more_than_none_and_at_most_the_largest_amount(amount_minor: int) -> None:
    [error] = refused(RefundForm, {"order_id": "1", "amount_minor": amount_minor})
    assert error.pointer == "/amount_minor"
    assert taken(RefundForm, {"order_id": "1", "amount_minor": 10**15}).amount_minor == 10**15


@pytest.mark.parametrize(
    "amount", ["", "-1", "+1", "01", "1.", ".5", "1e3", "1,5", " 1", "1\n", "0.0000001", "\u0661", "NaN"]
)
def test_an_amount_is_plain_decimal_text(amount: str) -> None:
    [error] = refused(RefundForm, {"order_id": "1", "amount": amount})
    assert error.pointer == "/amount"


@pytest.mark.parametrize(
    "order_id",
    [
        *("a\nb", "a\r", "\tb", "a\0", "a\x1b[31mb", "a\x7f", "a\x85b", "a\u2028b", "a\u2029b"),
        *("a\ud800", "\udfffb", "", " ", " a", "a ", "\u00a0a", LONGEST + "x"),
    ],
)
@pytest.mark.parametrize("form", [RefundForm, PaymentForm])
def test_an_order_id_is_one_line_of_at_most_200_characters(
    form: type[RefundForm | PaymentForm], order_id: str
) -> None:
    [error] = refused(
        form, PAYMENT | {"order_id": order_id} if form is PaymentForm else {"order_id": order_id}
    )
    assert error.pointer == "/order_id"


@pytest.mark.parametrize("order_id", [LONGEST, "\N{MONEY BAG}" * 200, "536379 / b", "=1+1", "\u05d0\u0301"])
def test_an_order_id_of_any_script_is_kept_as_it_came(order_id: str) -> None:
    assert taken(RefundForm, {"order_id": order_id}).order_id == order_id
    assert taken(PaymentForm, PAYMENT | {"order_id": order_id}).order_id == order_id


@pytest.mark.parametrize("broken", ["a\0b", "a\ud800b", "x" * 501])
def test_a_longer_text_may_break_lines_but_holds_nothing_that_cannot_be_stored(broken: str) -> None:
    assert taken(RefundForm, {"order_id": "1", "reason": "a\nb"}).reason == "a\nb"
    [error] = refused(RefundForm, {"order_id": "1", "reason": broken})
    assert error.pointer == "/reason"
    [error] = refused(RefundForm, {"order_id": "1", "metadata": {"key": broken}})
    assert error.pointer == "/metadata/key"


@pytest.mark.parametrize("name", ["\ud800", "a\0", "a\n"])
def test_a_name_that_cannot_be_read_is_refused_and_breaks_nothing(name: str) -> None:
    assert refused(RefundForm, {"order_id": "1", name: 1})
    assert refused(RefundForm, {"order_id": "1", "metadata": {name: "x"}})


@pytest.mark.parametrize(
    "spelt", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-01T22:04:05.000-05:00"]
)
def test_a_moment_with_its_zone_is_taken(spelt: str) -> None:
    form = taken(PaymentForm, PAYMENT | {"captured_at": spelt})
    assert form.captured_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "spelt",
    [
        *("2026-01-02T03:04:05", "2026-01-02", "2026-13-01T00:00:00Z", "2026-01-02T03:04:05+24:00"),
        *("yesterday", "", "\ud800", 1767323045, 1767323045.5, True),
    ],
)
def test_a_moment_without_a_zone_or_in_another_form_is_refused(spelt: object) -> None:
    [error] = refused(PaymentForm, PAYMENT | {"captured_at": spelt})
    assert error.pointer == "/captured_at"


@pytest.mark.parametrize("currency", ["gbp", "GB", "GBP\n", "XAU", "XTS", "ZZZ", 826])
def test_a_currency_is_a_current_code_that_can_be_paid_out(currency: object) -> None:
    for form in (RefundForm, PaymentForm):
        [error] = refused(form, PAYMENT | {"currency": currency})
        assert error.pointer == "/currency"


def test_an_item_is_named_and_priced_once() -> None:
    for item in ({"quantity": 1}, {"sku": "a", "amount": "1", "unit_price": "1"}):
        [error] = refused(RefundForm, {"order_id": "1", "items": [item]})
        assert error.pointer == "/items/0"


def test_a_request_names_its_payment_in_one_of_three_ways() -> None:
    assert refused(RefundForm, {}) == (FieldError("", "order_id or transaction_id is needed"),)
    for named in ({"order_id": "1"}, {"transaction_id": "t1"}, {"payment": PAYMENT}):
        assert taken(RefundForm, named)


@pytest.mark.parametrize("document", [None, [], "x", 1, [{"order_id": "1"}]])
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    assert refused(RefundForm, document) == (FieldError("", "the request must be a JSON object"),)


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {"order_id": "", "amount": 1.0, "currency": "x", "notify": ["x"], "payment": {}}
    assert {error.pointer for error in refused(RefundForm, wrong)} == {
        *("/order_id", "/amount", "/currency", "/notify/0"),
        *("/payment/order_id", "/payment/transaction_id", "/payment/currency"),
    }


def test_an_order_alone_asks_for_all_that_is_refundable_online() -> None:
    form = taken(RefundForm, {"order_id": "1"})
    assert (form.amount, form.amount_minor) == (None, None)
    assert (form.account, form.mode, form.notify, form.items) == ("default", "online", [], None)
