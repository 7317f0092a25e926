"""The schema: what the migrations build is what the tables say, however often and by however many."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Column, MetaData, Table, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from refunds.store import schema, tables
from refunds.store.database import Database, now
from refunds.store.types import Instant
from tests.servers.postgres import Postgres
from tests.store.till import Till, at_once


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
        yield database
        database.close()
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.create_database()
    database = Database(server.url(name))
    yield database
    database.close()
    server.drop_database(name)


def test_the_migrations_build_what_the_tables_say(empty: Database) -> None:
    assert schema.status(empty).current is None
    assert schema.upgrade(empty).up_to_date

    with empty.read() as tx:
        # SQLite cannot tell an identity from a plain key, so its defaults are compared by the other one.
        options = {"compare_type": True, "compare_server_default": not empty.sqlite}
        context = MigrationContext.configure(tx, opts=options)
        assert compare_metadata(context, tables.metadata) == []


def test_the_migrations_build_every_constraint_that_the_tables_name(empty: Database) -> None:
    schema.upgrade(empty)

    with empty.read() as tx:
        there = inspect(tx)
        for table in tables.metadata.sorted_tables:
            checks = {check["name"] for check in there.get_check_constraints(table.name)}
            wanted = {str(each.name) for each in table.constraints if isinstance(each, CheckConstraint)}
            assert checks == wanted, table.name
            kept = {index["name"]: index for index in there.get_indexes(table.name)}
            for index in table.indexes:
                is_partial = index.dialect_options[tx.dialect.name]["where"] is not None
                where = kept[str(index.name)]["dialect_options"].get(f"{tx.dialect.name}_where")
                assert (where is not None) == is_partial, index.name


def test_an_upgrade_can_be_run_again_and_changes_nothing(empty: Database) -> None:
    first = schema.upgrade(empty)

    assert schema.upgrade(empty) == first
    with empty.read() as tx:
        assert tx.execute(text("SELECT COUNT(*) FROM clock")).scalar_one() == 1


def test_upgrades_at_once_wait_for_each_other(empty: Database) -> None:
    others = [Database(empty.url.render_as_string(hide_password=False)) for _ in range(4)]

    errors = at_once(*[lambda other=other: schema.upgrade(other) for other in others])

    assert errors == [None] * 4
    assert schema.status(empty).up_to_date
    for other in others:
        other.close()


@pytest.mark.parametrize(
    "change", ["UPDATE history SET why = 'another'", "DELETE FROM history", "TRUNCATE history"]
)
def test_history_cannot_be_changed_by_anybody(till: Till, change: str) -> None:
    if till.database.sqlite and change.startswith("TRUNCATE"):
        change = "DELETE FROM history WHERE 1 = 1"  # SQLite has no other way to empty a table
    till.refund(till.payment())

    with pytest.raises(DBAPIError, match="append-only"), till.database.begin() as tx:
        tx.execute(text(change))

    assert till.rows("SELECT why FROM history") == [("test",)]


def test_a_stored_time_comes_back_aware_and_in_utc(database: Database) -> None:
    table = Table("instants", MetaData(), Column("at", Instant))
    paris = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))

    with database.begin() as tx:
        table.create(tx)
        tx.execute(insert(table), [{"at": paris}, {"at": None}])
        stored = tx.execute(select(table.c.at)).scalars().all()

    assert stored == [paris, None]
    assert stored[0] is not None
    assert stored[0].tzinfo is UTC or stored[0].utcoffset() == timedelta(0)


def test_a_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="must be aware"), database.begin() as tx:
        tx.execute(insert(tables.ticks).values(tick="t", slot=1, at=datetime(2026, 1, 1), by="x"))  # noqa: DTZ001


def test_stored_times_sort_as_time_does(database: Database) -> None:
    base = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [
        base,
        base + timedelta(microseconds=1),
        base + timedelta(seconds=1),
        base + timedelta(days=400),
    ]
    rows: list[dict[str, Any]] = [
        {"tick": "t", "slot": slot, "at": at, "by": "x"} for slot, at in enumerate(reversed(moments))
    ]

    with database.begin() as tx:
        tx.execute(insert(tables.ticks), rows)
        read = tx.execute(select(tables.ticks.c.at).order_by(tables.ticks.c.at)).scalars().all()
        before = select(tables.ticks.c.at).where(tables.ticks.c.at < now(tx))

    assert list(read) == moments
    assert before is not None
