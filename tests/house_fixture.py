"""A real house for tests: either database with its schema, the sandbox in its own process, real pumps.

A folder's conftest names the fixtures it wants to offer; nothing here is a fixture for all tests.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from refunds.domain.abilities import Grade
from refunds.flow.parts import GatewayPart, MailPart, Parts
from refunds.gateways.registry import open_gateway
from refunds.ports import Channel, Gateway
from refunds.store import accounts, schema
from refunds.store.database import Database
from tests.house_of import House
from tests.house_parts import Bell, SilentChannel, account
from tests.sandbox_process import SandboxProcess, sandbox
from tests.servers.postgres import Postgres

CALL_LIMIT = timedelta(seconds=1)
LEASE = timedelta(seconds=3)
SETTLING = timedelta(seconds=0.2)

_numbers = itertools.count(1)


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """What was logged meanwhile. Folders use it for all their tests: rendering tracebacks takes seconds."""
    with structlog.testing.capture_logs(processors=[structlog.processors.format_exc_info]) as events:
        yield events


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that is copied for each test; nobody is connected to it."""
    path = tmp_path_factory.mktemp("template") / "moneyback.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """Name of a migrated database that is copied for each test; nobody is connected to it."""
    name = postgres.create_database()
    _migrate(postgres.url(name))
    return name


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of this test's own migrated SQLite file."""
    path = tmp_path / "moneyback.sqlite"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of this test's own migrated database, once of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_database")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """This test's own migrated database, once of each kind."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One sandbox gateway for all tests: each uses payments of its own, and sets the clock itself."""
    with sandbox(ledger=tmp_path_factory.mktemp("bank") / "ledger.sqlite") as running:
        yield running


HouseMaker = Callable[..., House]


@pytest.fixture
def open_house(bank: SandboxProcess) -> Iterator[HouseMaker]:
    """Opens houses that are closed with the test; what a house may be given is seen in `_house`."""
    with ExitStack() as houses:

        def opened(url: str, **wishes: Any) -> House:
            house = _house(url, bank=wishes.pop("bank", bank), **wishes)
            houses.callback(house.close)
            return house

        yield opened


@pytest.fixture
def house(open_house: HouseMaker, sqlite_url: str) -> House:
    """A house on SQLite, at noon, UTC, with a gateway of grade A."""
    return open_house(sqlite_url)


@pytest.fixture
def either_house(open_house: HouseMaker, database_url: str) -> House:
    """The same, once on each database."""
    return open_house(database_url)


def _house(
    url: str,
    *,
    bank: SandboxProcess,
    grade: str = "A",
    zone: str = "UTC",
    retry_days: int = 3,
    permanent_failures: str = "notify",
    max_in_flight: int = 20,
    calls_per_second: float | None = None,
    call_limit: timedelta = CALL_LIMIT,
    lease: timedelta = LEASE,
    poll: timedelta = timedelta(seconds=0.02),
    base_url: str | None = None,
    gateway: Gateway | None = None,
    channel: Channel | None = None,
    notify_emails: tuple[str, ...] = ("oncall@shop.test",),
    worker: str | None = None,
    high_water: Path | None = None,
    begins: bool = True,
) -> House:
    """`begins` writes the account and puts both clocks to noon; a second house on one database does not."""
    spoken = gateway or open_gateway(
        kind="sandbox",
        base_url=base_url or bank.url,
        api_key="sandbox",
        grade=Grade(grade),
        key_life=timedelta(hours=24),
        settling=SETTLING,
        call_limit_seconds=call_limit.total_seconds(),
        max_in_flight=max_in_flight,
    )
    bell = Bell()
    parts = Parts(
        database=Database(url, pool_size=24),
        gateways={"sandbox": GatewayPart(spoken, max_in_flight, calls_per_second)},
        wakeup=bell,
        channel=channel or SilentChannel(),
        mail=MailPart(
            notify_emails=notify_emails,
            sender="moneyback@shop.test",
            host="shop.test",
            environment="test",
            version="0",
        ),
        worker=worker or f"test-{next(_numbers)}",
        default_gateway="sandbox",
        lease=lease,
        call_limit=call_limit,
        poll=poll,
        high_water=high_water,
    )
    house = House(parts, bank, bell)
    if begins:
        wanted = account(zone=zone, retry_days=retry_days, permanent_failures=permanent_failures)
        with parts.database.begin() as tx:
            accounts.put(tx, wanted)
        house.move_to_noon(zone)
    return house


def _migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()
