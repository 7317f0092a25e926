"""Databases for lives: a migrated template, copied for each; SQLite on the fastest folder there is."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from refunds.store import schema
from refunds.store.accounts import Account, put
from refunds.store.database import Database
from tests.guarantees.simulation.clock import VirtualClock
from tests.servers.postgres import postgres_server

_IN_MEMORY = Path("/dev/shm")

OpenDatabase = Callable[[VirtualClock], Database]
"""A new migrated database on a clock; whoever opened it closes it."""


@contextmanager
def sqlite_databases() -> Iterator[OpenDatabase]:
    """Files in a folder that is gone at the end."""
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        template = Path(folder) / "template.sqlite"
        _migrate(f"sqlite:///{template}")
        numbers = iter(range(1_000_000))

        def opened(clock: VirtualClock) -> Database:
            path = Path(folder) / f"life-{next(numbers)}.sqlite"
            shutil.copyfile(template, path)
            return Database(f"sqlite:///{path}", clock=clock.now)

        yield opened


@contextmanager
def postgres_databases() -> Iterator[OpenDatabase]:
    """Databases on a server of our own."""
    with ExitStack() as things:
        server = things.enter_context(postgres_server())
        template = server.create_database()
        _migrate(server.url(template))

        def opened(clock: VirtualClock) -> Database:
            name = server.create_database(template)
            things.callback(server.drop_database, name)
            return Database(server.url(name), clock=clock.now, pings=False)

        yield opened
        server.drop_database(template)


def with_account(database: Database, account: Account) -> Database:
    """Give the database its account."""
    with database.begin() as tx:
        put(tx, account)
    return database


def _migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()
