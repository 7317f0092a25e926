"""Sums that do not add up stop what waits on that payment, and nothing else."""

from datetime import datetime, timedelta

from sqlalchemy import text

from refunds.domain.status import Status
from refunds.flow import audit
from refunds.flow.audit import audit_sums
from refunds.flow.operate import retry_now
from refunds.flow.refusal import Refusal
from refunds.flow.sweep import MOST_LOST, sweep
from refunds.store import claims
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import Tx, clocks
from tests.house_of import House


def test_a_payment_whose_sums_do_not_add_up_stops_what_waits_on_it_and_tells(either_house: House) -> None:
    house = either_house
    broken, sound = house.payment("20.00"), house.payment("20.00")
    stopped, goes_on = house.refund(broken, "5.00"), house.refund(sound, "5.00")
    _break(house, broken)

    assert audit_sums(house.parts) == 1

    assert house.get(stopped).status is Status.NEEDS_REVIEW
    assert house.get(goes_on).status is Status.REQUESTED
    assert house.notices(stopped) == [("needs_review", "oncall@shop.test")]
    assert "do not add up" in house.history(stopped)[-1]["why"]
    with house.working():
        house.until(goes_on, Status.REFUNDED)
    assert house.sent(stopped) == []


def test_the_audit_goes_through_every_page_and_begins_anew(house: House) -> None:
    payments = [house.payment("20.00") for _ in range(5)]
    _break(house, payments[-1])
    page, audit.PAGE = audit.PAGE, 2
    try:
        found = [audit_sums(house.parts) for _ in range(8)]
    finally:
        audit.PAGE = page

    assert sum(found[:4]) == 1
    assert sum(found[4:]) == 1


def test_a_refund_whose_claims_end_ten_times_without_an_outcome_is_for_a_person(either_house: House) -> None:
    """Whatever kills its workers is not tried for ever."""
    house = either_house
    refund_id = house.refund(house.payment(), "5.00")
    for lost in range(1, MOST_LOST + 1):
        assert house.get(refund_id).status is Status.REQUESTED
        with house.parts.database.begin() as tx:
            real, now = clocks(tx)
            past = real - timedelta(seconds=1)
            taken = _claimed(tx, now=now, lease_until=past)
            assert len(taken) == 1, lost
        sweep(house.parts)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert house.notices(refund_id) == [("needs_review", "oncall@shop.test")]


def _break(house: House, transaction_id: str) -> None:
    with house.parts.database.begin() as tx:
        tx.execute(
            text("UPDATE payments SET reserved_minor = reserved_minor + 1 WHERE transaction_id = :id"),
            {"id": transaction_id},
        )


def test_a_try_now_that_takes_its_workers_down_ten_times_is_given_up_and_stays_failed(house: House) -> None:
    transaction = house.payment("20.00", {"do": "decline", "code": "issuer_declined", "times": None})
    refund_id = house.refund(transaction, "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
    assert not isinstance(retry_now(house.parts, refund_id, actor="op", reason="x"), Refusal)
    for _ in range(MOST_LOST):
        assert house.balance(transaction).reserved_minor == 500
        with house.parts.database.begin() as tx:
            real, now = clocks(tx)
            past = real - timedelta(seconds=1)
            assert len(_claimed(tx, now=now, lease_until=past)) == 1
        sweep(house.parts)

    refund = house.get(refund_id)
    assert (refund.status, refund.extra, refund.due_at) == (Status.FAILED, False, None)
    assert house.balance(transaction).reserved_minor == 0
    assert house.notices(refund_id) == [("failed", "oncall@shop.test")] * 2
    assert house.broken_sums() == []


def _claimed(tx: Tx, *, now: datetime, lease_until: datetime) -> list[Claim]:
    return claims.claim_due(
        tx,
        account=DEFAULT,
        gateway="sandbox",
        first=1,
        again=1,
        worker="w",
        now=now,
        lease_until=lease_until,
    )
