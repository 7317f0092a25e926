"""What no test may do is really refused: reach another machine, skip under CI."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest

_SKIPS = """
import pytest

@pytest.mark.skip(reason="no wish to run")
def test_skips(): ...

@pytest.mark.xfail
def test_fails_as_expected(): raise ValueError

@pytest.mark.shared
def test_reads_what_is_shared(shared_folder): assert shared_folder.is_dir()
"""


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_a_connection_to_another_machine_is_refused_at_once(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as outgoing, pytest.raises(RuntimeError, match="tried to reach"):
            outgoing.connect((address, 80))
    with socket.socket(family, socket.SOCK_DGRAM) as outgoing:
        with pytest.raises(RuntimeError, match="tried to reach"):
            outgoing.sendto(b"", (address, 80))
        with pytest.raises(RuntimeError, match="tried to reach"):
            outgoing.connect_ex((address, 80))


def test_a_connection_of_asyncio_is_refused_too() -> None:
    with pytest.raises(RuntimeError, match="tried to reach"):
        asyncio.run(asyncio.wait_for(asyncio.open_connection("192.0.2.1", 80), 5))


def test_no_name_is_resolved_but_our_own() -> None:
    with pytest.raises(socket.gaierror, match="resolve no names"):
        socket.create_connection(("gateway.test", 80))
    assert socket.getaddrinfo("localhost", 80)


def test_loopback_and_unix_sockets_are_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
        assert client.getpeername() == str(tmp_path / "s")


@pytest.mark.parametrize("ci", ["true", ""])
def test_a_skip_is_a_failure_only_under_ci_beside_the_shared_data(tmp_path: Path, ci: str) -> None:
    (tmp_path / "test_skips.py").write_text(_SKIPS)
    shared = conftest.SHARED.is_dir()
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "-c", os.devnull, "-o", "markers=shared", "--rootdir", tmp_path, tmp_path],
        env={**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-ra"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    forbidden = shared and ci == "true"
    assert run.returncode == (1 if forbidden else 0), run.stdout
    assert ("nothing may skip under CI" in run.stdout) == forbidden
    assert ("1 passed" in run.stdout) == shared
    assert "1 xfailed" in run.stdout
