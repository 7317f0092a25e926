"""Transactions: how they begin, what they promise, and what is said when the database is away."""

import sqlite3
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from refunds.store.database import (
    Database,
    DatabaseUnavailableError,
    _Turnstile,
    clocks,
    offset,
    set_offset,
    sqlite_wal_is_sound,
)
from tests.house_of import eventually
from tests.servers.postgres import PostgresServer
from tests.store.till import at_once

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 44, 99), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((9, 0, 0), False),
    ],
)
def test_wal_is_trusted_only_where_its_race_is_mended(version: tuple[int, int, int], sound: bool) -> None:
    assert sqlite_wal_is_sound(version) is sound


@SQLITE
def test_sqlite_writes_through_to_the_disk_in_the_journal_that_its_version_allows(database: Database) -> None:
    with database.begin() as tx:
        pragmas = {
            name: tx.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("synchronous", "journal_mode", "foreign_keys", "busy_timeout")
        }

    journal = "wal" if sqlite_wal_is_sound(sqlite3.sqlite_version_info[:3]) else "delete"
    assert pragmas == {"synchronous": 2, "journal_mode": journal, "foreign_keys": 1, "busy_timeout": 10_000}


@SQLITE
def test_a_write_transaction_on_sqlite_has_the_lock_from_its_beginning(database: Database) -> None:
    path = database.url.database
    assert path is not None
    stranger = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        with database.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
            stranger.execute("BEGIN IMMEDIATE")
        with database.read() as tx:
            tx.execute(text("SELECT 1"))
            stranger.execute("BEGIN IMMEDIATE")
            stranger.execute("ROLLBACK")
    finally:
        stranger.close()


def test_writers_at_once_lose_no_update(database: Database) -> None:
    def add() -> None:
        for _ in range(10):
            with database.begin() as tx:
                seconds = tx.execute(text(f"SELECT offset_seconds FROM clock {_lock(database)}")).scalar_one()
                tx.execute(text("UPDATE clock SET offset_seconds = :new"), {"new": seconds + 1})

    assert at_once(*[add] * 8) == [None] * 8
    with database.read() as tx:
        assert offset(tx).total_seconds() == 80


@SQLITE
def test_writers_on_sqlite_take_turns_in_the_order_of_their_coming(database: Database) -> None:
    order: list[int] = []
    turnstile = database._turn

    def write(number: int) -> None:
        with database.begin():
            order.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    with database.begin():
        for number, thread in enumerate(threads):
            thread.start()
            eventually(partial(_wait, turnstile, number + 1))
    for thread in threads:
        thread.join()

    assert order == [0, 1, 2, 3, 4]


def test_an_error_in_the_block_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.begin() as tx:
        assert tx.execute(text("UPDATE clock SET offset_seconds = 7")).rowcount / 0

    with database.begin() as tx:
        assert offset(tx).total_seconds() == 0


def test_the_business_clock_is_the_database_s_plus_its_offset_and_the_real_one_is_not(
    database: Database,
) -> None:
    with database.begin() as tx:
        before_real, before = clocks(tx)
        set_offset(tx, 3 * (before - before_real) + _day())
        real, now = clocks(tx)

    assert before_real == before
    assert now - real == _day()
    assert real.utcoffset() is not None
    assert (real - before_real).total_seconds() < 5


@POSTGRESQL
def test_every_statement_on_postgresql_has_its_limits(database: Database) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with database.begin() as tx:
        limits = [tx.execute(text(f"SHOW {name}")).scalar_one() for name in names]
        isolation = tx.execute(text("SHOW transaction_isolation")).scalar_one()

    assert limits == ["30s", "10s", "1min"]
    assert isolation == "read committed"


def test_a_database_that_is_away_is_said_to_be_and_comes_back_by_itself() -> None:
    with PostgresServer() as server:
        database = Database(server.url("postgres"))
        with database.begin() as tx:
            tx.execute(text("SELECT 1"))
        server.stop()
        with pytest.raises(DatabaseUnavailableError), database.begin():
            pass
        server.start()
        with database.begin() as tx:
            assert tx.execute(text("SELECT 1")).scalar_one() == 1
        database.close()


def test_a_database_that_goes_away_in_the_middle_is_said_to_be() -> None:
    with PostgresServer() as server:
        database = Database(server.url("postgres"))
        with pytest.raises(DatabaseUnavailableError):
            _write_while_it_crashes(database, server)
        database.close()


def test_an_sqlite_file_that_another_program_holds_is_said_to_be_away(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'deep' / 'down' / 'held.sqlite'}")
    with database.begin() as tx:
        tx.execute(text("CREATE TABLE t (x INTEGER)"))
    with pytest.raises(DatabaseUnavailableError), database.read() as tx:
        tx.execute(text("SELECT * FROM nothing"))
    database.close()


def _write_while_it_crashes(database: Database, server: PostgresServer) -> None:
    with database.begin() as tx:
        server.crash()
        tx.execute(text("SELECT 1"))


def _wait(turnstile: _Turnstile, wanted: int) -> bool:
    return len(turnstile._waiting) == wanted


def _lock(database: Database) -> str:
    return "" if database.sqlite else "FOR UPDATE"


def _day() -> timedelta:
    return timedelta(days=1)
