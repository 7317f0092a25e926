"""`doctor` and start-up on what is unsafe: each fault has its fix, and the worst let no process start."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url, text

from cli.exits import Exit, foreseen
from refunds.domain.schedule import Policy
from refunds.flow.examine import Finding, Level, examine
from refunds.gateways.registry import open_gateway
from refunds.process import UnsafeDatabaseError, refuse_unsafe_database
from refunds.store import accounts, ticks
from refunds.store.accounts import DEFAULT, Account
from refunds.store.database import Database, real_now
from refunds.store.health import PostgresHealth, SqliteHealth
from tests.cli.stage import Stage, stage
from tests.command import environment, run
from tests.sandbox_process import SandboxProcess, sandbox
from tests.servers.postgres import Postgres
from tests.servers.smtp import StartSmtp


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox(ledger=tmp_path_factory.mktemp("gateway") / "ledger.db") as running:
        yield running


@pytest.fixture
def healthy(tmp_path: Path, gateway: SandboxProcess) -> Stage:
    here = stage(tmp_path / "data", MONEYBACK_SANDBOX_URL=gateway.url)
    assert here.run("db", "upgrade").exit_code == 0
    return here


def _examined(here: Stage, **changed: Any) -> dict[str, Finding]:
    with here.opened() as house:
        for pragma in changed.pop("pragmas", ()):
            _set(house.parts.database, pragma)
        parts = replace(house.parts, **changed)
        found = examine(parts, redis_url=None, data_dir=here.folder)
    assert all((finding.fix == "") == (finding.level is Level.OK) for finding in found)
    return {finding.subject: finding for finding in found}


def _set(database: Database, pragma: str) -> None:
    """Every new connection of this database is set so, after our own settings."""

    def do(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA {pragma}").close()

    event.listen(database.engine, "connect", do)


@pytest.mark.parametrize(
    ("pragma", "subject", "told"),
    [
        ("journal_mode=MEMORY", "journal", "journal memory"),
        ("journal_mode=OFF", "journal", "journal off"),
        ("synchronous=OFF", "synchronous", "synchronous is OFF"),
        ("synchronous=NORMAL", "synchronous", "synchronous is NORMAL"),
    ],
)
def test_sqlite_that_may_lose_commits_fails_and_nothing_starts_on_it(
    healthy: Stage, pragma: str, subject: str, told: str
) -> None:
    found = _examined(healthy, pragmas=[pragma])[subject]
    assert (found.level, told in found.what) == (Level.FAIL, True)
    with healthy.opened() as house:
        _set(house.parts.database, pragma)
        with pytest.raises(UnsafeDatabaseError, match=r"commits can be lost; .+") as refused:
            refuse_unsafe_database(house.parts)
    ended = foreseen(refused.value)
    assert ended is not None
    assert (ended.code, ended.lines) == (Exit.DOWN, (str(refused.value),))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (SqliteHealth("3.40.1", "delete", "FULL", wal_is_sound=False), None),
        (SqliteHealth("3.40.1", "truncate", "EXTRA", wal_is_sound=False), None),
        (SqliteHealth("3.51.3", "wal", "FULL", wal_is_sound=True), None),
        (SqliteHealth("3.40.1", "wal", "FULL", wal_is_sound=False), "write-ahead log has a race"),
        (SqliteHealth("3.51.3", "memory", "FULL", wal_is_sound=True), "mode memory"),
        (SqliteHealth("3.51.3", "wal", "NORMAL", wal_is_sound=True), "synchronous is NORMAL"),
        (SqliteHealth("3.34.1", "delete", "FULL", wal_is_sound=False), "3.34.1 is too old"),
    ],
)
def test_sqlite_is_judged_by_version_journal_and_synchronous(found: SqliteHealth, told: str | None) -> None:
    fault = found.fault()
    assert (fault is None) == (told is None)
    assert told is None or (fault is not None and told in fault.what and fault.fix)


@pytest.mark.parametrize(
    ("fsync", "commit", "safe"),
    [(True, "on", True), (True, "local", True), (True, "off", False), (False, "on", False)],
)
def test_postgresql_is_judged_by_fsync_and_synchronous_commit(fsync: bool, commit: str, safe: bool) -> None:
    fault = PostgresHealth("18.1", fsync, commit, _NEVER).fault()
    assert (fault is None) == safe
    assert safe or (fault is not None and "fsync = on and synchronous_commit = on" in fault.fix)


_NEVER = Any  # a clock that nobody reads


def test_synchronous_commit_that_is_off_for_us_alone_fails(healthy: Stage, postgres_database: str) -> None:
    name = make_url(postgres_database).database
    database = Database(postgres_database)
    with database.begin() as tx:
        tx.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    database.close()
    assert healthy.run("db", "upgrade", DATABASE_URL=postgres_database).exit_code == 0
    env = {**healthy.env, "DATABASE_URL": postgres_database}
    found = _examined(replace(healthy, env=env))["durability"]
    assert (found.level, "synchronous_commit off" in found.what) == (Level.FAIL, True)
    assert "no role or database" in found.fix


@pytest.mark.parametrize("role", ["web", "worker", "scheduler"])
def test_in_production_no_process_starts_on_postgresql_that_may_lose_commits(
    role: str, tmp_path: Path, postgres_database: str
) -> None:
    env = environment(
        tmp_path,
        DATABASE_URL=postgres_database,
        MONEYBACK_NOTIFY_EMAILS="oncall@shop.test",
        PORT="0",
    )
    assert run("db", "upgrade", env=env).returncode == 0
    done = run(role, env={**env, "MONEYBACK_ENV": "production"}, timeout_seconds=60)
    assert done.returncode == Exit.DOWN
    assert "PostgreSQL has fsync off" in done.stderr
    assert "set fsync = on and synchronous_commit = on in postgresql.conf" in done.stderr


def test_pending_migrations_of_postgresql_fail(healthy: Stage, postgres: Postgres) -> None:
    name = postgres.create_database()
    env = {**healthy.env, "DATABASE_URL": postgres.url(name)}
    found = _examined(replace(healthy, env=env))["migrations"]
    assert (found.level, found.fix) == (Level.FAIL, "moneyback db upgrade")
    postgres.drop_database(name)


def test_a_zone_without_data_fails(healthy: Stage) -> None:
    with healthy.opened() as house, house.parts.database.begin() as tx:
        policy = replace(_policy(accounts.get(tx, DEFAULT)), zone="Mars/Olympus")
        accounts.put(tx, Account(DEFAULT, policy, (), ()))
    found = _examined(healthy)["time zone"]
    assert (found.level, found.what) == (Level.FAIL, "no data for Mars/Olympus")
    assert "tzdata" in found.fix


def _policy(account: Account | None) -> Policy:
    assert account is not None
    return account.policy


def test_a_clock_that_went_back_is_a_warning_on_sqlite(healthy: Stage) -> None:
    with healthy.opened() as house, house.parts.database.begin() as tx:
        later = real_now(tx) + timedelta(minutes=5)
        ticks.beat(tx, process="worker:here:1", role="worker", host=socket.gethostname(), real=later)
    found = _examined(healthy)["clock"]
    assert (found.level, "went back by" in found.what) == (Level.WARN, True)
    assert "NTP" in found.fix


def test_a_login_that_the_mail_server_refuses_fails_and_shows_no_password(
    healthy: Stage, smtp: StartSmtp
) -> None:
    sink = smtp(login=("moneyback", "right"))
    url = sink.url.replace("right", "hunter2")
    url += ("&" if "?" in url else "?") + "starttls=false" if "starttls=" not in url else ""
    found = healthy.run("doctor", SMTP_URL=url)
    [mail] = [line for line in found.stdout.splitlines() if line.split("\t")[1] == "mail"]
    assert mail.startswith("fail\t")
    assert "535" in mail
    assert "fix: mend SMTP_URL" in mail
    assert "hunter2" not in found.output


def test_credentials_that_a_gateway_refuses_fail(healthy: Stage, gateway: SandboxProcess) -> None:
    with healthy.opened() as house:
        part = house.parts.gateways["sandbox"]
        abilities = part.gateway.abilities
        asyncio.run(part.gateway.close())
    assert abilities.key_life is not None
    spoken = open_gateway(
        kind="sandbox",
        base_url=gateway.url,
        api_key="",
        grade=abilities.grade,
        key_life=abilities.key_life,
        settling=abilities.settling,
        call_limit_seconds=5,
        max_in_flight=1,
    )
    found = _examined(healthy, gateways={"sandbox": replace(part, gateway=spoken)})["gateway sandbox"]
    assert (found.level, "answered 401" in found.what) == (Level.FAIL, True)
    assert "its key" in found.fix
