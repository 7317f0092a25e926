"""The places of a lane: never more than there are, shared between first attempts and the queue."""

import pytest
from sqlalchemy import text

from refunds.domain.status import Status
from refunds.flow.operate import retry_now
from tests.flow.spoken import SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import eventually


@pytest.mark.parametrize("places", [1, 2, 3])
def test_a_lane_with_few_places_works_the_queue_too(
    open_house: HouseMaker, sqlite_url: str, places: int
) -> None:
    house = open_house(sqlite_url, max_in_flight=places)
    steps = {"do": "decline", "code": "issuer_declined"}
    ids = [house.refund(house.payment("20.00", steps), "5.00") for _ in range(4)]

    with house.working():
        for refund_id in ids:
            assert house.until(refund_id, Status.REFUNDED, hurry=True)


@pytest.mark.parametrize("places", [1, 2, 3, 5])
def test_no_more_calls_are_in_flight_than_there_are_places(
    open_house: HouseMaker, sqlite_url: str, places: int
) -> None:
    spoken = SpokenGateway(held=True)
    house = open_house(sqlite_url, max_in_flight=places, gateway=spoken)
    failed = [house.refund(house.payment(), "5.00") for _ in range(8)]
    queued = [house.refund(house.payment(), "5.00") for _ in range(8)]
    for status, ids in (("failed", failed), ("queued", queued)):
        with house.parts.database.begin() as tx:
            names = ", ".join(f"'{id_}'" for id_ in ids)
            tx.execute(text(f"UPDATE refunds SET status = '{status}', extra = true WHERE id IN ({names})"))
    fresh = [house.refund(house.payment(), "5.00") for _ in range(8)]

    with house.working():
        eventually(lambda: spoken.in_flight == places)
        spoken.let_go()
        for refund_id in (*failed, *queued, *fresh):
            house.until(refund_id, Status.REFUNDED)

    assert spoken.most_in_flight == places


def test_first_attempts_and_the_queue_share_the_places(open_house: HouseMaker, sqlite_url: str) -> None:
    spoken = SpokenGateway(held=True)
    house = open_house(sqlite_url, max_in_flight=10, gateway=spoken)
    queued = [house.refund(house.payment(), "5.00") for _ in range(20)]
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = 'queued'"))
    fresh = [house.refund(house.payment(), "5.00") for _ in range(20)]

    with house.working():
        eventually(lambda: spoken.in_flight == 10)
        called = {call.reference for call in spoken.paid}
        assert len(called.intersection(queued)) == len(called.intersection(fresh)) == 5
        spoken.let_go()


def test_what_is_claimed_ahead_is_never_sent_when_the_worker_stops(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway(held=True)
    house = open_house(sqlite_url, max_in_flight=4, gateway=spoken)
    ids = [house.refund(house.payment(), "5.00") for _ in range(12)]

    with house.working():
        eventually(lambda: sum(house.get(id_).status is Status.ATTEMPTING for id_ in ids) == 8)
        spoken.let_go_soon()

    called = {call.reference for call in spoken.paid}
    assert len(called) == 4
    for refund_id in ids:
        refund = house.get(refund_id)
        waits = {Status.REQUESTED, Status.QUEUED}
        assert refund.status in ({Status.REFUNDED} if refund_id in called else waits)
        assert refund.attempts_counted == 0
    assert house.lane().failures == 0


def test_no_more_calls_begin_in_a_second_than_the_lane_allows(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    spoken = SpokenGateway()
    house = open_house(sqlite_url, gateway=spoken, calls_per_second=20.0)
    ids = [house.refund(house.payment(), "5.00") for _ in range(45)]

    with house.working():
        for refund_id in ids:
            house.until(refund_id, Status.REFUNDED)

    began = sorted(spoken.began)
    assert len(began) == 45
    assert all(later - earlier >= 0.9 for earlier, later in zip(began, began[40:], strict=False))


def test_an_operator_s_try_on_a_lane_with_two_places_leaves_the_lane_working(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, max_in_flight=2, retry_days=0)
    steps = {"do": "decline", "code": "issuer_declined"}
    failed = house.refund(house.payment("20.00", steps), "5.00")
    with house.working():
        house.until(failed, Status.FAILED)
    queued = [house.refund(house.payment(), "1.00") for _ in range(5)]
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = 'queued' WHERE status = 'requested'"))
    fresh = [house.refund(house.payment(), "1.00") for _ in range(5)]
    retry_now(house.parts, failed, actor="op", reason="test")

    with house.working():
        for refund_id in (failed, *queued, *fresh):
            assert house.until(refund_id, Status.REFUNDED)
