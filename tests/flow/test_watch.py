"""Late truth: what the gateway says after a refund's end still holds, both ways, and people are told."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from refunds.domain.outcome import SEVERAL_REFUNDS, Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.schedule import local_date
from refunds.domain.status import Status
from refunds.domain.watch import WATCH_STEPS
from refunds.flow.attempt import Attempted, Resolved
from refunds.flow.operate import cancel
from refunds.flow.pauses import pause
from refunds.flow.refusal import Refusal
from refunds.flow.settle import settle
from refunds.store import claims, leases, moves, refunds
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import clocks
from refunds.store.lanes import Pause
from tests.flow.elsewhere import pay_elsewhere
from tests.flow.spoken import ABSENT, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually

DECLINE = {"do": "decline", "code": "issuer_declined"}
PAID_BACK = {"do": "late_failure", "after_seconds": 3600, "code": "issuer_declined"}
FAILED = ("failed", "oncall@shop.test")
RESOLVED = ("resolved", "oncall@shop.test")
TAKEN_BACK = ("taken_back", "oncall@shop.test")
PAID_ANYWAY = ("paid_anyway", "oncall@shop.test")
PAID = Answer(Outcome.REFUNDED, reference="sre_spoken")
HOPELESS = Answer(Outcome.DECLINED, "issuer_declined")
FOUND = LookUpAnswer(Finding.REFUNDED, reference="sre_late")


def test_a_refund_that_the_gateway_took_back_has_three_new_days(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00", PAID_BACK, {**DECLINE, "times": 2})
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.REFUNDED)
        taken_back = _when_watched(house, refund_id, Status.QUEUED)
        balance = house.balance(payment)
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert (balance.refunded_minor, balance.reserved_minor) == (0, 500)
    assert (taken_back.episode, taken_back.attempts_counted, taken_back.generation) == (2, 0, 2)
    assert local_date(taken_back.due_at, "UTC") > local_date(taken_back.updated_at, "UTC")
    counted = [(row["episode"], row["counted_number"]) for row in house.attempts(refund_id)]
    assert counted == [(1, None), (2, 1), (2, 2), (2, None)]
    assert TAKEN_BACK in house.notices(refund_id)
    assert (house.paid_minor(refund_id), house.doubled()) == (500, [])
    assert house.broken_sums() == []


def test_what_the_same_card_cannot_take_again_goes_to_a_person(house: House) -> None:
    payment = house.payment("20.00", {**PAID_BACK, "code": "account_closed"})
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.REFUNDED)
        _when_watched(house, refund_id, Status.NEEDS_REVIEW)

    assert house.notices(refund_id) == [TAKEN_BACK]
    assert (house.balance(payment).refunded_minor, house.balance(payment).reserved_minor) == (0, 500)
    assert house.slot(payment) is None


def test_a_failed_refund_found_paid_becomes_refunded_and_the_alarm_is_withdrawn(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00", {**DECLINE, "times": 4})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
        pay_elsewhere(house, refund_id, key=f"{refund_id}-0")
        _when_watched(house, refund_id, Status.REFUNDED)

    assert house.notices(refund_id) == [FAILED, RESOLVED]
    assert (house.balance(payment).refunded_minor, house.balance(payment).reserved_minor) == (500, 0)
    assert house.get(refund_id).due_at is None
    assert house.broken_sums() == []


def test_late_money_beyond_the_capture_stops_what_still_waits_on_that_payment(
    open_house: HouseMaker, database_url: str
) -> None:
    spoken = SpokenGateway([HOPELESS])
    house = open_house(database_url, gateway=spoken, retry_days=0)
    payment = house.payment("10.00")
    failed = house.refund(payment, "8.00")
    with house.working():
        house.until(failed, Status.FAILED)
    assert isinstance(pause(house.parts, "sandbox", actor="op", reason="look-ups go on"), Pause)
    second, third = house.refund(payment, "7.00"), house.refund(payment, "3.00")
    spoken.say([HOPELESS], [FOUND])

    with house.working():
        _when_watched(house, failed, Status.REFUNDED)
        for waiting in (second, third):
            house.until(waiting, Status.NEEDS_REVIEW)

    balance = house.balance(payment)
    assert (balance.refunded_minor, balance.reserved_minor, balance.excess_minor) == (800, 1000, 800)
    assert isinstance(house.ask(payment, "0.01"), Refusal)
    assert ("needs_review", "oncall@shop.test") in house.notices(second)
    assert house.broken_sums() == []


def test_a_refund_under_review_that_a_look_up_finds_paid_is_settled_without_a_person(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    lost = Answer(Outcome.UNKNOWN, "timeout")
    spoken = SpokenGateway([lost], [LookUpAnswer(Finding.UNCLEAR, "timeout")])
    house = open_house(sqlite_url, gateway=spoken)
    payment = house.payment("10.00")
    refund_id = house.refund(payment, "8.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW, hurry=True)
        assert house.slot(payment) == refund_id
        spoken.say([lost], [FOUND])
        _when_watched(house, refund_id, Status.REFUNDED)

    assert house.slot(payment) is None
    assert house.notices(refund_id) == [("outcome_unknown", "oncall@shop.test"), RESOLVED]
    assert (house.balance(payment).refunded_minor, house.balance(payment).reserved_minor) == (800, 0)


@pytest.mark.parametrize("end", [Status.CANCELLED, Status.REFUNDED_EXTERNALLY])
def test_what_was_given_up_here_and_is_found_paid_raises_an_alarm(
    open_house: HouseMaker, database_url: str, end: Status
) -> None:
    """A worker that was frozen past its lease tells late that it paid: that starts a look-up."""
    spoken = SpokenGateway([PAID], [FOUND])
    house = open_house(database_url, gateway=spoken)
    payment = house.payment("10.00")
    refund_id = house.refund(payment, "8.00")
    zombie = _claim(house)
    _hand_back(house, zombie)
    if end is Status.CANCELLED:
        assert not isinstance(cancel(house.parts, refund_id, actor="op", reason="x"), Refusal)
    else:
        with house.parts.database.begin() as tx:
            refund = refunds.get(tx, refund_id, lock=True)
            assert refund is not None
            now = clocks(tx)[1]
            moves.move(tx, refund, new=Status.QUEUED, actor="op", why="away", now=now, values={})
            queued = refunds.get(tx, refund_id)
            assert queued is not None
            moves.move(tx, queued, new=end, actor="op", why="by cheque", now=now, values={})
            moves.shift(tx, queued, reserved=-1, external=1)

    assert settle(house.parts, [Attempted(zombie, PAID)]) == set()
    with house.working():
        house.until(refund_id, Status.REFUNDED)

    balance = house.balance(payment)
    assert (balance.refunded_minor, balance.external_minor, balance.reserved_minor) == (800, 0, 0)
    assert house.notices(refund_id) == [PAID_ANYWAY]
    assert [row["content"]["reference"] for row in house.evidence(refund_id)] == ["sre_spoken"]
    assert house.broken_sums() == []


def test_a_late_answer_about_what_cannot_be_asked_is_kept_and_changes_nothing(
    open_house: HouseMaker, database_url: str, log: list[Any]
) -> None:
    house = open_house(database_url, gateway=SpokenGateway([PAID], look_up=False))
    refund_id = house.refund(house.payment(), "8.00")
    zombie = _claim(house)
    _hand_back(house, zombie)
    with house.working():
        house.until(refund_id, Status.REFUNDED)
        assert settle(house.parts, [Attempted(zombie, PAID)]) == set()
        eventually(lambda: len(house.look_ups(refund_id)) == 1)

    assert (house.get(refund_id).status, house.notices(refund_id)) == (Status.REFUNDED, [])
    assert [row["source"] for row in house.evidence(refund_id)] == ["late_answer"]
    assert not [event for event in log if event["log_level"] == "error"]
    assert house.broken_sums() == []


def test_two_refunds_of_ours_at_the_gateway_raise_an_alarm_once(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    several = LookUpAnswer(Finding.UNCLEAR, SEVERAL_REFUNDS)
    house = open_house(sqlite_url, gateway=SpokenGateway([PAID], [several]))
    refund_id = house.refund(house.payment(), "8.00")
    with house.working():
        house.until(refund_id, Status.REFUNDED)
        house.pass_time(WATCH_STEPS[0])
        eventually(lambda: house.notices(refund_id) == [PAID_ANYWAY])
        house.pass_time(timedelta(days=30))

    assert len(house.look_ups(refund_id)) == 1
    assert house.get(refund_id).status is Status.REFUNDED


def test_the_watch_ends_after_its_days_and_moves_nothing_without_a_clear_word(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, gateway=SpokenGateway([PAID], [ABSENT]))
    refund_id = house.refund(house.payment(), "8.00")
    with house.working():
        house.until(refund_id, Status.REFUNDED)
        before = house.get(refund_id)
        for done, step in enumerate((*WATCH_STEPS, timedelta(days=100)), start=1):
            house.pass_time(step)
            eventually(partial(_was_asked, house, refund_id, min(done, 4)))

    assert house.get(refund_id) == before
    assert house.notices(refund_id) == []


def test_a_gateway_that_cannot_be_asked_is_not_watched(open_house: HouseMaker, sqlite_url: str) -> None:
    house = open_house(sqlite_url, gateway=SpokenGateway([PAID], look_up=False))
    refund_id = house.refund(house.payment(), "8.00")
    with house.working():
        house.until(refund_id, Status.REFUNDED)
        house.pass_time(timedelta(days=30))

    with house.parts.database.read() as tx:
        assert (
            claims.claim_look_ups(
                tx,
                account=DEFAULT,
                gateway="sandbox",
                limit=5,
                now=clocks(tx)[1],
                real=clocks(tx)[0],
                lease_until=clocks(tx)[0],
            )
            == []
        )


def test_an_operator_s_act_ends_a_look_up_that_is_under_way(open_house: HouseMaker, sqlite_url: str) -> None:
    """Whoever was asking meanwhile books nothing over the act."""
    spoken = SpokenGateway([HOPELESS], [FOUND])
    house = open_house(sqlite_url, gateway=spoken, retry_days=0)
    payment = house.payment("10.00")
    refund_id = house.refund(payment, "8.00")
    with house.working():
        house.until(refund_id, Status.FAILED)
    house.pass_time(WATCH_STEPS[0])
    with house.parts.database.begin() as tx:
        real, now = clocks(tx)
        [asked] = claims.claim_look_ups(
            tx, account=DEFAULT, gateway="sandbox", limit=5, now=now, real=real, lease_until=real
        )
        refund = refunds.get(tx, refund_id, lock=True)
        assert refund is not None
        moves.try_now(tx, refund, actor="op", why="again", now=now)

    assert settle(house.parts, [Resolved(asked, FOUND)]) == set()
    assert house.get(refund_id).status is Status.FAILED


def _when_watched(house: House, refund_id: str, wanted: Status) -> Any:
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))
    house.reopen_lanes()
    return house.until(refund_id, wanted)


def _was_asked(house: House, refund_id: str, times: int) -> bool:
    return len(house.look_ups(refund_id)) == times


def _claim(house: House) -> Claim:
    with house.parts.database.begin() as tx:
        real, now = clocks(tx)
        [claimed] = claims.claim_due(
            tx,
            account=DEFAULT,
            gateway="sandbox",
            first=1,
            again=0,
            worker="frozen",
            now=now,
            lease_until=real,
        )
    return claimed


def _hand_back(house: House, claim: Claim) -> None:
    with house.parts.database.begin() as tx:
        leases.hand_back(tx, [claim], worker="frozen", now=clocks(tx)[1])
