"""`db`: where the schema is, on both databases, and what other commands say about one that is not ready."""

import json
from pathlib import Path

import pytest

from tests.cli.stage import Stage, stage

_NOBODY_THERE = "postgresql://moneyback:hunter2@127.0.0.1:1/moneyback"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """A stage on a database without tables."""
    if request.param == "sqlite":
        return stage(tmp_path)
    return stage(tmp_path, DATABASE_URL=request.getfixturevalue("postgres_database"))


def test_an_upgrade_brings_the_database_to_this_version(empty: Stage) -> None:
    before = empty.run("db", "status")
    assert (before.exit_code, before.stdout.splitlines()[0]) == (1, "current\tnothing")
    assert before.stderr == "next: moneyback db upgrade\n"
    upgraded = empty.json("db", "upgrade")
    assert upgraded == {"current": upgraded["wanted"], "wanted": upgraded["wanted"], "up_to_date": True}
    assert empty.json("db", "status") == upgraded
    assert empty.run("db", "upgrade").exit_code == 0
    assert empty.json("refund", "list") == {"items": [], "next": None}


@pytest.mark.parametrize(
    "command",
    [
        ["refund", "create", "--order", "1001"],
        ["refund", "list"],
        ["refund", "show", "rf_1"],
        ["queue", "--json"],
        ["token", "list"],
    ],
)
def test_a_server_database_is_never_migrated_on_the_way(
    tmp_path: Path, postgres_database: str, command: list[str]
) -> None:
    here = stage(tmp_path, DATABASE_URL=postgres_database)
    done = here.run(*command)
    assert (done.exit_code, done.stdout) == (6, "")
    assert done.stderr.endswith("the database is not migrated\nnext: moneyback db upgrade\n")
    assert here.run("db", "status").exit_code == 1


@pytest.mark.parametrize(
    "command",
    [
        ["db", "status", "--json"],
        ["db", "upgrade"],
        ["refund", "list"],
        ["refund", "retry", "rf_1", "--reason", "because"],
        ["queue"],
        ["token", "create", "--name", "shop", "--scope", "read"],
    ],
)
def test_a_database_that_is_away_is_a_dependency_that_is_down(tmp_path: Path, command: list[str]) -> None:
    done = stage(tmp_path, DATABASE_URL=_NOBODY_THERE).run(*command)
    assert (done.exit_code, done.stdout) == (6, "")
    assert "the database cannot be reached: " in done.stderr
    assert "hunter2" not in done.stderr


def test_a_data_folder_that_is_a_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = stage(tmp_path / "file").run("refund", "list")
    assert (done.exit_code, done.stdout) == (6, "")
    assert done.stderr.startswith("the data folder cannot be used: ")


def test_a_restored_backup_has_every_open_refund_looked_up_first(fresh: Stage) -> None:
    for name in ("one", "two"):
        fresh.create(name)
    done = fresh.run("db", "restored", "--reason", "the disk  burned")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 refunds will be looked up before anything is sent; the workers may be started\n" in done.stderr
    assert done.stderr.endswith("next: moneyback doctor\n")
    [finding] = [each for each in _findings(fresh) if each["subject"] == "backup"]
    assert finding["level"] == "warn"
    assert "by the word of cli:" in finding["what"]
    assert finding["what"].endswith(": the disk burned")
    assert fresh.json("db", "restored", "--reason", "once more") == {"refunds": 2}


def test_a_database_of_which_nobody_said_so_was_not_restored(fresh: Stage) -> None:
    fresh.create("one")
    assert [each for each in _findings(fresh) if each["subject"] == "backup"] == []


@pytest.mark.parametrize("reason", [[], ["--reason", " "], ["--reason", "x" * 401]])
def test_a_restored_backup_needs_a_reason(fresh: Stage, reason: list[str]) -> None:
    fresh.create("one")
    assert fresh.run("db", "restored", *reason).exit_code == 2
    assert fresh.json("db", "restored", "--reason", "now") == {"refunds": 1}


def _findings(here: Stage) -> list[dict[str, str]]:
    findings: list[dict[str, str]] = json.loads(here.run("doctor", "--json").stdout)["findings"]
    return findings
