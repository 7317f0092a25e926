"""Intake and what is around it: payments that come along, batches that are held, the account's settings."""

from datetime import time, timedelta

from refunds.domain.status import Status
from refunds.flow.intake import Accepted, Asked, release_held
from refunds.flow.refusal import Cause
from refunds.store import accounts
from tests.flow.asking import cause, counts, take
from tests.house_of import House
from tests.house_parts import account


def test_a_batch_that_is_held_begins_when_it_is_released(house: House) -> None:
    payments = [house.payment() for _ in range(3)]
    asked = [Asked(payment, {"transaction_id": payment}) for payment in payments]
    taken = take(house, *asked, hold=timedelta(hours=1))
    ids = [each.refund.id for each in taken if isinstance(each, Accepted)]
    assert house.bell.rung == []

    with house.working():
        free = house.refund(house.payment(), "1.00")
        house.until(free, Status.REFUNDED)
        assert {house.get(id_).status for id_ in ids} == {Status.REQUESTED}
        release_held(house.parts, ids)
        for refund_id in ids:
            house.until(refund_id, Status.REFUNDED)


def test_a_held_batch_whose_caller_died_begins_by_itself(house: House) -> None:
    payment = house.payment()
    [taken] = take(house, Asked("k", {"transaction_id": payment}), hold=timedelta(minutes=10))
    assert isinstance(taken, Accepted)

    with house.working():
        assert house.until(taken.refund.id, Status.REFUNDED, hurry=True)


def test_a_payment_that_is_not_known_yet_comes_along(either_house: House) -> None:
    house = either_house
    along = {"order_id": "o-1", "transaction_id": "tx-along", "captured_amount": "20.00", "currency": "GBP"}

    [taken] = take(house, Asked("k", {"amount": "5.00", "payment": along}))
    [second] = take(house, Asked("k2", {"amount": "15.00", "payment": along}))
    [third] = take(house, Asked("k3", {"amount": "0.01", "payment": along}))

    assert isinstance(taken, Accepted)
    assert isinstance(second, Accepted)
    assert taken.refund.payment_id == second.refund.payment_id
    assert cause(third) is Cause.EXCEEDS_REMAINING


def test_a_refused_request_does_not_leave_the_payment_that_came_along(either_house: House) -> None:
    house = either_house
    along = {"order_id": "o-2", "transaction_id": "tx-gone", "captured_amount": "20.00", "currency": "GBP"}
    before = counts(house)

    [taken] = take(house, Asked("k", {"amount": "20.01", "payment": along}), keep_refusals=False)
    assert cause(taken) is Cause.EXCEEDS_CAPTURED
    assert counts(house) == before

    refused, accepted = take(
        house,
        Asked("k", {"amount": "20.01", "payment": along}),
        Asked("k2", {"amount": "20.00", "payment": along}),
    )
    assert cause(refused) is Cause.EXCEEDS_CAPTURED
    assert isinstance(accepted, Accepted)


def test_a_payment_that_comes_along_and_contradicts_the_kept_one_is_refused(house: House) -> None:
    payment = house.payment("20.00")
    along = {
        "order_id": f"order-{payment}",
        "transaction_id": payment,
        "captured_amount": "200.00",
        "currency": "GBP",
    }

    assert cause(house.ask(payment, "5.00", payment=along)) is Cause.PAYMENT_MISMATCH
    assert house.balance(payment).captured_minor == 2000


def test_an_order_with_several_payments_needs_one_named(house: House) -> None:
    one = house.payment("20.00", order_id="order-shared")
    house.payment("30.00", order_id="order-shared")

    [both] = take(house, Asked("k", {"order_id": "order-shared", "amount": "1.00"}))
    [named] = take(house, Asked("k", {"order_id": "order-shared", "transaction_id": one, "amount": "1.00"}))

    assert cause(both) is Cause.PAYMENT_AMBIGUOUS
    assert isinstance(named, Accepted)
    assert named.refund.transaction_id == one


def test_a_changed_zone_moves_the_waiting_retries_in_the_same_transaction(either_house: House) -> None:
    house = either_house
    steps = {"do": "decline", "code": "issuer_declined"}
    refund_id = house.refund(house.payment("20.00", steps), "5.00")
    with house.working():
        before = house.until(refund_id, Status.QUEUED).due_at
    assert before is not None
    assert (before.hour, before.minute) == (9, 0)

    with house.parts.database.begin() as tx:
        accounts.put(tx, account(zone="America/New_York", run_at=time(10, 30)))
    moved = house.get(refund_id).due_at

    assert moved is not None
    assert (moved.hour - before.hour, moved.minute) in {(5, 30), (6, 30)}  # by the zone's season
    assert moved.date() == before.date()


def test_a_changed_zone_moves_no_outage_and_no_operator_s_try(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "unavailable"}), "5.00")
    with house.working():
        before = house.until(refund_id, Status.QUEUED).due_at

    with house.parts.database.begin() as tx:
        accounts.put(tx, account(zone="Asia/Tokyo"))

    assert house.get(refund_id).due_at == before


def test_addresses_that_requests_may_name_are_held_to_the_account_s_domains(house: House) -> None:
    with house.parts.database.begin() as tx:
        accounts.put(tx, account(notify_domains=("shop.test",)))
    payment = house.payment("20.00")

    assert cause(house.ask(payment, "1.00", notify=["a@elsewhere.test"])) is Cause.INVALID
    assert isinstance(house.ask(payment, "1.00", notify=["a@SHOP.test"]), Accepted)
