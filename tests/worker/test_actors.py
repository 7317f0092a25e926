"""A message ends only when it is kept or back in its queue, whatever the database or the broker do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import psycopg
import pytest
from dramatiq.errors import BrokerConnectionError
from dramatiq.middleware import CurrentMessage
from psycopg import sql

from refunds.broker.names import INTAKE_QUEUE, NAMESPACE, REQUEST_REFUND
from refunds.broker.redis import ParkingRedisBroker
from refunds.flow.dispatch import Dispatcher
from tests import house_fixture
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually
from worker.actors import declare

bank = house_fixture.bank
open_house = house_fixture.open_house
postgres_template = house_fixture.postgres_template


WRITABLE = "-c default_transaction_read_only=off"


@pytest.fixture(autouse=True)
def logged_quietly(log: list[Any]) -> None:
    """Nothing is rendered."""


@pytest.fixture
def house(open_house: HouseMaker, postgres_database: str) -> House:
    """A house on PostgreSQL."""
    return open_house(postgres_database)


class FailingBroker(ParkingRedisBroker):
    """Takes no message while `away`."""

    away = False

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        if self.away:
            raise BrokerConnectionError(OSError("away"))  # type: ignore[no-untyped-call]
        return super().enqueue(message, delay=delay)

    @property
    def holds(self) -> bool:
        """Whether a message waits, or is not acknowledged."""
        return bool(self.do_qsize(INTAKE_QUEUE))


@pytest.fixture
def broker(redis_url: str) -> Iterator[FailingBroker]:
    """A broker of our own kind, closed at the end."""
    opened = FailingBroker(  # type: ignore[no-untyped-call]
        url=redis_url,
        middleware=[CurrentMessage()],
        namespace=NAMESPACE,
    )
    yield opened
    opened.close()


def send(broker: dramatiq.Broker, transaction_id: str) -> None:
    kwargs = {
        "version": 1,
        "idempotency_key": "k",
        "request": {"transaction_id": transaction_id, "amount": "5.00"},
    }
    broker.enqueue(
        dramatiq.Message(
            queue_name=INTAKE_QUEUE,
            actor_name=REQUEST_REFUND,
            args=(),
            kwargs=kwargs,
            options={},
        ),
    )


@contextmanager
def consuming(broker: dramatiq.Broker, stopping: threading.Event) -> Iterator[None]:
    """One worker thread, stopped at the end as a process stops it."""
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=20)
    worker.start()
    try:
        yield
    finally:
        stopping.set()
        worker.stop(timeout=10_000)


def make_read_only(house: House, *, read_only: bool) -> None:
    """What an operator or a full disk does to a database; connections are cut, as a failover cuts them."""
    database = house.parts.database.url
    dsn = database.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True, options=WRITABLE) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(
                sql.Identifier(database.database or ""),
                sql.Literal("on" if read_only else "off"),
            ),
        )
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )


def happened(log: list[Any], event: str) -> bool:
    return any(entry["event"] == event for entry in log)


def test_a_message_waits_out_a_read_only_database_and_is_then_taken_in(
    house: House, broker: FailingBroker, log: list[Any]
) -> None:
    payment, stopping = house.payment("20.00"), threading.Event()
    declare(broker, house.parts, Dispatcher(house.parts), stopping=stopping)
    make_read_only(house, read_only=True)

    with consuming(broker, stopping):
        send(broker, payment)
        eventually(lambda: happened(log, "message.waits_for_database"))
        assert broker.holds
        make_read_only(house, read_only=False)
        eventually(lambda: not broker.holds)

    assert (house.count("refunds"), house.count("parked")) == (1, 0)
    assert house.balance(payment).reserved_minor == 500


def test_a_message_that_the_broker_does_not_take_back_at_first_is_not_lost(
    house: House, broker: FailingBroker, log: list[Any]
) -> None:
    payment, stopping = house.payment("20.00"), threading.Event()
    declare(broker, house.parts, Dispatcher(house.parts), stopping=stopping)
    make_read_only(house, read_only=True)

    with consuming(broker, stopping):
        send(broker, payment)
        eventually(lambda: happened(log, "message.waits_for_database"))
        broker.away = True
        stopping.set()
        eventually(lambda: happened(log, "message.not_handed_back"))
        assert broker.holds
        broker.away = False

    assert broker.holds
    make_read_only(house, read_only=False)
    stopping.clear()
    with consuming(broker, stopping):
        eventually(lambda: not broker.holds)
    assert (house.count("refunds"), house.count("parked")) == (1, 0)
