"""Another service hands over refunds by message: plain dramatiq, or any Redis client; nothing is lost."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.encoder import JSONEncoder

from refunds.store import refunds, requests
from refunds.store.database import Database
from tests.command import environment, run, running, terminate
from tests.sandbox_process import SandboxProcess, sandbox
from tests.servers.postgres import PostgresServer

NAMESPACE = "moneyback:v1"
QUEUE = "refunds-intake"


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[SandboxProcess]:
    with sandbox(ledger=tmp_path / "ledger.db") as process:
        yield process


@pytest.fixture
def env(tmp_path: Path, bank: SandboxProcess, postgres_database: str, redis_url: str) -> dict[str, str]:
    env = environment(
        tmp_path, DATABASE_URL=postgres_database, REDIS_URL=redis_url, MONEYBACK_SANDBOX_URL=bank.url
    )
    assert run("db", "upgrade", env=env).returncode == 0
    return env


@pytest.fixture
def worker(env: dict[str, str], tmp_path: Path) -> Iterator[Any]:
    with running("worker", env=env, log=tmp_path / "worker.log") as process:
        yield process


def _request(number: int, **changes: object) -> dict[str, object]:
    payment = {
        "order_id": f"order-{number}",
        "transaction_id": f"pay-{number}",
        "captured_amount": "20.00",
        "currency": "EUR",
    }
    return {"amount": "5.00", "payment": payment, **changes}


def _body(kwargs: dict[str, object], **changes: object) -> dict[str, object]:
    message_id = str(uuid.uuid4())
    return {
        "queue_name": QUEUE,
        "actor_name": "request_refund",
        "args": [],
        "kwargs": kwargs,
        "options": {"redis_message_id": message_id},
        "message_id": message_id,
        "message_timestamp": int(time.time() * 1000),
        **changes,
    }


def _push(url: str, raw: bytes, *, field: str | None = None) -> None:
    """What any Redis client does: the body into the hash, its id into the list."""
    field = field or str(uuid.uuid4())
    with redis.Redis.from_url(url) as client:
        client.hset(f"{NAMESPACE}:{QUEUE}.msgs", field, raw)
        client.rpush(f"{NAMESPACE}:{QUEUE}", field)


def _send(url: str, kwargs: dict[str, object]) -> None:
    body = _body(kwargs)
    _push(url, json.dumps(body).encode(), field=str(body["message_id"]))


def _until(true: Callable[[], bool], *, within_seconds: float = 20) -> None:
    deadline = time.monotonic() + within_seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


class _Seen:
    """What the database holds, read from outside the worker."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def refunds(self) -> list[refunds.Refund]:
        with self._database.read() as tx:
            return refunds.list_page(tx, filters={}, after=None, limit=100)

    def parked(self) -> list[dict[str, Any]]:
        with self._database.read() as tx:
            return requests.list_parked(tx, limit=100)

    def close(self) -> None:
        self._database.close()


@pytest.fixture
def seen(env: dict[str, str]) -> Iterator[_Seen]:
    seen = _Seen(env["DATABASE_URL"])
    yield seen
    seen.close()


def _nothing_left(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        acks = [key for key in client.scan_iter(f"{NAMESPACE}:__acks__.*") if client.scard(key)]
        return not acks and not client.hlen(f"{NAMESPACE}:{QUEUE}.msgs")


def test_a_message_sent_with_plain_dramatiq_becomes_one_refund(
    env: dict[str, str], worker: Any, seen: _Seen
) -> None:
    encoder = dramatiq.get_encoder()
    dramatiq.set_encoder(JSONEncoder())
    try:
        broker = RedisBroker(url=env["REDIS_URL"], namespace=NAMESPACE)  # type: ignore[no-untyped-call]  # dramatiq is typed in part
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=QUEUE,
            actor_name="request_refund",
            args=(),
            kwargs={"version": 1, "idempotency_key": "order-1/refund-1", "request": _request(1)},
            options={},
        )
        for _ in range(3):
            broker.enqueue(message)
        broker.close()
    finally:
        dramatiq.set_encoder(encoder)
    _until(
        lambda: (
            [refund.status for refund in seen.refunds()] == ["refunded"] and _nothing_left(env["REDIS_URL"])
        )
    )
    assert seen.parked() == []


def test_a_message_pushed_by_any_redis_client_becomes_one_refund(
    env: dict[str, str], worker: Any, seen: _Seen
) -> None:
    kwargs = {"version": 1, "idempotency_key": "k1", "request": _request(1)}
    body = _body(kwargs, options={})
    _push(env["REDIS_URL"], json.dumps(body).encode())
    _send(env["REDIS_URL"], kwargs)
    _until(lambda: len(seen.refunds()) == 1 and _nothing_left(env["REDIS_URL"]))


def test_refused_and_unreadable_messages_are_parked_and_block_nobody(
    env: dict[str, str], worker: Any, seen: _Seen
) -> None:
    url = env["REDIS_URL"]
    _push(url, b"\x80\x03}q\x00(not json at all")
    _push(url, json.dumps(["a", "list"]).encode())
    _push(url, json.dumps(_body({"x": 1}, actor_name="no_such_actor")).encode())
    _push(url, json.dumps(_body({"x": 1}, message_timestamp="soon")).encode())
    _send(url, {"version": 2, "idempotency_key": "k", "request": _request(1)})
    _send(url, {"version": 1, "idempotency_key": "over", "request": _request(2, amount="20.01")})
    _send(url, {"version": 1, "idempotency_key": "nul", "request": _request(3, reason="a\x00b")})
    _send(url, {"version": 1, "idempotency_key": "good", "request": _request(4)})
    _until(lambda: len(seen.parked()) == 7 and len(seen.refunds()) == 1)
    _until(lambda: _nothing_left(url))
    whys = " | ".join(sorted(row["why"] for row in seen.parked()))
    for why in (
        "not JSON",
        "not a JSON object",
        "no_such_actor",
        "message_timestamp",
        "version 1",
        "exceeds_captured",
    ):
        assert why in whys
    assert worker.poll() is None


def test_a_message_waits_while_the_database_is_away(
    tmp_path: Path, bank: SandboxProcess, redis_url: str
) -> None:
    with PostgresServer(durable=True) as server:
        url = server.url(server.create_database(None))
        env = environment(tmp_path, DATABASE_URL=url, REDIS_URL=redis_url, MONEYBACK_SANDBOX_URL=bank.url)
        assert run("db", "upgrade", env=env).returncode == 0
        with ExitStack() as stack:
            first = stack.enter_context(running("worker", env=env, log=tmp_path / "first.log"))
            _send(redis_url, {"version": 1, "idempotency_key": "k0", "request": _request(0)})
            database_seen = _Seen(url)
            stack.callback(database_seen.close)
            _until(lambda: [refund.status for refund in database_seen.refunds()] == ["refunded"])
            server.stop()
            for number in (1, 2, 3):
                _send(
                    redis_url,
                    {"version": 1, "idempotency_key": f"k{number}", "request": _request(number)},
                )
            _until(lambda: b"message.waits_for_database" in (tmp_path / "first.log").read_bytes())
            assert terminate(first) == 0
            stack.enter_context(running("worker", env=env, log=tmp_path / "second.log"))
            server.start()
            _until(lambda: len(database_seen.refunds()) == 4, within_seconds=30)
            assert database_seen.parked() == []
