"""What a second hunt found about late answers and people's decisions, and must never find again."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from refunds.domain.outcome import HANDED_BACK, Answer, Outcome
from refunds.domain.status import Status
from refunds.domain.watch import WATCH_STEPS
from refunds.flow.attempt import Attempted, Looked
from refunds.flow.decide import resolve_as
from refunds.flow.operate import retry_now
from refunds.flow.restore import note_restored
from refunds.flow.settle import settle
from refunds.flow.stop import stop_for_review
from refunds.flow.sweep import MOST_LOST, sweep
from refunds.store.claim import Claim
from refunds.store.refunds import Refund
from tests.flow.elsewhere import pay_elsewhere
from tests.flow.hunting import (
    FOUND,
    HOPELESS,
    claim_due,
    claim_look_ups,
    claimer,
    set_lease,
)
from tests.flow.spoken import ABSENT, PAID, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually


def frozen_at_d(house: House) -> Claim:
    [zombie] = claim_due(house, lease=60)
    sent = claimer(house).mark_sending([Looked(zombie, None)], none=False)[zombie.refund_id]
    set_lease(house, zombie.refund_id, -1)
    sweep(house.parts)
    assert house.get(zombie.refund_id).status is Status.NEEDS_REVIEW
    return sent


def test_a_late_paid_answer_does_not_stop_a_queued_refund_at_grade_d(
    open_house: HouseMaker, database_url: str
) -> None:
    spoken = SpokenGateway([PAID], key_life=None, look_up=False)
    house = open_house(database_url, gateway=spoken)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    zombie = frozen_at_d(house)
    resolve_as(house.parts, refund_id, new=Status.QUEUED, actor="op", reason="the bank shows nothing yet")
    settle(house.parts, [Attempted(zombie, PAID)])  # W1 thaws: the gateway paid
    assert len(house.evidence(refund_id)) == 1

    with house.working():
        threading.Event().wait(0.7)

    assert spoken.paid == [], "paid again with the proof of the first payment in our own table"


@pytest.mark.parametrize("end", [Status.FAILED, Status.CANCELLED])
def test_nobody_is_told_of_a_late_paid_answer_at_grade_d(
    open_house: HouseMaker, sqlite_url: str, end: Status
) -> None:
    spoken = SpokenGateway([PAID], key_life=None, look_up=False)
    house = open_house(sqlite_url, gateway=spoken)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    zombie = frozen_at_d(house)
    resolve_as(house.parts, refund_id, new=end, actor="op", reason="the bank shows nothing yet")
    before = house.notices(refund_id)
    settle(house.parts, [Attempted(zombie, PAID)])
    with house.working():
        threading.Event().wait(0.7)

    told = house.notices(refund_id) != before
    assert told or house.get(refund_id).status is Status.REFUNDED


def test_a_person_s_paid_is_taken_back_by_the_old_order_that_failed(either_house: House) -> None:
    house = either_house
    steps = {"do": "async", "final_after_seconds": 7.5 * 86_400, "succeeds": False}
    payment = house.payment("20.00", steps)
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.SUBMITTED)
        house.until(refund_id, Status.NEEDS_REVIEW, hurry=True)  # not final within 7 days
    answer = house.bank.call(  # a person pays in the gateway's console, and says so
        "POST",
        f"/v1/payments/{payment}/refunds",
        {
            "amount_minor": 500,
            "currency": "GBP",
            "reference": "by-hand",
            "order_id": house.get(refund_id).order_id,
            "reason": None,
        },
        headers={"Idempotency-Key": f"by-hand-{refund_id}"},
    )
    done = resolve_as(
        house.parts,
        refund_id,
        new=Status.REFUNDED,
        actor="op",
        reason="paid by hand in the gateway's console",
        reference=answer.body["id"],
    )
    assert isinstance(done, Refund)
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))  # the old order has failed meanwhile
    with house.working():
        eventually(lambda: house.look_ups(refund_id)[-1]["finding"] in {"declined", "absent"})
        for _ in range(150):
            house.jump_to_due()
            threading.Event().wait(0.01)

    assert len(house.sent(refund_id)) == 1, (house.story(refund_id), house.paid_minor(refund_id))


def test_a_try_that_is_given_up_ends_the_watch(open_house: HouseMaker, sqlite_url: str) -> None:
    spoken = SpokenGateway([HOPELESS], [ABSENT])
    house = open_house(sqlite_url, gateway=spoken, retry_days=0)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    with house.working():
        house.until(refund_id, Status.FAILED)
    retry_now(house.parts, refund_id, actor="op", reason="x")
    for _ in range(MOST_LOST):
        claim_due(house)
        threading.Event().wait(0.002)
        sweep(house.parts)
    assert (house.get(refund_id).status, house.get(refund_id).due_at) == (Status.FAILED, None)
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))

    assert len(claim_look_ups(house)) == 1


def test_a_try_now_that_a_deploy_or_a_pause_held_back_is_forgotten(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway([HOPELESS], [ABSENT])
    house = open_house(sqlite_url, gateway=spoken, retry_days=0)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    with house.working():
        house.until(refund_id, Status.FAILED)
    before, sent = house.notices(refund_id), len(spoken.paid)
    assert isinstance(retry_now(house.parts, refund_id, actor="op", reason="x"), Refund)
    [claim] = claim_due(house, lease=60)
    claim = claimer(house).mark_sending([Looked(claim, ABSENT)], none=False)[refund_id]
    held_back = Answer(Outcome.UNAVAILABLE, HANDED_BACK, "stopped or paused first", sent=False)
    settle(house.parts, [Attempted(claim, held_back)])  # what errands.py says when SIGTERM comes first
    spoken.say([PAID], [ABSENT])
    with house.working():
        threading.Event().wait(0.5)

    assert len(spoken.paid) > sent or house.notices(refund_id) != before, house.get(refund_id).status


def test_what_a_broken_rule_sent_to_a_person_is_not_watched(open_house: HouseMaker, sqlite_url: str) -> None:
    house = open_house(sqlite_url, gateway=SpokenGateway([PAID], [FOUND]))
    payment = house.payment("10.00")
    refund_id = house.refund(payment, "8.00")
    [claim] = claim_due(house, lease=60)
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE payments SET reserved_minor = 0"))  # booking would make it negative
    settle(house.parts, [Attempted(claim, PAID)])
    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))

    assert len(claim_look_ups(house)) == 1


def test_send_it_again_of_what_was_stopped_before_its_first_try_asks_nothing(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    house = open_house(sqlite_url)
    refund_id = house.refund(house.payment("20.00"), "5.00")
    pay_elsewhere(house, refund_id, key=f"{refund_id}-1")  # in the lost time
    note_restored(house.parts, by="op", why="disk broke")
    with house.parts.database.begin() as tx:
        stop_for_review(house.parts, tx, [refund_id], why="the sums of payment ... do not add up")
    resolve_as(house.parts, refund_id, new=Status.QUEUED, actor="op", reason="go on")
    with house.working():
        house.until(refund_id, Status.REFUNDED)

    assert house.doubled() == []
