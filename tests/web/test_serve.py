import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from config.settings import load
from refunds.bootstrap import open_house
from refunds.flow import tokens
from tests.web.service import eventually

PROGRAM = """
import sys
from config.logging import configure
from config.settings import load
from web.serve import run

configure(log_format="json", level="info")
sys.exit(run(load()))
"""


FIRST = b'{"order_id": "1", "transaction_id": "1", '
SECOND = b'"captured_amount": "1.00", "currency": "GBP"}'


@contextmanager
def web(folder: Path, *, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """`moneyback web` as a process of its own, on an SQLite file in the folder."""
    environ = {"MONEYBACK_DATA_DIR": str(folder), "PORT": str(port), "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environ,
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line):
            return found[0]
    raise AssertionError("the process ended before it listened")


@contextmanager
def half_sent(folder: Path, url: str) -> Iterator[socket.socket]:
    """A connection on which the server waits for the second half of a payment."""
    house = open_house(load(environ={"MONEYBACK_DATA_DIR": str(folder)}), role="test")
    _, secret = tokens.create(house.parts, name="shop", scopes=["payments:write"])
    house.close()
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=15) as connection:
        connection.sendall(
            f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(FIRST + SECOND)}\r\n"
            "Expect: 100-continue\r\n\r\n".encode(),
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(FIRST)
        yield connection


def refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/livez", trust_env=False)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:  # it was let in, just before
        return False
    return False


def test_a_stop_answers_what_is_under_way_and_ends_well(tmp_path: Path) -> None:
    with web(tmp_path) as process:
        url = address(process)
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        with half_sent(tmp_path, url) as connection:
            process.send_signal(signal.SIGTERM)
            eventually(lambda: refuses(url))
            connection.sendall(SECOND)
            assert connection.recv(10_000).startswith(b"HTTP/1.1 201 ")
        assert process.wait(timeout=15) == 0


def test_a_second_signal_cuts_work_off_and_says_so(tmp_path: Path) -> None:
    with web(tmp_path) as process:
        url = address(process)
        with half_sent(tmp_path, url):
            process.send_signal(signal.SIGTERM)
            eventually(lambda: refuses(url))
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 1


def test_a_port_that_is_taken_ends_the_process_with_a_failure(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        web(tmp_path, port=taken.getsockname()[1]) as process,
    ):
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "address already in use" in told
    assert "Traceback" not in told
