"""What people decide about one refund: refused while money may be moving, else one line of history."""

import pytest
from sqlalchemy import text

from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status, Wait
from refunds.flow.operate import cancel, retry_now
from refunds.flow.refusal import Cause, Refusal
from refunds.store.refunds import Refund
from tests.flow.spoken import SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually

DECLINE = {"do": "decline", "code": "issuer_declined"}


def retry(house: House, refund_id: str) -> Refund | Refusal:
    return retry_now(house.parts, refund_id, actor="op@desk", reason="customer waits")


def test_a_try_now_is_an_extra_uncounted_attempt_and_changes_no_schedule(either_house: House) -> None:
    house = either_house
    refund_id = house.refund(house.payment("20.00", {**DECLINE, "times": 2}), "5.00")
    with house.working():
        due = house.until(refund_id, Status.QUEUED).due_at

        assert isinstance(retry(house, refund_id), Refund)
        eventually(lambda: len(house.attempts(refund_id)) == 2 and house.get(refund_id).due_at == due)

        refund = house.get(refund_id)
        assert (refund.status, refund.wait, refund.attempts_counted, refund.extra) == (
            Status.QUEUED,
            Wait.DAILY,
            1,
            False,
        )
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert [(row["extra"], row["counted_number"]) for row in house.attempts(refund_id)] == [
        (0, 1),
        (1, None),
        (0, None),
    ]
    assert ("op@desk", "try now: customer waits") in [
        (row["actor"], row["why"]) for row in house.history(refund_id)
    ]
    assert house.notices(refund_id) == []


