"""What a second hunt found to be stuck in silence, and must never find again."""

import threading
from dataclasses import replace
from datetime import timedelta

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Status
from refunds.domain.watch import WATCH_STEPS
from refunds.flow.attempt import Attempted, Looked
from refunds.flow.overdue import ask_about_overdue
from refunds.flow.settle import settle
from refunds.flow.sweep import sweep
from refunds.flow.unpaid import tell_long_unpaid
from refunds.store import lanes
from refunds.store.accounts import DEFAULT
from refunds.store.database import clocks
from tests.flow.hunting import (
    LOST,
    claim_due,
    claim_look_ups,
    claimer,
    set_lease,
)
from tests.flow.spoken import ABSENT, PAID, SpokenGateway
from tests.house_fixture import HouseMaker


def test_in_doubt_behind_a_closed_lane_for_a_month_tells_nobody(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway([LOST], [LookUpAnswer(Finding.UNCLEAR, "timeout")], wrong="down")
    house = open_house(sqlite_url, gateway=spoken)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
        with house.parts.database.begin() as tx:
            lanes.close(tx, DEFAULT, "sandbox", until=clocks(tx)[0])
        for _ in range(30):
            house.pass_time(timedelta(days=1))
            house.reopen_lanes()  # real time passes too: probed, and ill
            threading.Event().wait(0.05)
            tell_long_unpaid(house.parts)
            sweep(house.parts)
            ask_about_overdue(house.parts)

    assert spoken.checked > 3
    assert house.notices(refund_id) != [], house.get(refund_id).status


def test_sent_at_a_gateway_that_is_not_configured_any_more(open_house: HouseMaker, sqlite_url: str) -> None:
    house = open_house(sqlite_url, gateway=SpokenGateway([PAID]))
    refund_id = house.refund(house.payment("10.00"), "8.00")
    [claim] = claim_due(house, lease=60)
    claimer(house).mark_sending([Looked(claim, None)], none=False)
    set_lease(house, refund_id, -1)
    other = open_house(sqlite_url, gateway=SpokenGateway([PAID]), begins=False)
    part = other.parts.gateways["sandbox"]
    parts = replace(other.parts, gateways={"renamed": part}, default_gateway="renamed")
    other.pass_time(timedelta(days=30))
    sweep(parts)
    tell_long_unpaid(parts)
    ask_about_overdue(parts)

    assert other.notices(refund_id) != [], other.get(refund_id).status


def test_failed_refunds_of_unknown_payments_close_the_lane_for_everybody(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    unknown = LookUpAnswer(Finding.ABSENT, "payment_unknown")
    spoken = SpokenGateway([Answer(Outcome.DECLINED, "payment_unknown")], [unknown])
    house = open_house(sqlite_url, gateway=spoken, retry_days=0, max_in_flight=4)
    bad = [house.refund(house.payment("10.00"), "8.00") for _ in range(40)]
    with house.working():
        for refund_id in bad:
            house.until(refund_id, Status.FAILED)
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=5))
    spoken.say([PAID], [unknown])
    with house.working():
        for _ in range(100):
            if house.lane().closed_until is not None:
                break
            threading.Event().wait(0.02)
        good = house.refund(house.payment("10.00"), "8.00")
        reopened = 0
        for _ in range(400):
            if house.get(good).status is Status.REFUNDED or reopened == 8:
                break
            closed = house.lane().closed_until
            if closed is not None and closed.year > 2020:
                house.reopen_lanes()  # each of these takes 30 s to 10 min of real time
                reopened += 1
            threading.Event().wait(0.03)

    assert house.get(good).status is Status.REFUNDED, (house.lane(), reopened, spoken.checked)


def test_a_look_up_that_kills_its_workers_is_for_nobody(open_house: HouseMaker, sqlite_url: str) -> None:
    spoken = SpokenGateway([LOST], [ABSENT])
    house = open_house(sqlite_url, gateway=spoken)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    [claim] = claim_due(house, lease=60)
    sent = claimer(house).mark_sending([Looked(claim, None)], none=False)[refund_id]
    settle(house.parts, [Attempted(sent, LOST)])
    for _ in range(30):
        house.pass_time(timedelta(days=1))
        assert len(claim_look_ups(house)) == 1  # and the worker dies of it
        threading.Event().wait(0.002)
        sweep(house.parts)
        tell_long_unpaid(house.parts)
        if ask_about_overdue(house.parts):
            break

    assert house.notices(refund_id) != [], house.get(refund_id).status
