"""The database: one engine, short transactions, the same functions on SQLite and PostgreSQL.

SQLite: every write transaction begins IMMEDIATE behind one first-come-first-served lock per process; the
journal is WAL only on versions whose WAL is sound, else DELETE; synchronous is FULL (facts: sqlite.org/wal).
PostgreSQL: read committed, with limits on statements, locks and idle transactions.
"""

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Insert, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

SOUND_WAL = ((3, 44, 6, 3, 45, 0), (3, 50, 7, 3, 51, 0), (3, 51, 3, 9, 0, 0))
"""Spans of SQLite versions (from, below) in which the WAL-reset race is mended."""

_AWAY = {"08", "25", "53", "57", "58"}
"""Classes of SQLSTATE in which the server cannot serve now: gone, read-only, full, shutting down, broken."""

Tx = Connection
"""An open transaction."""


class DatabaseUnavailableError(Exception):
    """The database cannot be reached or did not answer in time; nothing was committed by this call."""


class Database:
    """Transactions on one database. Opens connections only when first used (safe after fork)."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        pings: bool = True,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`pings`: a pooled connection is tried before use; without, one call fails after a restart.

        `clock` takes the place of the database's own real clock, for simulations; aware UTC.
        """
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._turn = _Turnstile()
        if self.sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=32,
            pool_timeout=10,
            pool_pre_ping=pings and not self.sqlite,
            **({} if self.sqlite else {"isolation_level": "READ COMMITTED"}),
            hide_parameters=True,  # an error's text tells no values: they are customers'
            execution_options={"clock": clock},
            connect_args=_sqlite_arguments() if self.sqlite else _postgres_arguments(),
        )
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin)

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """A write transaction: committed at the end of the block, rolled back by any exception.

        Raises DatabaseUnavailableError when the database is away.
        """
        with _translated():
            if not self.sqlite:
                with self.engine.begin() as tx:
                    yield tx
                return
            with self._turn.taken(), self.engine.begin() as tx:
                yield tx

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A read-only look. Takes no writer's turn on SQLite."""
        with _translated():
            options = {"sqlite_begin": "DEFERRED"} if self.sqlite else {}
            with self.engine.connect().execution_options(**options) as tx:
                yield tx

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def real_now(tx: Tx) -> datetime:
    """The database's own clock: leases and time-outs run on it."""
    given: Callable[[], datetime] | None = tx.get_execution_options().get("clock")
    if given is not None or tx.dialect.name == "sqlite":
        return given() if given is not None else datetime.now(UTC)
    value: datetime = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
    return value.astimezone(UTC)


def clocks(tx: Tx) -> tuple[datetime, datetime]:
    """(real, now): the database's clock, and that clock plus the offset row: due times run on the second."""
    if tx.dialect.name == "sqlite" or tx.get_execution_options().get("clock") is not None:
        offset = tx.execute(text("SELECT offset_seconds FROM clock")).scalar_one()
        real = real_now(tx)
    else:
        row = tx.execute(text("SELECT clock_timestamp(), offset_seconds FROM clock")).one()
        real, offset = row[0].astimezone(UTC), row[1]
    return real, real + timedelta(seconds=offset)


def now(tx: Tx) -> datetime:
    """The business clock: the database's clock plus the offset row."""
    return clocks(tx)[1]


def set_offset(tx: Tx, offset: timedelta) -> None:
    """Move the business clock. Only tests and demos do this; entrances refuse it in production."""
    tx.execute(text("UPDATE clock SET offset_seconds = :seconds"), {"seconds": offset.total_seconds()})


def offset(tx: Tx) -> timedelta:
    """How far the business clock is ahead."""
    return timedelta(seconds=tx.execute(text("SELECT offset_seconds FROM clock")).scalar_one())


def insert_or_skip(tx: Tx, table: Table) -> Insert:
    """An insert that passes over rows whose key is already taken."""
    if tx.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def sqlite_wal_is_sound(version: tuple[int, int, int] = sqlite3.sqlite_version_info[:3]) -> bool:
    """Whether this SQLite is free of the WAL-reset race; anything unknown counts as affected."""
    return any(span[:3] <= version < span[3:] for span in SOUND_WAL)


class _Turnstile:
    """One writer at a time, in order of arrival: without it a busy thread starves the others."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._busy = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        mine = threading.Event()
        with self._guard:
            if self._busy:
                self._waiting.append(mine)
            else:
                self._busy = True
                mine.set()
        mine.wait()
        try:
            yield
        finally:
            with self._guard:
                if self._waiting:
                    self._waiting.popleft().set()
                else:
                    self._busy = False


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError("no database connection became free in time") from error
    except OperationalError as error:
        raise DatabaseUnavailableError(str(error.orig)) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if error.connection_invalidated or state[:2] in _AWAY:
            raise DatabaseUnavailableError(str(error.orig)) from error
        raise


def _sqlite_arguments() -> dict[str, Any]:
    return {"check_same_thread": False, "timeout": 10}


def _postgres_arguments() -> dict[str, Any]:
    limits = "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
    # A server that vanishes without a word is found out within half a minute, not in hours.
    alive = {
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25_000,
    }
    return {"connect_timeout": 5, "options": limits, "application_name": f"moneyback:{os.getpid()}", **alive}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    journal = "WAL" if sqlite_wal_is_sound() else "DELETE"
    for pragma in ("busy_timeout=10000", "foreign_keys=ON", "synchronous=FULL", f"journal_mode={journal}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {mode}")
