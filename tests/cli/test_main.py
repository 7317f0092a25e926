"""The command as a whole: help, exit codes, streams, and what happens when something goes wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.exits import Exit, exit_of
from cli.wording import _STANDINGS
from refunds.domain.status import Status
from refunds.flow.refusal import Cause
from tests.cli.stage import Stage
from tests.command import COMMAND
from tests.servers.program import free_port

_COMMANDS = {
    *("up", "web", "worker", "scheduler", "sandbox", "queue", "doctor", "replay", "memo", "demo"),
    *("refund", "token", "db"),
}


def _process(here: Stage, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **here.env, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_bare_command_is_a_short_help_with_two_examples(fresh: Stage) -> None:
    done = fresh.run()
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n  moneyback ") == 2
    assert len(done.stdout.splitlines()) < 12


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command_and_the_exit_codes(fresh: Stage, option: str) -> None:
    done = fresh.run(option)
    assert done.exit_code == 0
    named = {line.split()[0] for line in done.stdout.partition("Commands:\n")[2].splitlines() if line.strip()}
    assert named >= _COMMANDS
    assert "4 refused" in done.stdout


def test_help_loads_nothing_that_is_dear() -> None:
    dear = ("sqlalchemy", "dramatiq", "fastapi", "aiohttp", "pydantic", "alembic", "apscheduler")
    program = f"import sys, cli.main; print([name for name in {dear} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_is_the_installed_one(fresh: Stage) -> None:
    assert fresh.run("--version").stdout == f"moneyback {version('moneyback')}\n"


@pytest.mark.parametrize(
    ("arguments", "suggested"),
    [(["quueue"], "queue"), (["refund", "shwo"], "show"), (["db", "stat"], "status")],
)
def test_an_unknown_command_is_answered_with_the_nearest(
    fresh: Stage, arguments: Sequence[str], suggested: str
) -> None:
    done = fresh.run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"Did you mean '{suggested}'?" in done.stderr


def test_every_cause_of_a_refusal_has_its_exit_code() -> None:
    usage = {
        *("invalid_request", "idempotency_key_reused", "payment_ambiguous", "gateway_unknown"),
        *("account_unknown", "currency_mismatch", "not_supported"),
    }
    for cause in Cause:
        wanted = 2 if cause in usage else 3 if cause in {"payment_unknown", "refund_unknown"} else 4
        assert exit_of(cause) == wanted, cause


def test_exit_codes_are_the_promised_numbers() -> None:
    assert [code.value for code in Exit] == [0, 1, 2, 3, 4, 6]


def test_every_status_has_its_words() -> None:
    assert _STANDINGS.keys() == set(Status)


@pytest.mark.parametrize(
    "command", [["refund", "list"], ["doctor"], ["db", "status"], ["web"], ["worker"], ["up"]]
)
def test_settings_that_cannot_be_used_are_all_told(fresh: Stage, command: list[str]) -> None:
    variables = {"PORT": "many", "MONEYBACK_TIMEZONE": "Mars/Olympus", "REDIS_URL": "http://:hunter2@x"}
    done = fresh.run(*command, **variables)
    assert (done.exit_code, done.stdout) == (2, "")
    for name in variables:
        assert name in done.stderr
    assert "hunter2" not in done.stderr


def test_parts_that_do_not_fit_together_are_settings_that_cannot_be_used(fresh: Stage) -> None:
    done = fresh.run("refund", "list", SMTP_URL="smtp://127.0.0.1:25?starttls=perhaps")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "starttls" in done.stderr


def test_what_nobody_foresaw_is_one_line_in_the_log_and_a_failure(fresh: Stage) -> None:
    fresh.folder.mkdir()
    (fresh.folder / "moneyback.db").write_bytes(b"no database at all" * 100)
    done = _process(fresh, "refund", "list", MONEYBACK_LOG_FORMAT="json")
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert json.loads(line)["event"] == "command.failed"
    assert "file is not a database" in line


def test_data_goes_to_stdout_and_talk_to_stderr(fresh: Stage) -> None:
    done = _process(fresh, "refund", "show", "rf_unknown", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "refund_unknown: there is no refund 'rf_unknown'\n"


def test_bytes_that_are_no_text_are_a_usage_error(fresh: Stage) -> None:
    done = fresh.run("refund", "list", "--order", os.fsdecode(b"\xff"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "an argument holds bytes that are not text in UTF-8\n"


def test_a_reader_that_left_is_no_traceback(fresh: Stage) -> None:
    command = f'"{sys.executable}" -m cli refund list --json | true'
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, **fresh.env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_sandbox_serves_until_it_is_ended(fresh: Stage, tmp_path: Path) -> None:
    ledger = tmp_path / "elsewhere" / "ledger.db"
    with subprocess.Popen(
        [*COMMAND, "sandbox", "--port", "0", "--ledger", str(ledger), "--strict", "--latency-ms", "1"],
        env={**os.environ, **fresh.env},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            told = process.stderr.readline()
            assert told.startswith("sandbox gateway at http://127.0.0.1:")
            assert ledger.exists()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["--host", "0.0.0.0"], {}),
        (["--host", "sandbox.example"], {}),
        (["--port", "65536"], {}),
        ([], {"MONEYBACK_ENV": "production"}),
    ],
)
def test_the_sandbox_is_for_this_machine_and_never_for_production(
    fresh: Stage, options: list[str], variables: dict[str, str]
) -> None:
    done = fresh.run("sandbox", *options, **variables)
    assert (done.exit_code, done.stdout) == (2, "")
    assert not fresh.folder.exists()


def test_a_sandbox_that_finds_its_port_taken_fails(fresh: Stage) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        done = fresh.run("sandbox", "--port", str(port))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("the sandbox gateway cannot start: ")
