"""How a gateway can be asked decides what may follow an unclear answer; nobody is paid twice on any grade."""

from datetime import timedelta
from typing import Any

import pytest

from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from tests.flow.spoken import SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually

FINAL = (Status.REFUNDED, Status.FAILED, Status.NEEDS_REVIEW)
NO_KEYS = {"keys": False}
NO_LOOK_UP = {"look_up": False}
NEITHER = {"keys": False, "look_up": False}

LOST: list[dict[str, Any]] = [
    {"do": "reset_before"},
    {"do": "reset_after"},
    {"do": "error_before"},
    {"do": "error_after"},
    {"do": "garbage"},
]


def _name(step: dict[str, Any]) -> str:
    return str(step["do"])


@pytest.mark.parametrize("step", LOST, ids=_name)
def test_with_a_look_up_alone_the_gateway_is_asked_and_never_paid_blindly(
    open_house: HouseMaker, sqlite_url: str, step: dict[str, Any]
) -> None:
    house = open_house(sqlite_url, grade="B")
    refund_id = house.refund(house.payment("20.00", step, options=NO_KEYS), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.REFUNDED
    assert house.paid_minor(refund_id) == 500
    for seen in house.sent(refund_id)[1:]:
        assert "GET" in [other.method for other in house.asked_of_gateway(refund_id) if other.at < seen.at]


@pytest.mark.parametrize("step", LOST, ids=_name)
def test_with_a_key_alone_the_very_same_key_is_sent_again_and_not_counted(
    open_house: HouseMaker, sqlite_url: str, step: dict[str, Any]
) -> None:
    house = open_house(sqlite_url, grade="C")
    refund_id = house.refund(house.payment("20.00", step, options=NO_LOOK_UP), "5.00")

    with house.working():
        refund = house.until(refund_id, *FINAL, hurry=True)

    # Of a payment that ended in an error this gateway replays the error for the key's whole life.
    assert refund.status is (Status.NEEDS_REVIEW if step["do"] == "error_after" else Status.REFUNDED)
    assert house.paid_minor(refund_id) == 500
    assert house.doubled() == []
    assert {seen.key for seen in house.sent(refund_id)} == {f"{refund_id}-1"}
    assert len(house.attempts(refund_id)) == 1
    assert house.get(refund_id).attempts_counted == 0


@pytest.mark.parametrize("step", LOST, ids=_name)
def test_with_neither_a_person_is_asked_at_once_and_nothing_is_sent_again(
    open_house: HouseMaker, sqlite_url: str, step: dict[str, Any]
) -> None:
    house = open_house(sqlite_url, grade="D")
    payment = house.payment("20.00", step, options=NEITHER)
    refund_id, sibling = house.refund(payment, "5.00"), house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, *FINAL)
        house.pass_time(timedelta(days=2))
        other = house.refund(house.payment("20.00", options=NEITHER), "1.00")
        house.until(other, Status.REFUNDED)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert house.notices(refund_id) == [("outcome_unknown", "oncall@shop.test")]
    assert len(house.sent(refund_id)) == 1
    assert house.get(sibling).status is Status.REQUESTED
    assert house.slot(payment) == refund_id
    assert house.balance(payment).reserved_minor == 1000


@pytest.mark.parametrize(("grade", "options"), [("C", NO_LOOK_UP), ("D", NEITHER)])
def test_without_a_look_up_a_proven_refusal_is_still_retried_daily(
    open_house: HouseMaker, sqlite_url: str, grade: str, options: dict[str, bool]
) -> None:
    house = open_house(sqlite_url, grade=grade)
    steps = {"do": "decline", "code": "issuer_declined", "times": 2}
    refund_id = house.refund(house.payment("20.00", steps, options=options), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.get(refund_id).status is Status.REFUNDED
    assert house.paid_minor(refund_id) == 500
    assert {seen.method for seen in house.asked_of_gateway(refund_id)} == {"POST"}


def test_with_a_key_alone_nothing_is_sent_again_once_the_key_s_life_is_over(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway([Answer(Outcome.UNKNOWN, "timeout")], look_up=False)
    house = open_house(sqlite_url, gateway=spoken)
    refund_id = house.refund(house.payment(), "5.00")

    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
        house.pass_time(timedelta(hours=24))
        eventually(lambda: house.count("look_ups") > 0)
        sent = len(spoken.paid)
        house.until(refund_id, *FINAL, hurry=True)

    assert len(spoken.paid) == sent
    assert {call.key for call in spoken.paid} == {f"{refund_id}-1"}
    assert house.get(refund_id).status is Status.NEEDS_REVIEW


def test_a_daily_retry_looks_up_before_it_pays_because_keys_are_forgotten_in_a_day(house: House) -> None:
    """Paid by a request nobody remembers, its key gone by the time of the retry: the look-up sees it."""
    refund_id = house.refund(house.payment("20.00", {"do": "decline", "code": "issuer_declined"}), "5.00")
    with house.working():
        house.until(refund_id, Status.QUEUED)
    house.pass_time(timedelta(hours=30))
    house.bank.call(
        "POST",
        f"/v1/payments/{house.get(refund_id).transaction_id}/refunds",
        {
            "amount_minor": 500,
            "currency": "GBP",
            "reference": refund_id,
            "order_id": "o",
            "reason": None,
        },
        headers={"Idempotency-Key": f"{refund_id}-1-forgotten"},
    )

    with house.working():
        refund = house.until(refund_id, *FINAL)

    assert refund.status is Status.REFUNDED
    assert house.paid_minor(refund_id) == 500
    assert house.doubled() == []
    last = house.attempts(refund_id)[-1]
    assert (last["outcome"], last["sending_at"], last["counted_number"]) == ("refunded", None, None)


def test_every_attempt_after_the_first_is_preceded_by_a_look_up(house: House) -> None:
    steps = {"do": "decline", "code": "issuer_declined", "times": None}
    refund_id = house.refund(house.payment("20.00", steps), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert [seen.method for seen in house.asked_of_gateway(refund_id)] == ["POST"] + ["GET", "POST"] * 3
    snapshots = [row["snapshot"] for row in house.attempts(refund_id)]
    assert snapshots == [None] + [{"refundable_minor": 2000, "refunds": 0}] * 3


def test_a_look_up_that_fails_before_an_attempt_is_an_outage_and_no_try(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    house = open_house(sqlite_url, grade="A")
    payment = house.payment("20.00", {"do": "decline", "code": "issuer_declined"}, options={"look_up": False})
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.QUEUED)
        house.jump_to_due()
        eventually(lambda: len(house.attempts(refund_id)) > 1 and house.get(refund_id).wait == "outage")

    second = house.attempts(refund_id)[1]
    assert (second["outcome"], second["code"], second["counted_number"]) == (
        "unavailable",
        "look_up_look_up_unsupported",
        None,
    )
    assert len(house.sent(refund_id)) == 1


@pytest.mark.parametrize("grade", ["A", "B", "C", "D"])
def test_a_503_after_the_money_moved_pays_nobody_twice(
    open_house: HouseMaker, sqlite_url: str, grade: str
) -> None:
    """A proxy may answer 503 for a request that the platform carried out."""
    options = {"A": {}, "B": NO_KEYS, "C": NO_LOOK_UP, "D": NEITHER}[grade]
    house = open_house(sqlite_url, grade=grade)
    step = {"do": "error_after", "status": 503}
    refund_id = house.refund(house.payment("20.00", step, options=options), "5.00")

    with house.working():
        house.until(refund_id, *FINAL, hurry=True)

    assert house.paid_minor(refund_id) == 500
    assert house.doubled() == []
