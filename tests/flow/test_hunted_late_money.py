"""What a second hunt found about money that turns up late, and must never find again."""

import threading
from datetime import timedelta

import pytest

from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from refunds.domain.watch import WATCH_STEPS
from refunds.flow.attempt import Attempted, Looked, Resolved
from refunds.flow.audit import audit_sums
from refunds.flow.decide import resolve_as
from refunds.flow.operate import cancel, retry_now
from refunds.flow.settle import settle
from refunds.store import leases
from refunds.store.claim import Claim
from refunds.store.database import clocks
from refunds.store.refunds import Refund
from tests.flow.hunting import (
    FOUND,
    HOPELESS,
    NOT_PAID,
    PENDING,
    claim_due,
    claim_look_ups,
    claimer,
    set_lease,
)
from tests.flow.spoken import ABSENT, PAID, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually


def over_captured(house: House, spoken: SpokenGateway) -> tuple[str, str, Claim]:
    """(payment, failed 8.00, its watch claim) of a payment of 10.00."""
    payment = house.payment("10.00")
    failed = house.refund(payment, "8.00")
    with house.working():
        house.until(failed, Status.FAILED)
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))
    [watch] = claim_look_ups(house, lease=60)
    return payment, failed, watch


def settle_down(house: House) -> None:
    """Days pass: the audit looks, what is due is done."""
    for _ in range(60):
        audit_sums(house.parts)
        house.jump_to_due()
        threading.Event().wait(0.02)


def test_a_watched_look_up_takes_an_attempt_whose_sending_began(
    open_house: HouseMaker, database_url: str
) -> None:
    spoken = SpokenGateway([HOPELESS], [PENDING], key_life=None)  # grade B
    house = open_house(database_url, gateway=spoken, retry_days=0)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    with house.working():
        house.until(refund_id, Status.FAILED)
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))
    [asked] = claim_look_ups(house, lease=60)  # W1 asks about the failed refund
    assert isinstance(retry_now(house.parts, refund_id, actor="op", reason="x"), Refund)
    settle(house.parts, [Resolved(asked, PENDING)])  # W1's answer is late: watch_at = now
    spoken.say([PAID], [ABSENT])
    [claim] = claim_due(house, lease=60)  # W2 claims the try-now, looks, marks, sends, dies
    marked = claimer(house).mark_sending([Looked(claim, ABSENT)], none=False)
    assert set(marked) == {refund_id}
    set_lease(house, refund_id, -1)
    sent_before = len(spoken.paid)

    with house.working():  # W3's pump looks before the sweep does
        threading.Event().wait(1.0)

    assert len(spoken.paid) == sent_before, "sent again although W2's sending had begun"


def test_claimed_while_late_money_turns_up(open_house: HouseMaker, database_url: str) -> None:
    spoken = SpokenGateway([HOPELESS], [ABSENT])
    house = open_house(database_url, gateway=spoken, retry_days=0)
    payment, failed, watch = over_captured(house, spoken)
    second = house.refund(payment, "7.00")
    [claim] = claim_due(house, lease=60)
    settle(house.parts, [Resolved(watch, FOUND)])
    assert house.balance(payment).excess_minor == 500
    assert house.get(failed).status is Status.REFUNDED

    marked = claimer(house).mark_sending([Looked(claim, None)], none=False)

    assert (claim.refund_id, set(marked)) == (second, set())


def test_deferred_while_late_money_turns_up(open_house: HouseMaker, database_url: str) -> None:
    spoken = SpokenGateway([HOPELESS], [ABSENT])
    house = open_house(database_url, gateway=spoken, retry_days=0)
    payment, _, watch = over_captured(house, spoken)
    second = house.refund(payment, "7.00")
    [claim] = claim_due(house, lease=60)
    settle(house.parts, [Resolved(watch, FOUND)])
    settle(house.parts, [Attempted(claim, Answer(Outcome.UNAVAILABLE, "unavailable"))])
    spoken.say([PAID], [ABSENT])
    sent = len(spoken.paid)

    with house.working():
        settle_down(house)

    assert (len(spoken.paid) - sent, house.balance(payment).refunded_minor) == (0, 800)
    assert house.get(second).status is Status.NEEDS_REVIEW


def test_taken_back_on_an_over_captured_payment(open_house: HouseMaker, database_url: str) -> None:
    spoken = SpokenGateway([HOPELESS], [ABSENT])
    house = open_house(database_url, gateway=spoken, retry_days=0)
    payment, _, watch = over_captured(house, spoken)
    second = house.refund(payment, "7.00")
    spoken.say([PAID], [ABSENT])
    with house.working():
        house.until(second, Status.REFUNDED)
    settle(house.parts, [Resolved(watch, FOUND)])
    assert house.balance(payment).excess_minor == 500
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))
    for claim in claim_look_ups(house, lease=60):
        settle(house.parts, [Resolved(claim, NOT_PAID if claim.refund_id == second else FOUND)])
    assert house.get(second).status is not Status.REFUNDED
    sent = len(spoken.paid)

    with house.working():
        settle_down(house)

    assert len(spoken.paid) == sent, "8.00 of 10.00 have left, and 7.00 more were sent"


def test_sent_again_by_a_person(open_house: HouseMaker, database_url: str) -> None:
    spoken = SpokenGateway([HOPELESS], [ABSENT])
    house = open_house(database_url, gateway=spoken, retry_days=0)
    payment, _, watch = over_captured(house, spoken)
    second = house.refund(payment, "7.00")
    settle(house.parts, [Resolved(watch, FOUND)])
    assert house.get(second).status is Status.NEEDS_REVIEW
    resolve_as(house.parts, second, new=Status.QUEUED, actor="op", reason="go on")
    spoken.say([PAID], [ABSENT])
    sent = len(spoken.paid)

    with house.working():
        threading.Event().wait(0.7)

    assert len(spoken.paid) == sent, "1500 of 1000 captured"


@pytest.mark.parametrize("end", [Status.CANCELLED, Status.FAILED])
def test_what_the_gateway_still_holds_as_pending_is_forgotten(
    open_house: HouseMaker, database_url: str, end: Status
) -> None:
    spoken = SpokenGateway([HOPELESS], [PENDING])
    house = open_house(database_url, gateway=spoken, retry_days=0)
    payment = house.payment("10.00")
    refund_id = house.refund(payment, "8.00")
    if end is Status.CANCELLED:
        [zombie] = claim_due(house)
        with house.parts.database.begin() as tx:
            leases.hand_back(tx, [zombie], worker="frozen", now=clocks(tx)[1])
        cancel(house.parts, refund_id, actor="op", reason="x")
        settle(house.parts, [Attempted(zombie, Answer(Outcome.ACCEPTED, reference="sre_late"))])
        with house.working():
            eventually(lambda: len(house.look_ups(refund_id)) >= 1)
    else:
        with house.working():
            house.until(refund_id, Status.FAILED)
            for done, step in enumerate(WATCH_STEPS, start=1):
                house.pass_time(step + timedelta(seconds=1))
                eventually(lambda: len(house.look_ups(refund_id)) >= done)  # noqa: B023
    before = house.notices(refund_id)
    spoken.say([PAID], [FOUND])  # and an hour later it is paid
    with house.working():
        for _ in range(20):
            house.pass_time(timedelta(hours=12))
            threading.Event().wait(0.04)

    assert house.get(refund_id).status is Status.REFUNDED or house.notices(refund_id) != before
