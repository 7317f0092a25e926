"""A message ends only when its refund, or its parked refusal, is committed; none is lost, none blocks."""

import base64
import json
import threading
from typing import Any

from refunds.flow.messages import park_message, take_message
from refunds.store import requests, schema
from refunds.store.database import Database
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually
from tests.sandbox_process import SandboxProcess
from tests.servers.postgres import PostgresServer


def message(transaction_id: str, *, key: str = "k", **request: Any) -> dict[str, Any]:
    asked = {"transaction_id": transaction_id, **request}
    return {"version": 1, "idempotency_key": key, "request": asked}


def take(house: House, kwargs: dict[str, Any]) -> bool:
    return take_message(house.parts, kwargs, stopping=threading.Event())


def parked(house: House) -> list[str]:
    """Why, of each parked message."""
    with house.parts.database.read() as tx:
        return [row["why"] for row in requests.list_parked(tx, limit=100)]


def test_a_message_becomes_one_refund_however_often_it_comes(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")

    for _ in range(3):
        assert take(house, message(payment, amount="5.00"))

    assert (house.count("refunds"), parked(house)) == (1, [])
    assert house.balance(payment).reserved_minor == 500


def test_a_refused_message_is_parked_once_and_answers_the_same_again(either_house: House) -> None:
    house = either_house
    payment = house.payment("20.00")

    for _ in range(3):
        assert take(house, message(payment, amount="20.01"))

    [why] = parked(house)
    assert why.startswith("refused: exceeds_captured: GBP 20.01 asked")
    assert (house.count("refunds"), house.count("intake_log")) == (0, 1)


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


NOT_UNDERSTOOD: list[dict[str, Any]] = [
    {},
    {"version": 2, "idempotency_key": "k", "request": {}},
    {"version": 1, "idempotency_key": 7, "request": {}},
    {"version": 1, "idempotency_key": "k", "request": []},
    {"version": 1, "idempotency_key": "k", "request": {}, "more": 1},
    {"version": 1, "idempotency_key": "k", "request": {"a\x00\ud800": "\udfff\x00"}},
    {"version": 1, "idempotency_key": "\x00", "request": {}},
    {"version": 1, "idempotency_key": "k", "request": {"reason": "\x00"}},
    {"version": 1, "idempotency_key": "k", "request": {"amount": float("nan")}},
    {"version": 1, "idempotency_key": "k", "request": {"amount": 10**400}},
    {"version": 1, "idempotency_key": "k", "request": {"metadata": _deep(500)}},
    {"version": 1, "idempotency_key": "k", "request": {"metadata": _deep(3000)}},
]


def test_a_message_that_is_not_understood_is_parked(either_house: House) -> None:
    for number, kwargs in enumerate(NOT_UNDERSTOOD, 1):
        assert take(either_house, kwargs)
        assert len(parked(either_house)) == number

    assert either_house.count("refunds") == 0


def test_a_body_that_could_not_be_read_is_parked_as_it_was(either_house: House) -> None:
    raw = base64.b64encode(b"\x80\x00 not json").decode()

    for _ in range(2):
        assert park_message(either_house.parts, raw=raw, why="not JSON", stopping=threading.Event())

    with either_house.parts.database.read() as tx:
        [row] = requests.list_parked(tx, limit=10)
    assert (row["raw"], row["why"]) == ("\\x80\\x00 not json", "not JSON")


def test_a_message_waits_for_the_database_and_is_handed_back_when_the_process_stops(
    open_house: HouseMaker, bank: SandboxProcess
) -> None:
    with PostgresServer() as server:
        url = server.url("postgres")
        migrated = Database(url)
        schema.upgrade(migrated)
        migrated.close()
        house = open_house(url)
        payment = house.payment("20.00")
        server.stop()
        stopping = threading.Event()
        kept: list[bool] = []

        def work() -> None:
            kept.append(take_message(house.parts, message(payment, amount="5.00"), stopping=stopping))

        first = threading.Thread(target=work)
        first.start()
        stopping.set()
        first.join(20)
        assert kept == [False]

        stopping.clear()
        second = threading.Thread(target=work)
        second.start()
        server.start()
        second.join(20)
        assert kept == [False, True]
        assert house.count("refunds") == 1
        house.close()


def test_messages_and_calls_have_keys_of_their_own(house: House) -> None:
    payment = house.payment("20.00")
    house.refund(payment, "5.00", key="k")

    assert take(house, message(payment, amount="6.00"))

    assert (house.count("refunds"), parked(house)) == (2, [])


def test_a_taken_message_rings_its_lane(house: House) -> None:
    take(house, message(house.payment("20.00"), amount="5.00"))

    eventually(lambda: house.bell.rung == [("default", "sandbox")])
    assert json.dumps(house.bell.rung)
