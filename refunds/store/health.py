"""What the database server or library itself is set to do, as far as durability hangs on it."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from refunds.store.database import Tx, real_now, sqlite_wal_is_sound

OLDEST_SQLITE = (3, 35, 0)
"""The first that answers an UPDATE with its rows (sqlite.org/lang_returning.html)."""

_SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and how to mend it."""

    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class SqliteHealth:
    """The library, and how it writes (sqlite.org/pragma.html)."""

    version: str
    journal: str
    """`delete`, `wal`, …"""
    synchronous: str
    """OFF, NORMAL, FULL or EXTRA."""
    wal_is_sound: bool

    @property
    def journal_is_safe(self) -> bool:
        """No journal that loses commits: none in memory or off, and WAL only where it is sound."""
        return self.journal in {"delete", "truncate", "persist"} or (
            self.journal == "wal" and self.wal_is_sound
        )

    @property
    def is_durable(self) -> bool:
        """What was committed survives the loss of power."""
        return self.synchronous in {"FULL", "EXTRA"}

    @property
    def is_new_enough(self) -> bool:
        """Whether this library has what is asked of it."""
        return tuple(int(part) for part in self.version.split(".")[:3]) >= OLDEST_SQLITE

    def fault(self) -> Fault | None:
        """Why commits can be lost or not made at all; None where they are safe."""
        if not self.is_new_enough:
            oldest = ".".join(map(str, OLDEST_SQLITE))
            return Fault(f"SQLite {self.version} is too old", f"install SQLite {oldest} or newer")
        if not self.journal_is_safe:
            why = ", whose write-ahead log has a race" if self.journal == "wal" else ""
            return Fault(
                f"SQLite {self.version}{why}, keeps its journal in mode {self.journal}: commits can be lost",
                "end every process that has the file open, then start moneyback again: it sets the journal",
            )
        if not self.is_durable:
            return Fault(
                f"SQLite's synchronous is {self.synchronous}: commits can be lost",
                "mend the SQLite build: PRAGMA synchronous must be FULL",
            )
        return None


@dataclass(frozen=True, slots=True)
class PostgresHealth:
    """The server's own settings and its clock, aware UTC."""

    version: str
    fsync: bool
    synchronous_commit: str
    clock: datetime

    @property
    def is_durable(self) -> bool:
        """What was committed survives a crash of the server."""
        return self.fsync and self.synchronous_commit != "off"

    def fault(self) -> Fault | None:
        """Why commits can be lost; None where they are safe."""
        if self.is_durable:
            return None
        fsync = "on" if self.fsync else "off"
        return Fault(
            f"PostgreSQL has fsync {fsync} and synchronous_commit {self.synchronous_commit}: "
            "commits can be lost",
            "set fsync = on and synchronous_commit = on in postgresql.conf and reload;"
            " no role or database may have it otherwise",
        )


def sqlite_health(tx: Tx) -> SqliteHealth:
    """As this connection has it: synchronous is a setting of the connection."""
    synchronous = tx.execute(text("PRAGMA synchronous")).scalar_one()
    return SqliteHealth(
        version=sqlite3.sqlite_version,
        journal=str(tx.execute(text("PRAGMA journal_mode")).scalar_one()).lower(),
        synchronous=_SYNCHRONOUS.get(synchronous, str(synchronous)),
        wal_is_sound=sqlite_wal_is_sound(),
    )


def postgres_health(tx: Tx) -> PostgresHealth:
    """As the server has it for this connection."""
    row = tx.execute(
        text(
            """SELECT current_setting('server_version'), current_setting('fsync'),
            current_setting('synchronous_commit')""",
        ),
    ).one()
    return PostgresHealth(version=row[0], fsync=row[1] == "on", synchronous_commit=row[2], clock=real_now(tx))
