"""`db`: where the schema is, on both databases, and what other commands say about one that is not ready."""

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
