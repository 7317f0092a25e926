"""`doctor`: every finding has a level and, where something is wrong, the line that mends it."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine

from refunds.store import ticks
from refunds.store.database import real_now
from tests.cli.stage import Stage, stage
from tests.sandbox_process import SandboxProcess, sandbox
from tests.servers.program import free_port
from tests.servers.valkey import ValkeyServer


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox(ledger=tmp_path_factory.mktemp("gateway") / "ledger.db") as running:
        yield running


@pytest.fixture
def healthy(tmp_path: Path, gateway: SandboxProcess) -> Stage:
    """A stage on which nothing is wrong but that no process runs."""
    here = stage(tmp_path / "data", MONEYBACK_SANDBOX_URL=gateway.url)
    assert here.run("db", "upgrade").exit_code == 0
    return here


def _beat(here: Stage, role: str) -> None:
    with here.opened() as house, house.parts.database.begin() as tx:
        ticks.beat(tx, process=f"{role}:here:1", role=role, host=socket.gethostname(), real=real_now(tx))


def _findings(here: Stage, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = here.run("doctor", "--json", **variables)
    document = json.loads(done.stdout)
    assert document["ok"] == (done.exit_code == 0)
    for finding in document["findings"]:
        assert finding.keys() == {"subject", "level", "what", "fix"}
        assert (finding["fix"] is None) == (finding["level"] == "ok"), finding
    return done.exit_code, {finding["subject"]: finding for finding in document["findings"]}


def test_a_healthy_house_is_all_ok(healthy: Stage) -> None:
    _beat(healthy, "worker")
    _beat(healthy, "scheduler")
    exit_code, findings = _findings(healthy)
    assert exit_code == 0
    assert {finding["level"] for finding in findings.values()} == {"ok"}
    assert findings.keys() == {
        "database",
        "journal",
        "synchronous",
        "clock",
        "migrations",
        "time zone",
        "worker",
        "scheduler",
        "mail",
        "gateway sandbox",
        "data folder",
    }
    assert "grade A, keys live 24 h, look-up" in findings["gateway sandbox"]["what"]


def test_processes_that_show_no_life_are_a_warning(healthy: Stage) -> None:
    exit_code, findings = _findings(healthy)
    assert exit_code == 0
    assert (findings["worker"]["level"], findings["scheduler"]["level"]) == ("warn", "warn")
    assert findings["worker"]["fix"] == "moneyback worker (or moneyback up)"


def test_one_process_that_is_everything_is_worker_and_scheduler(healthy: Stage) -> None:
    for role in ("worker", "scheduler"):
        _beat(healthy, role)
    findings = _findings(healthy)[1]
    assert (findings["worker"]["level"], findings["scheduler"]["level"]) == ("ok", "ok")


def test_a_gateway_that_is_away_and_a_missing_migration_fail(tmp_path: Path) -> None:
    here = stage(tmp_path / "data", MONEYBACK_SANDBOX_URL=f"http://127.0.0.1:{free_port()}")
    exit_code, findings = _findings(here)
    assert exit_code == 1
    assert findings["gateway sandbox"]["level"] == "fail"
    assert findings["migrations"]["level"] == "fail"
    assert findings["migrations"]["fix"] == "moneyback db upgrade"


def test_mail_that_cannot_leave_fails(healthy: Stage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    exit_code, findings = _findings(healthy, SMTP_URL=f"file:{tmp_path / 'file' / 'mail'}")
    assert (exit_code, findings["mail"]["level"]) == (1, "fail")
    exit_code, findings = _findings(healthy, SMTP_URL=f"smtp://127.0.0.1:{free_port()}")
    assert (exit_code, findings["mail"]["level"]) == (1, "fail")


def test_production_without_a_gateway_fails(healthy: Stage) -> None:
    exit_code, findings = _findings(healthy, MONEYBACK_ENV="production")
    assert (exit_code, findings["gateway"]["level"]) == (1, "fail")


def test_a_data_folder_that_cannot_be_written_fails(healthy: Stage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    database = f"sqlite:///{healthy.folder / 'moneyback.db'}"
    mail = f"file:{tmp_path / 'mail'}"
    exit_code, findings = _findings(
        healthy, MONEYBACK_DATA_DIR=str(tmp_path / "file"), DATABASE_URL=database, SMTP_URL=mail
    )
    assert (exit_code, findings["data folder"]["level"]) == (1, "fail")


def test_redis_that_may_evict_is_a_warning_and_redis_that_is_away_fails(healthy: Stage) -> None:
    with ValkeyServer() as server:
        assert _findings(healthy, REDIS_URL=server.url())[1]["redis"]["level"] == "ok"
        _set_eviction(server.url(), "allkeys-lru")
        exit_code, findings = _findings(healthy, REDIS_URL=server.url())
        assert (exit_code, findings["redis"]["level"]) == (0, "warn")
        assert "noeviction" in findings["redis"]["fix"]
    exit_code, findings = _findings(healthy, REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    assert (exit_code, findings["redis"]["level"]) == (1, "fail")
    assert "hunter2" not in str(findings)


def test_postgresql_is_asked_for_its_durability_and_its_clock(healthy: Stage, postgres_database: str) -> None:
    assert healthy.run("db", "upgrade", DATABASE_URL=postgres_database).exit_code == 0
    exit_code, findings = _findings(healthy, DATABASE_URL=postgres_database)
    assert exit_code == 1
    assert findings["durability"]["level"] == "fail"
    assert "fsync off" in findings["durability"]["what"]
    assert (findings["clock"]["level"], findings["migrations"]["level"]) == ("ok", "ok")
    exit_code, findings = _findings(healthy, DATABASE_URL=postgres_database, MONEYBACK_ENV="test")
    assert (exit_code, findings["durability"]["level"]) == (0, "warn")


def test_a_clock_that_is_off_is_a_warning(healthy: Stage, postgres_database: str) -> None:
    assert healthy.run("db", "upgrade", DATABASE_URL=postgres_database).exit_code == 0
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=5)):
        findings = _findings(healthy, DATABASE_URL=postgres_database)[1]
    assert findings["clock"]["level"] == "warn"
    assert "NTP" in findings["clock"]["fix"]


def test_a_database_that_is_away_is_one_finding_among_others(healthy: Stage) -> None:
    url = f"postgresql://moneyback:hunter2@127.0.0.1:{free_port()}/moneyback"
    exit_code, findings = _findings(healthy, DATABASE_URL=url)
    assert (exit_code, findings["database"]["level"]) == (1, "fail")
    assert findings["mail"]["level"] == "ok"
    assert "hunter2" not in str(findings)


def test_off_a_terminal_a_finding_is_a_line_with_tabs(healthy: Stage) -> None:
    lines = [line.split("\t") for line in healthy.run("doctor").stdout.splitlines()]
    assert ["ok", "time zone", "UTC is known"] in lines
    [worker] = [line for line in lines if line[1] == "worker"]
    assert (worker[0], worker[3]) == ("warn", "fix: moneyback worker (or moneyback up)")


def _set_eviction(url: str, policy: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.config_set("maxmemory-policy", policy)
