"""Sources: which of them wins, what may lie in a file, and which names are not known."""

from datetime import time
from pathlib import Path

import pytest

from config.settings import load
from tests.config.complaints import SECRET, problems


def test_the_environment_wins_over_the_file_and_the_file_over_the_default() -> None:
    Path("moneyback.toml").write_text(
        'timezone = "Europe/London"\nretry_days = 5\nretry_at = 10:30:00\nnotify_emails = ["a@b.example"]\n',
        "utf-8",
    )
    settings = load(environ={"MONEYBACK_RETRY_DAYS": "7", "MONEYBACK_RETRY_AT": "08:15"})
    assert (settings.timezone, settings.retry_days, settings.retry_at) == ("Europe/London", 7, time(8, 15))
    assert settings.notify_emails == ("a@b.example",)
    assert load(environ={}).retry_at == time(10, 30)


def test_the_file_may_be_named_by_argument_or_variable(tmp_path: Path) -> None:
    named = tmp_path / "named.toml"
    named.write_text("port = 1", "utf-8")
    given = tmp_path / "given.toml"
    given.write_text("port = 2", "utf-8")
    assert load(environ={"MONEYBACK_CONFIG": str(named)}).port == 1
    assert load(environ={"MONEYBACK_CONFIG": str(named)}, config_file=given).port == 2


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONEYBACK_RETRY_DAYS", "9")
    assert load().retry_days == 9


def test_an_unknown_variable_is_a_problem_with_the_nearest_name() -> None:
    assert problems({"MONEYBACK_RETRY_DAY": "3"}) == (
        "MONEYBACK_RETRY_DAY: unknown variable; did you mean MONEYBACK_RETRY_DAYS?",
    )
    assert problems({"MONEYBACK_PORT": "3"}) == ("MONEYBACK_PORT: unknown variable; did you mean PORT?",)


def test_foreign_variables_are_nobodys_business() -> None:
    assert load(environ={"PATH": "/bin", "MONEY": "1", "moneyback_port": "x"}) == load(environ={})


def test_the_variables_of_our_own_tests_are_let_through() -> None:
    ours = {"MONEYBACK_TEST_POSTGRES_URL": "postgresql://h", "MONEYBACK_UPDATE_SNAPSHOTS": "1"}
    assert load(environ=ours) == load(environ={})


@pytest.mark.parametrize("variable", ["MONEYBACK_TESTS", "MONEYBACK_TEST", "MONEYBACK_UPDATE_SNAPSHOTS_X"])
def test_a_variable_that_only_looks_like_one_of_our_tests_is_a_problem(variable: str) -> None:
    [problem] = problems({variable: "1"})
    assert problem.startswith(f"{variable}: unknown variable")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('timezoen = "UTC"', "'timezoen' in the TOML file: unknown key; did you mean timezone?"),
        ("shutdown_seconds = 3", "'shutdown_seconds' in the TOML file: unknown key"),
        ("port = true", "PORT (toml: port): is true or false"),
        ("port = [1]", "PORT (toml: port): [1] cannot be used"),
        ('smtp_url = ""', "SMTP_URL (toml: smtp_url): is empty"),
        ("notify_emails = []", "MONEYBACK_NOTIFY_EMAILS (toml: notify_emails): is empty"),
        ("notify_emails = [1]", "MONEYBACK_NOTIFY_EMAILS (toml: notify_emails): 1 cannot be used"),
        ("retry_at = 09:00:30", "MONEYBACK_RETRY_AT (toml: retry_at): '09:00:30' is not a time of day"),
        ("gateways = 1", "gateways in the TOML file: is not a table"),
        ("port = ", "MONEYBACK_CONFIG: 'moneyback.toml' cannot be read: not a TOML file"),
    ],
)
def test_a_fault_in_the_file_is_a_problem(toml: str, said: str) -> None:
    [problem] = problems({}, toml)
    assert problem.startswith(said)


def test_a_named_file_that_is_missing_is_a_problem() -> None:
    [problem] = problems({"MONEYBACK_CONFIG": "missing.toml"})
    assert problem.startswith("MONEYBACK_CONFIG: 'missing.toml' cannot be read: No such file")


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL", "SMTP_URL"])
def test_a_secret_may_lie_in_a_file_whose_blanks_are_dropped(variable: str) -> None:
    url = {
        "DATABASE_URL": "postgresql+psycopg://u:p@h/d",
        "REDIS_URL": "redis://:p@h/1",
        "SMTP_URL": "smtps://u:p@h",
    }[variable]
    Path("secret").write_text(f" {url}\n", "utf-8")
    settings = load(environ={f"{variable}_FILE": "secret"})
    assert getattr(settings, variable.lower()) == url


def test_a_secret_given_twice_unreadable_or_empty_is_a_problem() -> None:
    Path("secret").write_text("\n", "utf-8")
    Path("binary").write_bytes(b"\xff\xfe")
    [twice] = problems({"REDIS_URL": "redis://h", "REDIS_URL_FILE": "secret"})
    assert twice == "REDIS_URL: is set together with REDIS_URL_FILE; allowed: one of the two"
    [missing] = problems({"REDIS_URL_FILE": SECRET})
    assert missing.startswith("REDIS_URL_FILE: cannot be read: No such file")
    assert SECRET not in missing
    [binary] = problems({"REDIS_URL_FILE": "binary"})
    assert "not text in UTF-8" in binary
    [empty] = problems({"REDIS_URL_FILE": "secret"})
    assert "is empty" in empty


def test_a_problem_is_one_line_whatever_the_value() -> None:
    found = problems({"MONEYBACK_ENV": "a\nb\u2028c\x1b[31m", "MONEYBACK_X\nY": ""})
    assert len(found) == 2
    assert all(problem.isprintable() for problem in found)
