"""A sick gateway is left alone and probed by one; a paused lane starts nothing and loses nothing."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Status
from refunds.flow.settle import BREAKER_LIMIT
from refunds.flow.sweep import ring_due
from refunds.store import lanes
from refunds.store.accounts import DEFAULT
from refunds.store.database import clocks
from tests.flow.spoken import PAID, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually
from tests.sandbox_process import sandbox

AWAY = Answer(Outcome.UNAVAILABLE, "not_reached", sent=False)


def test_five_troubles_in_a_row_close_the_lane_and_one_good_answer_opens_it(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway([AWAY] * BREAKER_LIMIT + [PAID])
    house = open_house(sqlite_url, gateway=spoken, max_in_flight=1)
    ids = [house.refund(house.payment(), "1.00") for _ in range(BREAKER_LIMIT + 3)]

    with house.working():
        eventually(lambda: house.lane().closed_until is not None)
        assert house.lane().failures == BREAKER_LIMIT
        assert len(spoken.paid) == BREAKER_LIMIT
        assert ring_due(house.parts) == 0
        house.reopen_lanes()
        for refund_id in ids:
            house.until(refund_id, Status.REFUNDED, hurry=True)

    assert (house.lane().failures, house.lane().closed_until) == (0, None)


def test_four_troubles_do_not_close_the_lane(open_house: HouseMaker, sqlite_url: str) -> None:
    spoken = SpokenGateway([AWAY] * (BREAKER_LIMIT - 1) + [PAID])
    house = open_house(sqlite_url, gateway=spoken, max_in_flight=1)
    ids = [house.refund(house.payment(), "1.00") for _ in range(BREAKER_LIMIT - 1)]

    with house.working():
        for refund_id in ids:
            house.until(refund_id, Status.QUEUED)

    assert (house.lane().failures, house.lane().closed_until) == (BREAKER_LIMIT - 1, None)


def test_a_closed_lane_that_is_due_again_is_probed_by_one_refund_of_the_queue(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway(held=True)
    house = open_house(sqlite_url, gateway=spoken)
    ids = [house.refund(house.payment(), "1.00") for _ in range(6)]
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = 'queued'"))
    _close(house, failures=7)

    with house.working():
        eventually(lambda: spoken.in_flight == 1)
        assert sum(house.get(id_).status is Status.ATTEMPTING for id_ in ids) == 1
        spoken.let_go()
        for refund_id in ids:
            house.until(refund_id, Status.REFUNDED)

    assert house.lane().failures == 0


def test_a_probe_that_fails_closes_the_lane_for_longer(open_house: HouseMaker, sqlite_url: str) -> None:
    house = open_house(sqlite_url, gateway=SpokenGateway([AWAY]))
    [house.refund(house.payment(), "1.00") for _ in range(3)]
    _close(house, failures=7)

    with house.working():
        eventually(lambda: house.lane().failures == 8)

    assert house.lane().closed_until is not None
    assert house.count("attempts") == 1


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
            assert lanes.resume(tx, account=DEFAULT, gateway="sandbox")
        house.until(refund_id, Status.REFUNDED)

    assert [row["number"] for row in house.attempts(refund_id)] == [1]


def test_a_paused_lane_still_asks_what_became_of_what_is_under_way(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "async", "final_after_seconds": 20}), "5.00")
    with house.working():
        house.until(refund_id, Status.SUBMITTED)
        _pause(house)
        assert house.until(refund_id, Status.REFUNDED, hurry=True)


def test_a_lane_that_does_not_exist_cannot_be_paused(house: House) -> None:
    with house.parts.database.begin() as tx:
        assert not lanes.pause(tx, account=DEFAULT, gateway="nowhere", by="op", reason="x")
        assert not lanes.resume(tx, account=DEFAULT, gateway="nowhere")


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
    with house.parts.database.begin() as tx:
        lanes.ensure(tx, DEFAULT, "sandbox")
        assert lanes.pause(tx, account=DEFAULT, gateway="sandbox", by="op", reason="maintenance")


def _close(house: House, *, failures: int) -> None:
    """As if trouble had closed the lane a moment ago."""
    with house.parts.database.begin() as tx:
        lanes.count_outcomes(
            tx, account=DEFAULT, gateway="sandbox", good=False, bad=failures, closed_until=clocks(tx)[0]
        )
