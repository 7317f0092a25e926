"""Payments are registered once; what contradicts the kept one is refused; a void takes one whole."""

from typing import Any

import pytest

from refunds.domain.status import Kind, Status
from refunds.flow.intake import Accepted
from refunds.flow.operate import cancel, retry_now
from refunds.flow.payments import Registered, register
from refunds.flow.refusal import Cause, Refusal
from tests.house_of import House

FORM = {"order_id": "o-1", "transaction_id": "tx-1", "captured_amount": "20.00", "currency": "GBP"}
AUTHORIZED = {
    "order_id": "o-2",
    "transaction_id": "tx-2",
    "status": "authorized",
    "authorized_amount": "50.00",
    "currency": "GBP",
}


def one(house: House, **form: Any) -> Registered | Refusal:
    [registered] = register(house.parts, [form])
    return registered


def cause(taken: object) -> Cause:
    assert isinstance(taken, Refusal), taken
    return taken.cause


def test_a_payment_is_registered_once(either_house: House) -> None:
    first, again = one(either_house, **FORM), one(either_house, **FORM)

    assert isinstance(first, Registered)
    assert isinstance(again, Registered)
    assert (first.created, again.created) == (True, False)
    assert first.payment == again.payment
    assert either_house.count("payments") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"captured_amount": "20.01"},
        {"order_id": "o-9"},
        {"currency": "EUR"},
        {"refunded_before": "1.00"},
        {"captured_amount": "0", "status": "authorized", "authorized_amount": "20.00"},
    ],
    ids=repr,
)
def test_what_contradicts_the_kept_payment_is_refused(either_house: House, change: dict[str, str]) -> None:
    one(either_house, **FORM)

    assert cause(one(either_house, **{**FORM, **change})) is Cause.PAYMENT_MISMATCH
    assert either_house.balance("tx-1").captured_minor == 2000


def test_two_that_contradict_each_other_in_one_call_are_not_both_taken(either_house: House) -> None:
    first, second, third = register(either_house.parts, [FORM, {**FORM, "captured_amount": "99.00"}, FORM])

    assert isinstance(first, Registered)
    assert isinstance(third, Registered)
    assert (first.created, third.created) == (True, False)
    assert cause(second) is Cause.PAYMENT_MISMATCH
    assert either_house.balance("tx-1").captured_minor == 2000


def test_each_payment_of_a_call_is_answered_in_its_place(either_house: House) -> None:
    answered = register(
        either_house.parts,
        [FORM, {**FORM, "currency": "XXX"}, {**FORM, "transaction_id": "tx-9"}, {"nonsense": 1}],
    )

    kinds = [type(each) for each in answered]
    assert kinds == [Registered, Refusal, Registered, Refusal]
    assert register(either_house.parts, [{"nonsense": 1}])[0] == answered[3]


@pytest.mark.parametrize(
    "form",
    [
        {**FORM, "captured_amount": "0"},
        {**FORM, "refunded_before": "20.01"},
        {**AUTHORIZED, "captured_amount": "1.00"},
        {**FORM, "captured_amount": "20.001"},
    ],
    ids=repr,
)
def test_a_payment_that_cannot_be_is_refused(house: House, form: dict[str, str]) -> None:
    assert cause(one(house, **form)) is Cause.INVALID
    assert house.count("payments") == 0


def test_a_payment_of_an_unknown_account_or_gateway_is_refused(house: House) -> None:
    assert cause(one(house, **{**FORM, "account": "elsewhere"})) is Cause.ACCOUNT_UNKNOWN
    assert cause(one(house, **{**FORM, "gateway": "elsewhere"})) is Cause.GATEWAY_UNKNOWN


def test_an_authorized_payment_that_is_registered_again_otherwise_is_refused(either_house: House) -> None:
    one(either_house, **AUTHORIZED)

    again = one(either_house, **AUTHORIZED)
    assert isinstance(again, Registered)
    assert not again.created
    changed = one(either_house, **{**AUTHORIZED, "authorized_amount": "500.00"})
    assert cause(changed) is Cause.PAYMENT_MISMATCH


