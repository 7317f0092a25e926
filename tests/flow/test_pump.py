"""A pump goes on: alone, without bells, through a database that goes away, past what nobody foresaw."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import Attempted, Looked
from refunds.flow.calls import CallLoop
from refunds.flow.pump import Pump
from refunds.flow.sweep import ring_due, sweep
from refunds.store import schema
from refunds.store.accounts import DEFAULT
from refunds.store.database import Database, DatabaseUnavailableError
from tests.flow.spoken import SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually
from tests.sandbox_process import SandboxProcess, sandbox
from tests.servers.postgres import PostgresServer


@pytest.fixture
def calls() -> Iterator[CallLoop]:
    loop = CallLoop()
    yield loop
    loop.close()


def close(house: House, calls: CallLoop) -> None:
    """Let go of the gateway's connections, as a dispatcher does at its end."""
    calls.run(house.parts.gateways["sandbox"].gateway.close())


def test_work_goes_on_by_polling_when_no_bell_ever_rings(either_house: House) -> None:
    house = either_house
    with house.working():
        house.bell.dispatcher = None
        ids = [house.refund(house.payment(), "5.00") for _ in range(5)]
        for refund_id in ids:
            assert house.until(refund_id, Status.REFUNDED)


def test_a_ring_is_answered_though_the_pump_looks_by_itself_only_rarely(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    house = open_house(sqlite_url, poll=timedelta(seconds=600))
    first = house.refund(house.payment(), "5.00")
    with house.working():
        house.until(first, Status.REFUNDED)
        assert house.until(house.refund(house.payment(), "5.00"), Status.REFUNDED)


def test_a_pump_that_is_stopped_drains_what_is_in_flight(house: House) -> None:
    ids = [house.refund(house.payment("20.00", {"do": "slow", "seconds": 0.4}), "5.00") for _ in range(5)]

    with house.working():
        eventually(lambda: all(house.sent(id_) for id_ in ids))

    assert {house.get(id_).status for id_ in ids} == {Status.REFUNDED}


def test_a_pump_that_is_stopped_pays_nothing_that_it_has_only_looked_up(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    asked, free = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        free.wait(10)

    spoken = SpokenGateway([Answer(Outcome.DECLINED, "issuer_declined")])
    house = open_house(sqlite_url, gateway=spoken)
    refund_id = house.refund(house.payment(), "5.00")
    with house.working():
        house.until(refund_id, Status.QUEUED)
    spoken.during = hold
    house.jump_to_due()

    with house.working() as dispatcher:
        eventually(asked.is_set)
        dispatcher._pumps[DEFAULT, "sandbox"].stop()
        free.set()

    refund = house.get(refund_id)
    assert (refund.status, refund.due_at is not None and refund.due_at <= house.now) == (Status.QUEUED, True)
    assert len(spoken.paid) == 1
    assert house.slot(refund.transaction_id) is None


def test_a_worker_that_dies_in_its_calls_is_taken_over_and_nothing_is_paid_twice(
    open_house: HouseMaker, database_url: str
) -> None:
    spoken = SpokenGateway(held=True)
    dying = open_house(database_url, gateway=spoken)
    ids = [dying.refund(dying.payment(), "5.00") for _ in range(4)]
    loop = CallLoop()
    pump = Pump(dying.parts, loop, DEFAULT, "sandbox")
    pump._turn()  # claims, marks, calls; nobody will ever settle: as after SIGKILL
    assert {dying.get(id_).status for id_ in ids} == {Status.ATTEMPTING}

    heir = open_house(database_url, begins=False)
    with heir.working():
        assert sweep(heir.parts) == 0
        eventually(lambda: sweep(heir.parts) == 4)
        for refund_id in ids:
            heir.until(refund_id, Status.REFUNDED, hurry=True)
    spoken.let_go()
    eventually(lambda: len(pump._arrived) == 4)
    loop.close()

    assert {row["code"] for id_ in ids for row in heir.attempts(id_) if row["number"] == 1} == {"lease_lost"}
    assert heir.doubled() == []
    assert heir.broken_sums() == []


def test_a_look_up_that_came_while_the_database_was_away_is_not_forgotten(
    open_house: HouseMaker, bank: SandboxProcess, calls: CallLoop
) -> None:
    with PostgresServer() as server:
        url = server.url("postgres")
        migrated = Database(url)
        schema.upgrade(migrated)
        migrated.close()
        house = open_house(url)
        steps = {"do": "decline", "code": "issuer_declined"}
        ids = [house.refund(house.payment("20.00", steps), "5.00") for _ in range(2)]
        pump = Pump(house.parts, calls, DEFAULT, "sandbox")
        pump._turn()
        eventually(lambda: len(pump._arrived) == 2)
        pump._turn()
        house.jump_to_due()
        pump._turn()
        eventually(lambda: [type(arrival) for arrival in pump._arrived] == [Looked, Looked])
        stranger = replace(next(iter(pump._held.values())).claim, refund_id="rf_stranger")
        pump._arrived.append(Attempted(stranger, Answer(Outcome.UNAVAILABLE, sent=False)))

        server.stop()
        with pytest.raises(DatabaseUnavailableError):
            pump._turn()
        server.start()

        def turned() -> bool:
            pump._turn()
            return {house.get(id_).status for id_ in ids} == {Status.REFUNDED}

        eventually(turned)
        assert pump._held == {}
        close(house, calls)
        house.close()


def test_a_refund_that_cannot_be_booked_at_all_stops_nobody_else(either_house: House) -> None:
    """A rule of the database that nobody foresaw: it is left to the sweep, the lane goes on."""
    house = either_house
    payments = [house.payment() for _ in range(3)]
    ids = [house.refund(payment, "5.00") for payment in payments]
    with house.parts.database.begin() as tx:
        for statement in _forbid_leaving(ids[1], sqlite=house.parts.database.sqlite):
            tx.execute(text(statement))

    with house.working():
        for refund_id in (ids[0], ids[2]):
            house.until(refund_id, Status.REFUNDED)
        later = house.refund(house.payment(), "5.00")
        house.until(later, Status.REFUNDED)

    assert house.get(ids[1]).status is Status.ATTEMPTING
    assert house.count("evidence") == 0


def test_a_lost_bell_costs_a_tick_of_the_sweep(house: House) -> None:
    house.refund(house.payment(), "5.00")
    house.bell.rung.clear()

    assert ring_due(house.parts) == 1
    assert house.bell.rung == [(DEFAULT, "sandbox")]


def test_a_gateway_that_cannot_be_reached_uses_up_no_try(
    open_house: HouseMaker, sqlite_url: str, tmp_path: Path
) -> None:
    with sandbox(ledger=tmp_path / "ledger.sqlite") as other:
        house = open_house(sqlite_url, bank=other)
        refund_id = house.refund(house.payment(), "5.00")
        other.stop()
        with house.working():
            refund = house.until(refund_id, Status.QUEUED)

    [attempt] = house.attempts(refund_id)
    assert (attempt["outcome"], attempt["code"], attempt["counted_number"]) == (
        "unavailable",
        "not_reached",
        None,
    )
    assert (refund.wait, refund.attempts_counted, refund.generation) == ("outage", 0, 1)


def test_a_second_process_shares_the_lane_and_nothing_is_paid_twice(
    open_house: HouseMaker, database_url: str
) -> None:
    one = open_house(database_url, max_in_flight=4)
    two = open_house(database_url, max_in_flight=4, begins=False)
    payments = [one.payment() for _ in range(10)]
    ids = [one.refund(payment, "1.00") for payment, _ in itertools.product(payments, range(3))]

    with one.working(), two.working():
        for refund_id in ids:
            one.until(refund_id, Status.REFUNDED)

    assert one.doubled() == []
    assert [len(one.sent(id_)) for id_ in ids] == [1] * 30
    assert one.broken_sums() == []


def _forbid_leaving(refund_id: str, *, sqlite: bool) -> list[str]:
    condition = f"OLD.id = '{refund_id}' AND OLD.status = 'attempting' AND NEW.status <> 'attempting'"
    if sqlite:
        return [
            f"""CREATE TRIGGER forbidden BEFORE UPDATE ON refunds WHEN {condition}
            BEGIN SELECT RAISE(ABORT, 'forbidden'); END""",
        ]
    return [
        """CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'forbidden' USING ERRCODE = 'check_violation'; END $$""",
        f"""CREATE TRIGGER forbidden BEFORE UPDATE ON refunds FOR EACH ROW WHEN ({condition})
        EXECUTE FUNCTION forbid()""",
    ]
