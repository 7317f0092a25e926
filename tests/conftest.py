"""What every test may ask for, and what none may do: reach another machine, skip under CI."""

import ipaddress
import itertools
import os
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import settings

from tests.servers.postgres import Postgres, postgres_server
from tests.servers.smtp import SmtpSink, StartSmtp, Tls, smtp_sink
from tests.servers.valkey import DATABASES, ValkeyServer

SHARED = Path(__file__).parents[2] / "shared"
_SHARED_ABSENT = "the shared data is not beside this checkout (../shared)"

settings.register_profile("default", derandomize=False, max_examples=50, deadline=None)
settings.load_profile("default")

_redis_databases = itertools.cycle(range(1, DATABASES))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The run's PostgreSQL (one a worker). Tests that stop it start a `PostgresServer` for themselves."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template() -> str | None:
    """Name of the database that `postgres_database` copies; a folder's conftest may give a migrated one."""
    return None


@pytest.fixture
def postgres_database(postgres: Postgres, postgres_template: str | None) -> Iterator[str]:
    """SQLAlchemy URL of this test's own database: empty, or a copy of the template."""
    name = postgres.create_database(postgres_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """The run's Valkey (one a worker). Tests that stop or flush it start a `ValkeyServer` for themselves."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def redis_url(valkey: ValkeyServer) -> str:
    """URL of this test's own numbered database, empty."""
    url = valkey.url(next(_redis_databases))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def smtp(tmp_path: Path) -> Iterator[StartSmtp]:
    """Starts mail sinks that end with the test."""
    numbers = itertools.count(1)
    with ExitStack() as sinks:

        def start(*, tls: Tls = "none", login: tuple[str, str] | None = None) -> SmtpSink:
            folder = tmp_path / f"smtp-{next(numbers)}"
            return sinks.enter_context(smtp_sink(folder=folder, tls=tls, login=login))

        yield start


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The shared data beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(_SHARED_ABSENT)
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def nothing_outside_is_reached() -> None:
    """From here on this process connects to nothing but itself and its machine, and resolves no name."""
    # An audit hook sees every socket of every library, the C ones of asyncio and ssl included.
    sys.addaudithook(_refuse_outside)


class OutsideError(RuntimeError):
    """A test tried to reach another machine. No OSError, so that no code takes it for a dead network."""


def _refuse_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        connection, address = arguments
        if (
            connection.family in {socket.AF_INET, socket.AF_INET6}
            and address is not None
            and not _here(address[0])
        ):
            raise OutsideError(f"a test tried to reach {address!r}")
    elif event == "socket.getaddrinfo":
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
        if host and not _numeric(host) and not _here(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests resolve no names, {host!r} neither")


def _here(host: str) -> bool:
    if not _numeric(host):
        return host == "localhost" or host.endswith(".localhost")
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback or address.is_unspecified


def _numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs the shared data where there is none."""
    if item.get_closest_marker("shared") is not None and not SHARED.is_dir():
        pytest.skip(_SHARED_ABSENT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI, beside the shared data, a skipped test has failed."""
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """As above, for a module skipped as a whole."""
    report = yield
    _fail_if_skipped(report)
    return report


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    expected = hasattr(report, "wasxfail")
    if report.skipped and not expected and os.environ.get("CI") == "true" and SHARED.is_dir():
        report.outcome = "failed"
        report.longrepr = f"nothing may skip under CI, but this did: {report.longrepr}"
