"""Ticks: each slot is taken once; a stop begins no duty and waits for none that hangs."""

import threading
import time
from typing import Any

import pytest

from refunds.flow.parts import Parts
from refunds.flow.ticking import take_slot
from refunds.store import ticks
from scheduler.ticks import TICKS, Tick, run_tick, start
from tests.house_fixture import HouseMaker
from tests.house_of import eventually

AGES = 10**9
"""Seconds of a slot that does not end while the test runs."""


@pytest.fixture
def parts(open_house: HouseMaker, sqlite_url: str) -> Parts:
    own: Parts = open_house(sqlite_url).parts
    return own


def test_a_slot_is_taken_by_one_scheduler_alone(open_house: HouseMaker, database_url: str) -> None:
    houses = [open_house(database_url), *(open_house(database_url, begins=False) for _ in range(3))]
    together, won = threading.Barrier(len(houses)), []

    def take(parts: Parts) -> None:
        together.wait(10)
        won.append(take_slot(parts, "test", AGES))

    threads = [threading.Thread(target=take, args=(house.parts,)) for house in houses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(won) == [False, False, False, True]


def test_slots_follow_each_other(parts: Parts) -> None:
    assert take_slot(parts, "test", 1)
    eventually(lambda: take_slot(parts, "test", 1), what="the next slot")
    assert take_slot(parts, "another", AGES)


def test_a_duty_is_done_by_whoever_takes_the_slot(parts: Parts) -> None:
    done: list[threading.Event] = []
    tick = Tick("test", AGES, lambda _, stopping: done.append(stopping) or 0)  # type: ignore[func-returns-value]  # None, and then 0
    stopping = threading.Event()
    assert [run_tick(parts, tick, stopping) for _ in range(2)] == [True, False]
    assert done == [stopping]


def test_no_slot_is_taken_once_stopping(parts: Parts) -> None:
    stopping = threading.Event()
    stopping.set()
    for tick in TICKS:
        assert not run_tick(parts, tick, stopping)
    with parts.database.read() as tx:
        assert ticks.last_tick(tx) is None


def test_a_duty_that_fails_is_logged_and_ticks_again(parts: Parts, log: list[Any]) -> None:
    def fail(_: Parts, _stopping: threading.Event) -> int:
        raise LookupError("a defect")

    stopping = threading.Event()
    ticking = start(parts, stopping=stopping, ticks=[Tick("failing", 1, fail)])
    eventually(lambda: len([entry for entry in log if entry["event"] == "tick.failed"]) >= 2)
    assert ticking.stop(within_seconds=5)


@pytest.mark.parametrize("harmless", [True, False])
def test_a_duty_that_hangs_does_not_hold_the_stop(parts: Parts, log: list[Any], *, harmless: bool) -> None:
    begun, freed = threading.Event(), threading.Event()

    def hang(_: Parts, _stopping: threading.Event) -> int:
        begun.set()
        freed.wait(30)
        return 0

    stopping = threading.Event()
    ticking = start(parts, stopping=stopping, ticks=[Tick("hanging", 1, hang, harmless)])
    assert begun.wait(10)
    began = time.monotonic()
    assert ticking.stop(within_seconds=0.3) is harmless
    assert 0.3 <= time.monotonic() - began < 2
    assert stopping.is_set()
    assert [entry["ticks"] for entry in log if entry["event"] == "ticks.cut"] == [["hanging"]]
    freed.set()


def test_a_duty_under_way_is_waited_for_and_hears_of_the_stop(parts: Parts) -> None:
    begun, ended = threading.Event(), threading.Event()

    def last(_: Parts, stopping: threading.Event) -> int:
        begun.set()
        assert stopping.wait(10)
        ended.set()
        return 0

    ticking = start(parts, stopping=threading.Event(), ticks=[Tick("last", 1, last)])
    assert begun.wait(10)
    assert ticking.stop(within_seconds=10)
    assert ended.is_set()


def test_only_a_mail_may_be_cut_off() -> None:
    assert [tick.name for tick in TICKS if tick.cut_is_harmless] == ["notices"]
