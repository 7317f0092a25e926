"""Halls: one database of each kind, in which many lives are lived one after the other.

A life begins in an empty, migrated database. The engine stays, with the statements it has compiled; a crash
drops its connections, and where it is wished stops the server for real.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import event

from refunds.store import schema
from refunds.store.database import Database
from tests.guarantees.crashes.wire import Tapped, tap
from tests.guarantees.simulation.clock import VirtualClock
from tests.servers.postgres import PostgresServer

_IN_MEMORY = Path("/dev/shm")
_SPRING_CLEAN = 250
"""After so many lives PostgreSQL's tables are truncated, so that they do not grow."""


class Hall(Protocol):
    """A database for lives."""

    name: str
    database: Database
    tapped: Tapped

    def begin(self, clock: VirtualClock) -> None:
        """Empty it; its clock is this one."""
        ...

    def drop(self) -> None:
        """Cut every connection."""
        ...

    def stop(self) -> bool:
        """Stop the server at once and start it again; False where there is none."""
        ...

    def back_up(self) -> None:
        """Make a copy of all there is."""
        ...

    def restore(self) -> None:
        """Put the copy in the place of what there is."""
        ...


class _Clocked:
    def __init__(self) -> None:
        self.clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.clock.now()


class SqliteHall:
    """One file, copied anew from a migrated one for each life."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._path, self._template, self._backup = (
            folder / name for name in ("life.sqlite", "empty.sqlite", "backup.sqlite")
        )
        _migrate(f"sqlite:///{self._template}")
        self._clock = _Clocked()
        self.tapped = Tapped()
        self.database = Database(f"sqlite:///{self._path}", clock=self._clock)
        tap(self.database, self.tapped)

    def begin(self, clock: VirtualClock) -> None:
        self._clock.clock = clock
        self._replace(self._template)

    def another(self) -> Database:
        """The same file as a process of its own opens it, less patient than in life."""
        database = Database(f"sqlite:///{self._path}")
        event.listen(database.engine, "connect", _impatient)
        return database

    def drop(self) -> None:
        self.database.close()

    def stop(self) -> bool:
        return False

    def back_up(self) -> None:
        with sqlite3.connect(self._path) as live, sqlite3.connect(self._backup) as copy:
            live.backup(copy)
        live.close()
        copy.close()

    def restore(self) -> None:
        self._replace(self._backup)

    def _replace(self, source: Path) -> None:
        self.database.close()
        for left in self._path.parent.glob(f"{self._path.name}-*"):
            left.unlink()
        shutil.copyfile(source, self._path)


class PostgresHall:
    """One database on a durable server of our own, emptied for each life."""

    name = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._database = server.create_database()
        _migrate(server.url(self._database))
        self._template = server.create_database(self._database)
        self._backup: str | None = None
        self._clock = _Clocked()
        self._lives = 0
        self.tapped = Tapped()
        self.database = Database(server.url(self._database), clock=self._clock, pings=False)
        tap(self.database, self.tapped)
        with psycopg.connect(server.dsn(self._database)) as connection:
            rows = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
        kept = {"alembic_version", "clock", "audits"}
        self._tables = sorted({str(row[0]) for row in rows} - kept)

    def begin(self, clock: VirtualClock) -> None:
        self._clock.clock = clock
        self.drop()
        self._lives += 1
        with psycopg.connect(self._server.dsn(self._database)) as connection:
            connection.execute("SET synchronous_commit = off")
            connection.execute("SET session_replication_role = replica")  # history refuses to lose a line
            if self._lives % _SPRING_CLEAN == 0:
                connection.execute(f"TRUNCATE {', '.join(self._tables)}".encode())
            else:
                connection.execute("; ".join(f"DELETE FROM {table}" for table in self._tables).encode())
            connection.execute("UPDATE audits SET payment_id = ''")

    def drop(self) -> None:
        self.database.close()

    def stop(self) -> bool:
        self._server.crash()
        self.drop()
        self._server.start()
        return True

    def back_up(self) -> None:
        self.drop()
        self._backup = self._server.create_database(self._database)

    def restore(self) -> None:
        if self._backup is None:
            raise LookupError("no backup was made")
        self.drop()
        self._server.drop_database(self._database)
        with psycopg.connect(self._server.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {self._backup} RENAME TO {self._database}".encode())
        self._backup = None


@contextmanager
def sqlite_hall() -> Iterator[SqliteHall]:
    """On the fastest folder there is: what a process leaves behind when it dies is what matters here."""
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        hall = SqliteHall(Path(folder))
        try:
            yield hall
        finally:
            hall.drop()


@contextmanager
def postgres_hall() -> Iterator[PostgresHall]:
    """With fsync on, so that what it keeps over a crash of the server is what it would keep.

    Its disk is memory where there is such a folder: recovery reads and syncs a thousand files each time.
    """
    folder = _IN_MEMORY if _IN_MEMORY.is_dir() else Path(tempfile.gettempdir())
    with PostgresServer(durable=True, folder=folder) as server:
        hall = PostgresHall(server)
        try:
            yield hall
        finally:
            hall.drop()


def _impatient(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout=2000").close()


def _migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()
