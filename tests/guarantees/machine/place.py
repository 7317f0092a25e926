"""Where lives of the machine take place: one database after another, empty at the beginning of each life."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import text

from refunds.store import tables
from refunds.store.accounts import put
from refunds.store.database import Database
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.furnish import OpenDatabase, postgres_databases, sqlite_databases
from tests.house_parts import account

ZONE = "Europe/Berlin"

Planted = Callable[[Database], None]
"""Spoils a database, as a bug in the product would."""


@dataclass(slots=True)
class Place:
    """One kind of database; `counts` add up over all lives, `planted` spoils each database that is opened."""

    name: str
    databases: OpenDatabase
    planted: Planted = lambda _: None
    counts: Counter[str] = field(default_factory=Counter)
    _kept: Database | None = None
    _clock: VirtualClock | None = None

    def furnished(self, clock: VirtualClock) -> Database:
        """A database without a past, with its account: a new file, or on PostgreSQL one that is emptied."""
        self._clock = clock
        database = self._kept
        if database is None:
            database = self.databases(clock)
            self.planted(database)
            if not database.sqlite:
                self._kept = database
                options = {"clock": lambda: self._clock.now() if self._clock else clock.now()}
                database.engine.update_execution_options(**options)
        else:
            _empty(database)
        with database.begin() as tx:
            put(tx, account(zone=ZONE))
        return database

    def done(self, database: Database) -> None:
        """This life is over."""
        if database is not self._kept:
            database.close()

    def close(self) -> None:
        """Nothing more will live here."""
        if self._kept is not None:
            self._kept.close()


@contextmanager
def sqlite_place(*, planted: Planted = lambda _: None) -> Iterator[Place]:
    """Lives on SQLite."""
    with sqlite_databases() as databases:
        yield Place("sqlite", databases, planted)


@contextmanager
def postgres_place() -> Iterator[Place]:
    """Lives on PostgreSQL."""
    with postgres_databases() as databases:
        place = Place("postgresql", databases)
        yield place
        place.close()


def _empty(database: Database) -> None:
    with database.begin() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger guards the history
        for table in tables.metadata.sorted_tables:
            if table.name not in _KEPT:
                tx.execute(table.delete())
        tx.execute(text("UPDATE clock SET offset_seconds = 0"))
        tx.execute(text("UPDATE audits SET payment_id = ''"))


_KEPT = {"clock", "audits", "identity"}
"""Tables whose one row a migration wrote."""
