"""The fault proxy itself, with real sockets: a harness whose faults never happen proves nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.guarantees.processes.proxy import FAIR, Proxy, Weather
from tests.servers.program import free_port


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends everything back, and closes when its client does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while data := connection.recv(65536):
                    connection.sendall(data)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy({"echo": echo, "nobody": free_port()}) as proxy:
        yield proxy


def _connect(proxy: Proxy, link: str = "echo", *, timeout_seconds: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.ports[link]), timeout=timeout_seconds)


def _say(connection: socket.socket, words: bytes = b"hello") -> bytes:
    connection.sendall(words)
    heard = b""
    while len(heard) < len(words):
        part = connection.recv(65536)
        if not part:
            break
        heard += part
    return heard


def _is_reset(proxy: Proxy, link: str = "echo") -> bool:
    try:
        with _connect(proxy, link) as connection:
            _say(connection)
    except ConnectionResetError:
        return True
    return False


def test_fair_weather_passes_everything_on_unchanged(proxy: Proxy) -> None:
    words = bytes(range(256)) * 4000
    with _connect(proxy) as connection:
        threading.Thread(target=connection.sendall, args=(words,), daemon=True).start()
        heard = b""
        while len(heard) < len(words):
            heard += connection.recv(65536)
        assert heard == words
    assert proxy.change("echo", FAIR) == 0


def test_latency_holds_each_direction(proxy: Proxy) -> None:
    with _connect(proxy) as connection:
        proxy.change("echo", Weather(latency_ms=150, jitter_ms=20))
        began = time.monotonic()
        assert _say(connection) == b"hello"
        assert time.monotonic() - began >= 0.3
    assert proxy.change("echo", FAIR) >= 2


def test_a_slow_link_takes_its_time_and_slices_change_nothing(proxy: Proxy) -> None:
    proxy.change("echo", Weather(bytes_per_second=10_000, slice_bytes=7))
    with _connect(proxy) as connection:
        began = time.monotonic()
        assert _say(connection, b"x" * 2000) == b"x" * 2000
        assert time.monotonic() - began >= 0.4


def test_a_black_hole_holds_everything_until_it_ends(proxy: Proxy) -> None:
    with _connect(proxy, timeout_seconds=0.3) as connection:
        proxy.change("echo", Weather(black_hole=True))
        connection.sendall(b"late")
        with pytest.raises(TimeoutError):
            connection.recv(10)
        assert proxy.change("echo", FAIR) >= 1
        connection.settimeout(5)
        assert connection.recv(10) == b"late"


def test_a_reset_ends_connections_that_stand_and_those_that_come(proxy: Proxy) -> None:
    with _connect(proxy) as connection:
        assert _say(connection) == b"hello"
        proxy.change("echo", Weather(reset=True))
        with pytest.raises(ConnectionResetError):
            connection.recv(10)
    assert _is_reset(proxy)
    assert proxy.change("echo", FAIR) >= 2
    with _connect(proxy) as connection:
        assert _say(connection) == b"hello"


def test_an_answer_is_cut_after_so_many_bytes(proxy: Proxy) -> None:
    proxy.change("echo", Weather(answer_bytes=3))
    with _connect(proxy) as connection:
        assert _say(connection) == b"hel"
    with _connect(proxy) as connection:
        assert _say(connection) == b"hel"


def test_a_refusing_link_is_closed_and_listens_again_at_the_same_port(proxy: Proxy) -> None:
    port = proxy.ports["echo"]
    with _connect(proxy) as standing:
        assert _say(standing) == b"hello"
        proxy.change("echo", Weather(refuse=True))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        assert _say(standing) == b"hello"
    proxy.change("echo", FAIR)
    with _connect(proxy) as connection:
        assert _say(connection) == b"hello"


def test_a_close_comes_late(proxy: Proxy) -> None:
    with _connect(proxy) as connection:
        assert _say(connection) == b"hello"
        proxy.change("echo", Weather(slow_close_seconds=0.4))
        began = time.monotonic()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b""
        assert time.monotonic() - began >= 0.4


def test_a_server_that_is_away_shows_as_a_lost_connection(proxy: Proxy) -> None:
    assert _is_reset(proxy, "nobody")
