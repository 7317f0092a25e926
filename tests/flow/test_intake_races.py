"""Many at once: one row a key, and never more than was captured, on either database."""

from collections import Counter
from datetime import timedelta

import pytest

from refunds.domain.status import Kind, Status
from refunds.flow.intake import Accepted, Asked, Taken, take_in
from refunds.flow.payments import register
from refunds.flow.refusal import Cause, Refusal
from refunds.store import accounts
from tests.house_of import House
from tests.house_parts import account
from tests.store.till import at_once


def answers(taken: list[Taken]) -> Counter[str]:
    return Counter(each.cause if isinstance(each, Refusal) else "accepted" for each in taken)


def ask_at_once(house: House, *asked: Asked) -> list[Taken]:
    """Each by a thread of its own."""
    taken: list[Taken] = []

    def ask(item: Asked) -> None:
        taken.extend(take_in(house.parts, [item], caller="shop", source="test"))

    errors = at_once(*[lambda item=item: ask(item) for item in asked])
    assert errors == [None] * len(asked)
    return taken


def test_twenty_equal_requests_at_once_become_one_refund(either_house: House) -> None:
    house = either_house
    payment = house.payment("100.00")

    taken = ask_at_once(house, *[Asked("k", {"transaction_id": payment, "amount": "5.00"})] * 20)

    assert answers(taken) == {"accepted": 20}
    assert len({each.refund.id for each in taken if isinstance(each, Accepted)}) == 1
    assert sum(not each.repeated for each in taken) == 1
    assert (house.count("refunds"), house.count("intake_log")) == (1, 1)
    assert house.balance(payment).reserved_minor == 500


def test_twenty_different_requests_at_once_under_one_key_become_one_refund(either_house: House) -> None:
    house = either_house
    payment = house.payment("100.00")

    taken = ask_at_once(
        house, *[Asked("k", {"transaction_id": payment, "amount": f"{n}.00"}) for n in range(1, 21)]
    )

    assert answers(taken) == {"accepted": 1, Cause.KEY_REUSED: 19}
    assert house.count("refunds") == 1


def test_concurrent_partials_never_exceed_the_capture(either_house: House) -> None:
    house = either_house
    for _ in range(5):
        payment = house.payment("100.00")
        taken = ask_at_once(
            house,
            *[Asked(f"{payment}-{n}", {"transaction_id": payment, "amount": "60.00"}) for n in range(2)],
        )
        assert answers(taken) == {"accepted": 1, Cause.EXCEEDS_REMAINING: 1}
        assert house.balance(payment).reserved_minor == 6000


def test_many_over_asking_partials_take_exactly_what_fits(either_house: House) -> None:
    house = either_house
    payment = house.payment("100.00")

    taken = ask_at_once(
        house, *[Asked(f"k{n}", {"transaction_id": payment, "amount": "9.00"}) for n in range(20)]
    )

    assert answers(taken) == {"accepted": 11, Cause.EXCEEDS_REMAINING: 9}
    assert house.balance(payment).reserved_minor == 9900
    assert house.broken_sums() == []


def test_one_payment_that_comes_along_with_many_requests_at_once_is_registered_once(
    either_house: House,
) -> None:
    house = either_house
    along = {"order_id": "o", "transaction_id": "tx-along", "captured_amount": "100.00", "currency": "GBP"}

    taken = ask_at_once(house, *[Asked(f"k{n}", {"amount": "30.00", "payment": along}) for n in range(8)])

    assert answers(taken) == {"accepted": 3, Cause.EXCEEDS_REMAINING: 5}
    assert house.count("payments") == 1


def test_batches_at_once_over_the_same_payments_in_any_order_all_get_an_answer(either_house: House) -> None:
    house = either_house
    payments = [house.payment("100.00") for _ in range(6)]

    def batch(number: int) -> None:
        order = payments if number % 2 else payments[::-1]
        asked = [Asked(f"{number}-{p}", {"transaction_id": p, "amount": "30.00"}) for p in order]
        taken = take_in(house.parts, asked, caller="shop", source="test")
        assert len(taken) == len(asked)

    assert at_once(*[lambda n=n: batch(n) for n in range(6)]) == [None] * 6
    assert {house.balance(payment).reserved_minor for payment in payments} == {9000}


def test_two_voids_at_once_are_one(either_house: House) -> None:
    house = either_house
    payment = house.payment("0", status="authorized", authorized_amount="50.00")

    taken = ask_at_once(house, *[Asked(f"k{n}", {"transaction_id": payment}, Kind.VOID) for n in range(6)])

    assert answers(taken) == {"accepted": 1, Cause.NOT_VOIDABLE: 5}


def test_a_void_and_a_capture_at_once_are_one_of_the_two(either_house: House) -> None:
    house = either_house
    for _ in range(4):
        payment = house.payment("0", status="authorized", authorized_amount="50.00")
        capture = {
            "order_id": f"order-{payment}",
            "transaction_id": payment,
            "captured_amount": "50.00",
            "currency": "GBP",
        }
        voids: list[Taken] = []
        captures: list[object] = []
        errors = at_once(
            lambda payment=payment, voids=voids: voids.append(house.ask(payment, kind=Kind.VOID)),
            lambda capture=capture, captures=captures: captures.extend(register(house.parts, [capture])),
        )
        assert errors == [None, None]
        assert isinstance(voids[0], Refusal) != isinstance(captures[0], Refusal)


@pytest.mark.parametrize("zone", ["Pacific/Auckland"])
def test_a_zone_that_changes_while_work_goes_on_loses_no_retry(either_house: House, zone: str) -> None:
    house = either_house
    steps = {"do": "decline", "code": "issuer_declined"}
    ids = [house.refund(house.payment("20.00", steps), "1.00") for _ in range(6)]
    with house.working():
        for other in (zone, "UTC", zone):
            with house.parts.database.begin() as tx:
                accounts.put(tx, account(zone=other))
        for refund_id in ids:
            house.until(refund_id, Status.QUEUED, Status.REFUNDED)
        with house.parts.database.begin() as tx:
            accounts.put(tx, account(zone="UTC"))
            accounts.put(tx, account(zone=zone))
        dues = {house.get(refund_id).due_at for refund_id in ids}
        assert len(dues) == 1
        assert all(due is not None and due - house.now < timedelta(days=2) for due in dues)
        for refund_id in ids:
            house.until(refund_id, Status.REFUNDED, hurry=True)
