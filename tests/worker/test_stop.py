"""A worker's stop: one deadline for money in flight, messages and the goodbye."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest

from config.settings import load
from refunds.bootstrap import House, open_house, prepare_database
from refunds.store import ticks
from tests.house_of import eventually
from tests.sandbox_process import sandbox
from worker.main import RunningWorker


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with sandbox(ledger=tmp_path / "ledger.db") as bank:
        settings = load(environ={"MONEYBACK_DATA_DIR": str(tmp_path), "MONEYBACK_SANDBOX_URL": bank.url})
        opened = open_house(settings, role="worker")
        prepare_database(opened)
        yield opened
        opened.close()


class Hanging(dramatiq.Middleware):
    """Holds the message that comes first."""

    def __init__(self) -> None:
        self.begun, self.freed = threading.Event(), threading.Event()

    def before_process_message(self, *_: object) -> None:
        self.begun.set()
        self.freed.wait(30)


def _alive(house: House) -> int:
    with house.parts.database.read() as tx:
        return len(ticks.beats(tx))


def test_an_idle_worker_stops_at_once_and_says_goodbye(house: House) -> None:
    worker = RunningWorker(house)
    eventually(lambda: _alive(house) == 1)
    began = time.monotonic()
    assert worker.stop(within_seconds=20)
    assert time.monotonic() - began < 5
    assert _alive(house) == 0


def test_a_message_that_hangs_and_a_locked_database_share_one_deadline(house: House) -> None:
    hanging = Hanging()
    house.broker.add_middleware(hanging)
    worker = RunningWorker(house)
    eventually(lambda: _alive(house) == 1)
    house.wakeup.ring("nobody", "nowhere")
    assert hanging.begun.wait(10)
    with house.parts.database.begin():  # what the goodbye has to wait for
        began = time.monotonic()
        assert not worker.stop(within_seconds=1.5)
        assert 1.5 <= time.monotonic() - began < 2.5
    hanging.freed.set()
    eventually(lambda: _alive(house) == 0)