def test_an_authorized_payment_is_captured_once_and_then_refundable(either_house: House) -> None:
    house = either_house
    payment = house.payment("0", status="authorized", authorized_amount="50.00")
    capture = {
        "order_id": f"order-{payment}",
        "transaction_id": payment,
        "captured_amount": "40.00",
        "currency": "GBP",
    }
    assert cause(house.ask(payment, "1.00")) is Cause.EXCEEDS_CAPTURED

    for _ in range(2):
        captured = one(house, **capture)
        assert isinstance(captured, Registered)
        assert captured.payment.status == "captured"
    assert cause(one(house, **{**capture, "captured_amount": "50.00"})) is Cause.PAYMENT_MISMATCH

    assert cause(house.ask(payment, kind=Kind.VOID)) is Cause.NOT_VOIDABLE
    assert isinstance(house.ask(payment, "40.00"), Accepted)


def test_a_void_takes_the_whole_authorized_payment_exclusively(either_house: House) -> None:
    house = either_house
    payment = house.payment("0", status="authorized", authorized_amount="50.00")

    taken = house.ask(payment, kind=Kind.VOID)

    assert isinstance(taken, Accepted)
    assert (taken.refund.kind, taken.refund.amount_minor) == (Kind.VOID, 5000)
    assert cause(house.ask(payment, kind=Kind.VOID)) is Cause.NOT_VOIDABLE
    assert cause(house.ask(payment, "1.00")) is Cause.NOT_VOIDABLE
    capture = {
        "order_id": f"order-{payment}",
        "transaction_id": payment,
        "captured_amount": "40.00",
        "currency": "GBP",
    }
    assert cause(one(house, **capture)) is Cause.PAYMENT_MISMATCH
    with house.working():
        house.until(taken.refund.id, Status.VOIDED)
    assert house.balance(payment).refunded_minor == house.balance(payment).reserved_minor == 0
    assert house.broken_sums() == []


def test_a_captured_payment_is_not_voided_and_a_void_of_more_is_refused(house: House) -> None:
    assert cause(house.ask(house.payment("20.00"), kind=Kind.VOID)) is Cause.NOT_VOIDABLE
    payment = house.payment("0", status="authorized", authorized_amount="50.00")
    assert cause(house.ask(payment, "50.01", kind=Kind.VOID)) is Cause.EXCEEDS_CAPTURED


def test_a_cancelled_void_leaves_the_payment_free(house: House) -> None:
    payment = house.payment("0", status="authorized", authorized_amount="50.00")
    void = house.refund(payment, kind=Kind.VOID)
    cancel(house.parts, void, actor="op", reason="test")

    assert isinstance(house.ask(payment, kind=Kind.VOID), Accepted)


def test_a_failed_void_is_not_tried_again_beside_another_one(either_house: House) -> None:
    """Both would be voids of one payment in flight: the lane's claims would break on the second."""
    house = either_house
    steps = {"do": "decline", "code": "issuer_declined", "times": 4}
    payment = house.payment("0", steps, status="authorized", authorized_amount="50.00")
    first = house.refund(payment, kind=Kind.VOID)
    with house.working():
        house.until(first, Status.FAILED, hurry=True)
    second = house.refund(payment, kind=Kind.VOID)

    assert cause(retry_now(house.parts, first, actor="op", reason="test")) is Cause.NOT_VOIDABLE

    with house.working():
        house.until(second, Status.VOIDED)
    assert cause(retry_now(house.parts, first, actor="op", reason="test")) is Cause.NOT_VOIDABLE


def test_no_other_void_is_taken_while_a_failed_one_is_tried_again(either_house: House) -> None:
    house = either_house
    steps = {"do": "decline", "code": "issuer_declined", "times": 4}
    payment = house.payment("0", steps, status="authorized", authorized_amount="50.00")
    first = house.refund(payment, kind=Kind.VOID)
    with house.working():
        house.until(first, Status.FAILED, hurry=True)
    retry_now(house.parts, first, actor="op", reason="test")

    assert cause(house.ask(payment, kind=Kind.VOID)) is Cause.NOT_VOIDABLE

    with house.working():
        assert house.until(first, Status.VOIDED)


def test_a_failed_void_is_not_tried_again_once_the_payment_is_captured(house: House) -> None:
    steps = {"do": "decline", "code": "issuer_declined", "times": 4}
    payment = house.payment("0", steps, status="authorized", authorized_amount="50.00")
    void = house.refund(payment, kind=Kind.VOID)
    with house.working():
        house.until(void, Status.FAILED, hurry=True)
    one(
        house,
        order_id=f"order-{payment}",
        transaction_id=payment,
        captured_amount="50.00",
        currency="GBP",
    )

    assert cause(retry_now(house.parts, void, actor="op", reason="test")) is Cause.NOT_VOIDABLE
