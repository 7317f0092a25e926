"""Whatever the gateway does, each refund ends as promised, and the gateway's own ledger shows no double."""

from datetime import timedelta
from typing import Any

import pytest

from refunds.domain.status import Status, Wait
from tests.house_fixture import HouseMaker
from tests.house_of import House

FINAL = (Status.REFUNDED, Status.FAILED, Status.NEEDS_REVIEW)

LOST_AFTER_PAYING: list[dict[str, Any]] = [
    {"do": "reset_after"},
    {"do": "hang_after", "seconds": 30},
    {"do": "error_after"},
    {"do": "error_after", "status": 502},
    {"do": "wrong_amount"},
    {"do": "garbage"},
    {"do": "half_answer"},
]
LOST_BEFORE_PAYING: list[dict[str, Any]] = [
    {"do": "reset_before"},
    {"do": "hang_before", "seconds": 30},
    {"do": "error_before"},
]


def _name(step: dict[str, Any]) -> str:
    return "-".join(str(value) for value in step.values())


def test_a_refund_that_the_gateway_pays_is_refunded(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")
    refund_id = house.refund(payment, "5.00")

    with house.working():
        refund = house.until(refund_id, *FINAL)

    assert refund.status is Status.REFUNDED
    assert refund.gateway_reference is not None
    assert refund.gateway_reference.startswith("sre_")
    assert house.paid_minor(refund_id) == 500
    assert [(row["outcome"], row["http_status"]) for row in house.attempts(refund_id)] == [("refunded", 201)]
    assert house.story(refund_id) == ["requested", "attempting", "refunded"]
    balance = house.balance(payment)
    assert (balance.refunded_minor, balance.reserved_minor, balance.refundable_minor) == (500, 0, 1500)
    assert house.slot(payment) is None


@pytest.mark.parametrize("step", LOST_AFTER_PAYING, ids=_name)
def test_an_answer_lost_after_the_money_moved_is_found_and_never_paid_twice(
    house: House, step: dict[str, Any]
) -> None:
    refund_id = house.refund(house.payment("20.00", step), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.story(refund_id) == ["requested", "attempting", "in_doubt", "refunded"]
    assert len(house.sent(refund_id)) == 1
    assert house.paid_minor(refund_id) == 500
    assert house.get(refund_id).attempts_counted == 0
    assert house.broken_sums() == []


@pytest.mark.parametrize("step", LOST_BEFORE_PAYING, ids=_name)
def test_an_answer_lost_before_the_money_moved_is_tried_again_after_proof_of_absence(
    house: House, step: dict[str, Any]
) -> None:
    refund_id = house.refund(house.payment("20.00", step), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.story(refund_id) == [
        *("requested", "attempting", "in_doubt", "queued", "attempting", "refunded"),
    ]
    assert [row["finding"] for row in house.look_ups(refund_id)] == ["absent", "absent"]
    assert house.paid_minor(refund_id) == 500
    assert house.doubled() == []
    assert house.get(refund_id).attempts_counted == 1


def test_a_commit_that_comes_late_is_found(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "late_commit", "seconds": 30}), "5.00")

    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
        house.pass_time(timedelta(seconds=31))
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.REFUNDED
    assert house.paid_minor(refund_id) == 500
    assert len(house.sent(refund_id)) == 1


def test_a_commit_later_than_the_proof_of_absence_meets_its_own_key(house: House) -> None:
    """No answer was seen, so the key stayed: the daily retry and the late commit are one payment."""
    refund_id = house.refund(house.payment("20.00", {"do": "late_commit", "seconds": 19 * 3600}), "5.00")

    with house.working():
        house.until(refund_id, Status.QUEUED, hurry=True)
        house.pass_time(timedelta(hours=20))
        house.until(refund_id, *FINAL, hurry=True)

    assert house.paid_minor(refund_id) == 500
    assert house.doubled() == []
    assert house.get(refund_id).status is Status.REFUNDED


def test_a_passing_refusal_is_tried_once_a_day_for_three_days_and_then_it_has_failed(
    either_house: House,
) -> None:
    house = either_house
    payment = house.payment("20.00", {"do": "decline", "code": "issuer_declined", "times": None})
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    attempts = house.attempts(refund_id)
    assert [row["counted_number"] for row in attempts] == [1, 2, 3, 4]
    assert [row["key"] for row in attempts] == [f"{refund_id}-{number}" for number in (1, 2, 3, 4)]
    days = [(row["claimed_at"] - attempts[0]["claimed_at"]).days for row in attempts]
    assert days == [0, 0, 1, 2]
    assert {row["claimed_at"].hour for row in attempts[1:]} == {9}
    assert house.get(refund_id).status is Status.FAILED
    assert house.notices(refund_id) == [("failed", "oncall@shop.test")]
    assert (house.balance(payment).reserved_minor, house.balance(payment).refunded_minor) == (0, 0)
    assert house.paid_minor(refund_id) == 0


def test_a_refusal_that_passes_is_paid_on_its_day(house: House) -> None:
    refund_id = house.refund(
        house.payment("20.00", {"do": "decline", "code": "insufficient_funds", "days": 2}), "5.00"
    )

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.REFUNDED
    assert [row["outcome"] for row in house.attempts(refund_id)] == ["declined", "declined", "refunded"]
    assert house.notices(refund_id) == []


@pytest.mark.parametrize(
    ("manner", "told"),
    [("notify", [("refused_early", "oncall@shop.test"), ("failed", "oncall@shop.test")]), ("retry", [])],
)
def test_a_permanent_refusal_is_told_on_the_first_day_and_still_retried(
    open_house: HouseMaker, sqlite_url: str, manner: str, told: list[tuple[str, str]]
) -> None:
    house = open_house(sqlite_url, permanent_failures=manner)
    refund_id = house.refund(
        house.payment("20.00", {"do": "decline", "code": "card_closed", "times": None}), "5.00"
    )

    with house.working():
        house.until(refund_id, Status.QUEUED)
        assert house.notices(refund_id) == told[:1]
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.FAILED
    assert len(house.sent(refund_id)) == 4
    assert house.notices(refund_id) == (told or [("failed", "oncall@shop.test")])


@pytest.mark.parametrize("code", ["disputed", "already_refunded"])
def test_a_dispute_or_a_refund_made_elsewhere_goes_to_a_person_at_once(house: House, code: str) -> None:
    payment = house.payment("20.00", {"do": "decline", "code": code, "times": None})
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, *FINAL)
        house.jump_to_due()

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert house.get(refund_id).due_at is None
    assert house.notices(refund_id) == [("needs_review", "oncall@shop.test")]
    assert len(house.sent(refund_id)) == 1
    assert house.balance(payment).reserved_minor == 500


