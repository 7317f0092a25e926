"""A sick gateway is left alone and probed by one; a paused lane starts nothing and loses nothing."""

import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import Looked
from refunds.flow.breaker import BREAKER_LIMIT, PROBE_EVERY, take_probe
from refunds.flow.claim import Claimer
from refunds.flow.pauses import gateway_states, pause, resume
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.sweep import ring_due
from refunds.store import lanes
from refunds.store.accounts import DEFAULT
from refunds.store.database import Tx, clocks
from refunds.store.lanes import EVERY_GATEWAY, Lane, Pause
from tests.flow.spoken import PAID, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually
from tests.sandbox_process import sandbox

SLOW = timedelta(seconds=10)
AWAY = Answer(Outcome.UNAVAILABLE, "not_reached", sent=False)


def test_five_troubles_in_a_row_close_the_lane_and_a_good_probe_opens_it_slowly(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway([AWAY] * BREAKER_LIMIT + [PAID])
    house = open_house(sqlite_url, gateway=spoken, max_in_flight=1)
    ids = [house.refund(house.payment(), "1.00") for _ in range(BREAKER_LIMIT + 10)]

    with house.working():
        eventually(lambda: house.lane().closed_until is not None)
        assert house.lane().failures == BREAKER_LIMIT
        assert len(spoken.paid) == BREAKER_LIMIT
        assert ring_due(house.parts) == 0
        assert spoken.checked == 0
        house.reopen_lanes()
        for refund_id in ids:
            house.until(refund_id, Status.REFUNDED, hurry=True)

    assert spoken.checked == 1
    assert (house.lane().failures, house.lane().closed_until, house.lane().reopening) == (0, None, None)


def test_a_lane_that_opens_again_lets_in_one_then_two_then_four(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway(held=True)
    house = open_house(sqlite_url, gateway=spoken)
    [house.refund(house.payment(), "1.00") for _ in range(12)]
    _close(house, failures=7)

    with house.working():
        for places in (1, 2, 4):
            eventually(partial(_in_flight, spoken, places))
            assert house.lane().reopening == places
            spoken.let_go_of(places)
        eventually(lambda: spoken.in_flight == 5)
        spoken.let_go()


def test_a_closed_lane_is_probed_by_one_process_at_a_time(either_house: House) -> None:
    house = either_house
    lane = _close(house, failures=7)
    with house.parts.database.begin() as tx:
        real = clocks(tx)[0]
        assert take_probe(tx, lane, real=real)
        assert not take_probe(tx, lane, real=real)
        assert not take_probe(tx, house_lane(tx), real=real + PROBE_EVERY - timedelta(seconds=1))
        assert take_probe(tx, house_lane(tx), real=real + PROBE_EVERY)


def test_four_troubles_do_not_close_the_lane(open_house: HouseMaker, sqlite_url: str) -> None:
    spoken = SpokenGateway([AWAY] * (BREAKER_LIMIT - 1) + [PAID])
    house = open_house(sqlite_url, gateway=spoken, max_in_flight=1)
    ids = [house.refund(house.payment(), "1.00") for _ in range(BREAKER_LIMIT - 1)]

    with house.working():
        for refund_id in ids:
            house.until(refund_id, Status.QUEUED)

    assert (house.lane().failures, house.lane().closed_until) == (BREAKER_LIMIT - 1, None)


def test_a_probe_that_fails_moves_nothing_and_closes_the_lane_for_longer(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway(wrong="answered 503")
    house = open_house(sqlite_url, gateway=spoken)
    [house.refund(house.payment(), "1.00") for _ in range(3)]
    _close(house, failures=7)

    with house.working():
        eventually(lambda: house.lane().failures == 8)

    closed_until = house.lane().closed_until
    assert closed_until is not None
    with house.parts.database.read() as tx:
        assert closed_until - clocks(tx)[0] > PROBE_EVERY - timedelta(seconds=5)
    assert (house.count("attempts"), spoken.paid) == (0, [])


def test_trouble_while_a_lane_opens_again_closes_it_at_once(open_house: HouseMaker, sqlite_url: str) -> None:
    spoken = SpokenGateway([AWAY])
    house = open_house(sqlite_url, gateway=spoken)
    [house.refund(house.payment(), "1.00") for _ in range(3)]
    _close(house, failures=7)

    with house.working():
        eventually(lambda: house.lane().failures == 8)

    assert house.lane().closed_until is not None
    assert len(spoken.paid) == 1


def test_unknown_outcomes_close_the_lane_too(open_house: HouseMaker, sqlite_url: str) -> None:
    unclear = LookUpAnswer(Finding.UNCLEAR, "timeout")
    spoken = SpokenGateway([Answer(Outcome.UNKNOWN, "timeout")], [unclear])
    house = open_house(sqlite_url, gateway=spoken, max_in_flight=1)
    [house.refund(house.payment(), "1.00") for _ in range(BREAKER_LIMIT + 2)]

    with house.working():
        eventually(lambda: house.lane().closed_until is not None)

    assert len(spoken.paid) <= BREAKER_LIMIT


def test_a_gateway_that_cannot_be_asked_is_not_in_trouble_for_that(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    """Accepted refunds of a gateway without look-up wait for their time; that is no sign of an outage."""
    spoken = SpokenGateway([Answer(Outcome.ACCEPTED, reference="sre_1")], look_up=False)
    house = open_house(sqlite_url, gateway=spoken)
    ids = [house.refund(house.payment(), "1.00") for _ in range(BREAKER_LIMIT + 1)]

    with house.working():
        for refund_id in ids:
            house.until(refund_id, Status.SUBMITTED)
        house.pass_time(timedelta(minutes=1))
        eventually(lambda: house.count("look_ups") == len(ids))

    assert (house.lane().failures, house.lane().closed_until) == (0, None)


def test_a_paused_lane_starts_nothing_and_uses_up_no_try(either_house: House) -> None:
    house = either_house
    _pause(house)
    refund_id = house.refund(house.payment(), "5.00")
    with house.working():
        for _ in range(3):
            house.pass_time(timedelta(days=1))
        assert house.get(refund_id).status is Status.REQUESTED
        assert house.attempts(refund_id) == []
        assert ring_due(house.parts) == 0
        with house.parts.database.begin() as tx:
            assert lanes.resume(tx, "sandbox")
        house.until(refund_id, Status.REFUNDED)

    assert [row["number"] for row in house.attempts(refund_id)] == [1]


def test_a_paused_lane_still_asks_what_became_of_what_is_under_way(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "async", "final_after_seconds": 20}), "5.00")
    with house.working():
        house.until(refund_id, Status.SUBMITTED)
        _pause(house)
        assert house.until(refund_id, Status.REFUNDED, hurry=True)


@pytest.mark.parametrize("name", ["sandbox", EVERY_GATEWAY])
def test_a_pause_stops_what_was_claimed_before_it(either_house: House, name: str) -> None:
    """Between claim and sending stands the pause: whoever marks after it sends nothing."""
    house = either_house
    refund_id = house.refund(house.payment(), "5.00")
    claimer = Claimer(house.parts, DEFAULT, "sandbox")
    [held] = claimer.claim(1, under_way=0, busy=False).held
    paused = pause(house.parts, name, actor="op@desk", reason="maintenance")
    assert isinstance(paused, Pause)

    assert claimer.mark_sending([Looked(held.claim, None)], none=False) == {}

    assert house.get(refund_id).status is Status.REQUESTED
    assert claimer.claim(1, under_way=0, busy=False).held == []
    assert resume(house.parts, name, actor="op@desk") is True
    assert len(claimer.claim(1, under_way=0, busy=False).held) == 1


def test_a_pause_of_every_gateway_holds_lanes_that_come_later(house: House) -> None:
    paused = pause(house.parts, EVERY_GATEWAY, actor="op@desk", reason="fire")
    assert isinstance(paused, Pause)
    refund_id = house.refund(house.payment(), "5.00")  # the lane begins with it

    with house.working():
        house.pass_time(timedelta(minutes=1))
        assert house.get(refund_id).status is Status.REQUESTED
        assert house.lane().paused


def test_calls_that_wait_for_their_place_are_held_back_by_a_pause(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway(held=True)
    house = open_house(sqlite_url, gateway=spoken, max_in_flight=2, call_limit=SLOW, lease=SLOW * 3)
    ids = [house.refund(house.payment(), "1.00") for _ in range(20)]

    with house.working():
        eventually(lambda: spoken.in_flight == 2)
        assert isinstance(pause(house.parts, "sandbox", actor="op@desk", reason="fire"), Pause)
        threading.Event().wait(2)  # it holds within seconds, everywhere
        spoken.let_go()
        eventually(lambda: all(house.get(id_).status is not Status.ATTEMPTING for id_ in ids))

    assert len(spoken.paid) == 2
    assert sum(house.get(id_).status is Status.REFUNDED for id_ in ids) == 2


def test_a_pause_is_told_by_name_and_a_gateway_nobody_knows_cannot_be_paused(house: House) -> None:
    refused = pause(house.parts, "nowhere", actor="op@desk", reason="x")
    assert isinstance(refused, Refusal)
    assert refused.cause is Cause.GATEWAY_UNKNOWN
    assert isinstance(resume(house.parts, "nowhere", actor="op@desk"), Refusal)
    first = pause(house.parts, "sandbox", actor="op@desk", reason="first")
    assert pause(house.parts, "sandbox", actor="other", reason="second") == first

    states, _ = gateway_states(house.parts)

    assert [(each.name, each.pauses) for each in states] == [("sandbox", (first,))]
    assert resume(house.parts, "sandbox", actor="op@desk") is True
    assert resume(house.parts, "sandbox", actor="op@desk") is False


def test_an_outage_of_a_day_uses_up_no_try_and_stampedes_nobody(
    open_house: HouseMaker, sqlite_url: str, tmp_path: Path
) -> None:
    with sandbox(ledger=tmp_path / "ledger.sqlite") as other:
        house = open_house(sqlite_url, bank=other)
        other.default_script({"do": "unavailable", "times": None})
        transaction = house.payment()
        other.call("PUT", f"/sandbox/payments/{transaction}/script", None)
        refund_id = house.refund(transaction, "5.00")
        began = house.now
        with house.working():
            while house.now < began + timedelta(days=1):
                house.until(refund_id, Status.QUEUED)
                house.jump_to_due()
            other.default_script()
            house.until(refund_id, Status.REFUNDED, hurry=True)

    attempts = house.attempts(refund_id)
    assert {row["counted_number"] for row in attempts} == {None}
    assert 24 <= len(attempts) <= 60  # from 15 s the waits grow to an hour, of which half is by chance
    assert house.get(refund_id).attempts_counted == 0


def _pause(house: House) -> None:
    assert isinstance(pause(house.parts, "sandbox", actor="op@desk", reason="maintenance"), Pause)


def _in_flight(spoken: SpokenGateway, calls: int) -> bool:
    return spoken.in_flight == calls


def house_lane(tx: Tx) -> Lane:
    lane = lanes.get(tx, DEFAULT, "sandbox")
    assert lane is not None
    return lane


def _close(house: House, *, failures: int) -> Lane:
    """As if trouble had closed the lane a moment ago, and a probe were due."""
    with house.parts.database.begin() as tx:
        lanes.ensure(tx, DEFAULT, "sandbox")
        lanes.count_trouble(tx, DEFAULT, "sandbox", bad=failures)
        lanes.close(tx, DEFAULT, "sandbox", until=clocks(tx)[0])
        return house_lane(tx)
