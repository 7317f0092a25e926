"""A request becomes a refund, durably and once, or it is refused and changes nothing."""

from typing import Any

import pytest

from refunds.domain.status import Kind, Status
from refunds.flow.intake import KEY_POINTER, Accepted, Asked, take_in
from refunds.flow.operate import cancel
from refunds.flow.refusal import Cause, Refusal
from tests.flow.asking import cause, counts, take
from tests.house_of import House


def test_a_request_becomes_a_refund_with_its_amount_reserved(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")

    taken = house.ask(payment, "5.00", reason="too small", metadata={"ticket": "T-1"})

    assert isinstance(taken, Accepted)
    refund = taken.refund
    assert (refund.status, refund.amount_minor, refund.currency) == (Status.REQUESTED, 500, "GBP")
    assert (refund.reason, refund.request["metadata"]) == ("too small", {"ticket": "T-1"})
    assert house.balance(payment).reserved_minor == 500
    assert house.story(refund.id) == ["requested"]
    assert house.bell.rung == [("default", "sandbox")]


def test_the_same_key_and_request_answer_the_same_refund_again(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")

    first = house.ask(payment, "5.00", key="k")
    again = house.ask(payment, "5.00", key="k")

    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert (again.refund.id, first.repeated, again.repeated) == (first.refund.id, False, True)
    assert house.balance(payment).reserved_minor == 500


def test_another_request_under_a_used_key_is_refused(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")
    house.refund(payment, "5.00", key="k")
    before = counts(house)

    assert cause(house.ask(payment, "5.01", key="k")) is Cause.KEY_REUSED
    assert cause(house.ask(payment, "5.00", key="k", kind=Kind.VOID)) is Cause.KEY_REUSED
    assert counts(house) == before


def test_a_key_is_its_caller_s_own(house: House) -> None:
    payment = house.payment("20.00")
    asked = Asked("k", {"transaction_id": payment, "amount": "5.00"})

    ids = set()
    for caller in ("shop", "desk"):
        [taken] = take_in(house.parts, [asked], caller=caller, source="test")
        assert isinstance(taken, Accepted)
        ids.add(taken.refund.id)

    assert len(ids) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\nb", "a\x00b"])
def test_a_key_that_cannot_be_kept_is_refused(either_house: House, key: str) -> None:
    taken = either_house.ask(either_house.payment(), "5.00", key=key or None)
    if key:
        assert isinstance(taken, Refusal)
        assert [error.pointer for error in taken.errors] == [KEY_POINTER]
    assert take(either_house, Asked("", {}))[0] == take(either_house, Asked("", {}))[0]


REFUSED: list[tuple[dict[str, Any], Cause]] = [
    ({"amount": "20.01"}, Cause.EXCEEDS_CAPTURED),
    ({"amount": "5.001"}, Cause.INVALID),
    ({"amount": "0.00"}, Cause.INVALID),
    ({"amount": "-1.00"}, Cause.INVALID),
    ({"amount": "5.00", "currency": "EUR"}, Cause.CURRENCY_MISMATCH),
    ({"amount": "5.00", "amount_minor": 501}, Cause.INVALID),
    ({"amount_minor": 0}, Cause.INVALID),
    ({"amount": 5.0}, Cause.INVALID),
    ({"amount": "5.00", "colour": "red"}, Cause.INVALID),
    ({"amount": "5.00", "account": "elsewhere"}, Cause.ACCOUNT_UNKNOWN),
    ({"amount": "5.00", "mode": "offline"}, Cause.NOT_SUPPORTED),
    ({"amount": "5.00", "cancel_order": True}, Cause.NOT_SUPPORTED),
    ({"amount": "5.00", "return_to_stock": True}, Cause.NOT_SUPPORTED),
    ({"amount": "5.00", "callback_url": "https://evil.test/"}, Cause.INVALID),
    ({"amount": "5.00", "refundable_seen": "19.99"}, Cause.STALE_BALANCE),
    ({"amount": "5.00", "gateway": "elsewhere"}, Cause.PAYMENT_UNKNOWN),
    ({"amount": "5.00", "order_id": "another"}, Cause.PAYMENT_UNKNOWN),
    ({"amount": "5.00", "a\x00b\ud800": 1}, Cause.INVALID),
]


def test_a_refusal_leaves_no_row(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")
    before = counts(house)

    for fields, why in REFUSED:
        assert cause(house.ask(payment, **fields)) is why, fields
        assert counts(house) == before, fields

    assert house.balance(payment).reserved_minor == 0
    assert house.bell.rung == []


def test_a_kept_refusal_answers_the_same_again(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")

    for number, (fields, why) in enumerate(REFUSED, 1):
        asked = Asked(f"k{number}", {"transaction_id": payment, **fields})
        [first] = take(house, asked, keep_refusals=True)
        [again] = take(house, asked, keep_refusals=True)

        assert isinstance(first, Refusal), fields
        assert isinstance(again, Refusal), fields
        assert (first.cause, first.repeated, again.repeated) == (why, False, True)
        assert again.document() == first.document()
        assert house.count("intake_log") == number
    assert house.count("refunds") == 0


def test_a_kept_refusal_stays_one_though_the_balance_would_now_allow_it(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")
    blocking = house.refund(payment, "20.00")
    asked = Asked("k", {"transaction_id": payment, "amount": "5.00"})
    assert cause(take(house, asked, keep_refusals=True)[0]) is Cause.EXCEEDS_REMAINING
    cancel(house.parts, blocking, actor="op", reason="test")

    assert cause(take(house, asked)[0]) is Cause.EXCEEDS_REMAINING
    assert isinstance(house.ask(payment, "5.00"), Accepted)


def test_a_request_that_was_refused_and_not_kept_is_judged_anew(house: House) -> None:
    payment = house.payment("20.00")
    blocking = house.refund(payment, "20.00")
    assert cause(house.ask(payment, "5.00", key="k")) is Cause.EXCEEDS_REMAINING
    cancel(house.parts, blocking, actor="op", reason="test")

    assert isinstance(house.ask(payment, "5.00", key="k"), Accepted)


def test_without_an_amount_everything_that_is_refundable_now_is_meant(house: House) -> None:
    payment = house.payment("20.00", refunded_before="4.50")
    house.refund(payment, "5.25")

    everything = house.ask(payment)

    assert isinstance(everything, Accepted)
    assert everything.refund.amount_minor == 1025
    assert cause(house.ask(payment)) is Cause.EXCEEDS_REMAINING


def test_what_was_refunded_before_us_is_not_refundable(house: House) -> None:
    payment = house.payment("20.00", refunded_before="15.00")

    assert cause(house.ask(payment, "5.01")) is Cause.EXCEEDS_REMAINING
    assert isinstance(house.ask(payment, "5.00", refundable_seen="5.00"), Accepted)
    assert cause(house.ask(payment, "0.01", refundable_seen="5.00")) is Cause.STALE_BALANCE


def test_a_batch_is_judged_in_its_order(either_house: House) -> None:
    house = either_house
    payment, other = house.payment("10.00"), house.payment("10.00")

    taken = take(
        house,
        Asked("1", {"transaction_id": payment, "amount": "6.00"}),
        Asked("2", {"transaction_id": payment, "amount": "6.00"}),
        Asked("3", {"transaction_id": other, "amount": "6.00"}),
        Asked("1", {"transaction_id": payment, "amount": "6.00"}),
        Asked("1", {"transaction_id": payment, "amount": "1.00"}),
        Asked("4", {"transaction_id": payment, "amount": "4.00"}),
        Asked("5", {"amount": "4.00"}),
        Asked("6", {"transaction_id": "tx_nobody_knows"}),
    )

    assert [type(each).__name__ if isinstance(each, Accepted) else each.cause for each in taken] == [
        "Accepted",
        Cause.EXCEEDS_REMAINING,
        "Accepted",
        "Accepted",
        Cause.KEY_REUSED,
        "Accepted",
        Cause.INVALID,
        Cause.PAYMENT_UNKNOWN,
    ]
    first, repeat = taken[0], taken[3]
    assert isinstance(first, Accepted)
    assert isinstance(repeat, Accepted)
    assert (repeat.refund.id, repeat.repeated) == (first.refund.id, True)
    assert house.count("intake_log") == house.count("refunds") == 3
    assert house.balance(payment).reserved_minor == 1000