def test_a_code_that_nobody_mapped_is_unknown_and_looked_up(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "decline", "code": "a_new_code"}), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.attempts(refund_id)[0]["outcome"] == "unknown"
    assert house.attempts(refund_id)[0]["code"] == "a_new_code"
    assert house.get(refund_id).status is Status.REFUNDED


def test_a_rate_limit_is_waited_out_and_uses_up_no_try(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "rate_limit", "retry_after": 600}), "5.00")

    with house.working():
        refund = house.until(refund_id, Status.QUEUED)
        assert (refund.wait, refund.attempts_counted, refund.generation) == (Wait.OUTAGE, 0, 1)
        assert refund.due_at is not None
        assert refund.due_at - refund.updated_at >= timedelta(seconds=600)
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.REFUNDED
    assert [row["counted_number"] for row in house.attempts(refund_id)] == [None, None]


@pytest.mark.parametrize("step", ["unavailable", "unauthorized"])
def test_being_turned_away_uses_up_no_try_and_keeps_the_key(house: House, step: str) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": step, "times": 3}), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.REFUNDED
    attempts = house.attempts(refund_id)
    assert [row["outcome"] for row in attempts] == ["unavailable"] * 3 + ["refunded"]
    assert {row["key"] for row in attempts} == {f"{refund_id}-1"}
    assert {row["counted_number"] for row in attempts} == {None}


def test_submitted_is_polled_without_webhooks(house: House) -> None:
    payment = house.payment("20.00", {"do": "async", "final_after_seconds": 7200})
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.SUBMITTED)
        assert house.balance(payment).reserved_minor == 500
        assert house.slot(payment) is None
        house.until(refund_id, *FINAL, hurry=True)

    assert house.story(refund_id) == ["requested", "attempting", "submitted", "refunded"]
    findings = [row["finding"] for row in house.look_ups(refund_id)]
    assert findings[:-1] == ["accepted"] * (len(findings) - 1)
    assert findings[-1] == "refunded"
    assert len(findings) > 2
    assert len(house.sent(refund_id)) == 1


def test_an_accepted_refund_that_fails_later_goes_back_to_the_daily_run(house: House) -> None:
    steps = {"do": "async", "final_after_seconds": 60, "succeeds": False}
    refund_id = house.refund(house.payment("20.00", steps), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.story(refund_id) == [
        *("requested", "attempting", "submitted", "queued", "attempting", "refunded"),
    ]
    assert [row["counted_number"] for row in house.attempts(refund_id)] == [1, None]
    assert house.paid_minor(refund_id) == 500


def test_accepted_for_ever_is_looked_into_by_a_person(house: House) -> None:
    payment = house.payment("20.00", {"do": "async", "final_after_seconds": 30 * 86_400})
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert house.notices(refund_id) == [("outcome_unknown", "oncall@shop.test")]
    assert house.balance(payment).reserved_minor == 500