def test_a_try_now_that_finds_an_outage_leaves_the_daily_run(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", DECLINE, {"do": "unavailable"}), "5.00")
    with house.working():
        due = house.until(refund_id, Status.QUEUED).due_at
        retry(house, refund_id)
        eventually(lambda: len(house.attempts(refund_id)) == 2 and house.get(refund_id).due_at == due)

    assert house.get(refund_id).attempts_counted == 1


def test_try_now_after_a_failure_makes_a_new_attempt(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00", {**DECLINE, "times": 4})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
        assert house.balance(payment).reserved_minor == 0

        assert isinstance(retry(house, refund_id), Refund)
        house.until(refund_id, Status.REFUNDED)

    attempts = house.attempts(refund_id)
    assert [row["counted_number"] for row in attempts] == [1, 2, 3, 4, None]
    assert (house.balance(payment).reserved_minor, house.balance(payment).refunded_minor) == (0, 500)
    assert house.broken_sums() == []


def test_a_try_now_of_a_failed_refund_reserves_again_and_releases_when_it_fails_again(house: House) -> None:
    payment = house.payment("20.00", {**DECLINE, "times": None})
    refund_id = house.refund(payment, "15.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
    told = house.notices(refund_id)

    retry(house, refund_id)
    retry(house, refund_id)
    assert house.balance(payment).reserved_minor == 1500
    assert house.broken_sums() == []
    with house.working():
        eventually(lambda: len(house.attempts(refund_id)) == 5 and not house.get(refund_id).extra)
        house.until(refund_id, Status.FAILED)

    assert house.balance(payment).reserved_minor == 0
    assert house.get(refund_id).attempts_counted == 4
    assert house.notices(refund_id) == told
    assert house.broken_sums() == []


def test_a_try_now_that_no_longer_fits_is_refused(house: House) -> None:
    payment = house.payment("20.00", {**DECLINE, "times": 4})
    refund_id = house.refund(payment, "15.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
    house.refund(payment, "6.00")

    refused = retry(house, refund_id)

    assert isinstance(refused, Refusal)
    assert refused.cause is Cause.EXCEEDS_REMAINING
    assert house.balance(payment).reserved_minor == 600


def test_a_try_now_of_a_failed_refund_with_a_lost_answer_is_looked_up_and_found(house: House) -> None:
    payment = house.payment("20.00", {**DECLINE, "times": 4}, {"do": "reset_after"})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
        retry(house, refund_id)
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert house.story(refund_id)[-2:] == ["in_doubt", "refunded"]
    assert house.paid_minor(refund_id) == 500
    assert house.broken_sums() == []


def test_a_try_now_of_a_failed_refund_with_a_lost_request_has_failed_again(house: House) -> None:
    payment = house.payment("20.00", {**DECLINE, "times": 4}, {"do": "reset_before"})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
        retry(house, refund_id)
        house.until(refund_id, Status.IN_DOUBT)
        house.until(refund_id, Status.FAILED, hurry=True)

    assert house.balance(payment).reserved_minor == 0
    assert house.paid_minor(refund_id) == 0
    assert house.broken_sums() == []


@pytest.mark.parametrize("status", [Status.REQUESTED, Status.QUEUED])
def test_what_is_surely_not_under_way_can_be_cancelled(either_house: House, status: Status) -> None:
    house = either_house
    payment = house.payment("20.00", DECLINE)
    refund_id = house.refund(payment, "5.00")
    if status is Status.QUEUED:
        with house.working():
            house.until(refund_id, Status.QUEUED)

    cancelled = cancel(house.parts, refund_id, actor="op@desk", reason="customer keeps it")

    assert isinstance(cancelled, Refund)
    assert (cancelled.status, cancelled.due_at) == (Status.CANCELLED, None)
    assert house.balance(payment).reserved_minor == 0
    last = house.history(refund_id)[-1]
    assert (last["actor"], last["why"]) == ("op@desk", "cancelled: customer keeps it")
    with house.working():
        other = house.refund(payment, "20.00")
        house.until(other, Status.REFUNDED, hurry=True)
    assert house.get(refund_id).status is Status.CANCELLED


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.QUEUED, Status.FAILED}))
def test_a_try_now_is_refused_in_every_other_status(house: House, status: Status) -> None:
    refund_id = house.refund(house.payment(), "5.00")
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = :status"), {"status": status})

    refused = retry(house, refund_id)

    assert isinstance(refused, Refusal)
    assert refused.cause is Cause.WRONG_STATUS
    assert not house.get(refund_id).extra


@pytest.mark.parametrize(
    "status",
    [
        *(Status.ATTEMPTING, Status.IN_DOUBT, Status.SUBMITTED, Status.REFUNDED),
        *(Status.VOIDED, Status.FAILED, Status.REFUNDED_EXTERNALLY, Status.CANCELLED),
    ],
)
def test_what_may_be_under_way_or_is_over_cannot_be_cancelled(house: House, status: Status) -> None:
    payment = house.payment()
    refund_id = house.refund(payment, "5.00")
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = :status"), {"status": status})

    refused = cancel(house.parts, refund_id, actor="op", reason="test")

    assert isinstance(refused, Refusal)
    assert refused.cause is Cause.WRONG_STATUS
    assert house.balance(payment).reserved_minor == 500


def test_a_refund_in_its_call_is_neither_cancelled_nor_tried(
    open_house: HouseMaker, database_url: str
) -> None:
    spoken = SpokenGateway([Answer(Outcome.REFUNDED, reference="sre_1")], held=True)
    house = open_house(database_url, gateway=spoken)
    refund_id = house.refund(house.payment(), "5.00")
    with house.working():
        eventually(lambda: spoken.in_flight == 1)
        assert isinstance(cancel(house.parts, refund_id, actor="op", reason="x"), Refusal)
        assert isinstance(retry(house, refund_id), Refusal)
        spoken.let_go()
        house.until(refund_id, Status.REFUNDED)


def test_a_refund_nobody_knows_is_said_to_be_unknown(house: House) -> None:
    for refused in (retry(house, "rf_nobody"), cancel(house.parts, "rf_nobody", actor="op", reason="x")):
        assert isinstance(refused, Refusal)
        assert refused.cause is Cause.REFUND_UNKNOWN
