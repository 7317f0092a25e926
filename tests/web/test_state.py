"""Readiness: it tells of Redis, asks it seldom and shortly, and is never decided by it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from config.settings import load
from refunds.bootstrap import open_house, prepare_database
from refunds.broker.health import RedisPulse
from tests.servers.program import free_port
from tests.servers.valkey import ValkeyServer
from tests.web.service import eventually
from web.api import documents
from web.api.app import create_app
from web.serve import build_server


@contextmanager
def readyz(folder: Path, **variables: str) -> Iterator[str]:
    """The address at which a web process with these settings tells its readiness."""
    house = open_house(load(environ={"MONEYBACK_DATA_DIR": str(folder), **variables}), role="web")
    prepare_database(house)
    server = build_server(create_app(house.parts), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{server.port}/readyz"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        house.close()


def told(url: str) -> str:
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 200
    return documents.Readiness.model_validate(answer.json()).redis


def test_redis_that_answers_is_reachable(tmp_path: Path, redis_url: str) -> None:
    with readyz(tmp_path, REDIS_URL=redis_url) as url:
        assert told(url) == "reachable"


def test_without_redis_it_says_that_none_is_configured(tmp_path: Path) -> None:
    with readyz(tmp_path) as url:
        assert told(url) == "not configured"


def test_redis_that_is_away_does_not_make_the_process_unready(tmp_path: Path) -> None:
    with readyz(tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0") as url:
        assert told(url) == "unreachable"


def test_redis_that_says_nothing_costs_half_a_second_and_not_again_at_once(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        # A limit of its own in the URL does not lengthen it.
        readyz(tmp_path, REDIS_URL=f"redis://127.0.0.1:{mute.getsockname()[1]}/0?socket_timeout=9") as url,
    ):
        began = time.monotonic()
        assert [told(url) for _ in range(5)] == ["unreachable"] * 5
        assert time.monotonic() - began < 1.5


def test_redis_is_asked_again_after_five_seconds_only() -> None:
    with ValkeyServer() as server:
        pulse = RedisPulse(server.url(1))
        assert pulse.answers()
        server.stop()
        assert pulse.answers()
        pulse._ask_at -= RedisPulse.APART_SECONDS
        assert not pulse.answers()
