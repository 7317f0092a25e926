"""A failed refund that is started over: reserved again, all its tries anew, never twice on one local date."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from refunds.domain.status import Status
from refunds.flow.decide import start_over
from refunds.flow.refusal import Cause, Refusal
from refunds.store.refunds import Refund
from tests.house_of import House

DECLINE = {"do": "decline", "code": "issuer_declined"}


def restart(house: House, refund_id: str) -> Refund | Refusal:
    return start_over(house.parts, refund_id, actor="op@desk", reason="new card")


def cause(refused: Refund | Refusal) -> Cause:
    assert isinstance(refused, Refusal), refused
    return refused.cause


def sums(house: House, payment: str) -> tuple[int, int, int]:
    """Reserved, refunded and external of a payment."""
    balance = house.balance(payment)
    return balance.reserved_minor, balance.refunded_minor, balance.external_minor


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED}))
def test_only_what_failed_is_started_over(house: House, status: Status) -> None:
    payment = house.payment()
    refund_id = house.refund(payment, "5.00")
    _put(house, status)

    assert cause(restart(house, refund_id)) is Cause.WRONG_STATUS
    assert (house.get(refund_id).status, sums(house, payment)) == (status, (500, 0, 0))


def test_a_refund_that_is_started_over_has_all_its_tries_anew(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00", {**DECLINE, "times": 7})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
        assert sums(house, payment) == (0, 0, 0)

        done = restart(house, refund_id)

        assert isinstance(done, Refund), done
        assert (done.status, done.episode, done.attempts_counted) == (Status.QUEUED, 2, 0)
        assert sums(house, payment) == (500, 0, 0)
        assert done.due_at is not None
        assert done.due_at.date() == house.now.date() + timedelta(days=1), "once on one local date"
        last = house.history(refund_id)[-1]
        assert (last["actor"], last["why"]) == ("op@desk", "started over: new card")
        house.until(refund_id, Status.REFUNDED, hurry=True)

    counted = [(row["episode"], row["counted_number"]) for row in house.attempts(refund_id)]
    assert counted == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (2, 3), (2, None)]
    days = [row["claimed_at"].date() for row in house.attempts(refund_id)]
    assert len(set(days)) == len(days)
    assert [kind for kind, _ in house.notices(refund_id)] == ["failed"]
    assert (sums(house, payment), house.broken_sums()) == ((0, 500, 0), [])


def test_a_refund_whose_money_went_elsewhere_is_not_started_over(house: House) -> None:
    payment = house.payment("20.00", {**DECLINE, "times": 4})
    refund_id = house.refund(payment, "15.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
    house.refund(payment, "6.00")

    assert cause(restart(house, refund_id)) is Cause.EXCEEDS_REMAINING
    assert (house.get(refund_id).status, sums(house, payment)) == (Status.FAILED, (600, 0, 0))


def test_a_refund_nobody_knows_is_not_started_over(house: House) -> None:
    assert cause(restart(house, "rf_nobody")) is Cause.REFUND_UNKNOWN


def _put(house: House, status: Status) -> None:
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = :status"), {"status": status})
