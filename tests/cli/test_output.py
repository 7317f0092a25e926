"""Output at a terminal: tables and colours, and none where they are not wanted."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import pytest

from cli import doctor
from cli.output import emit_record, emit_table
from refunds.flow.examine import Finding, Level


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def at_a_terminal() -> Iterator[Terminal]:
    with redirect_stdout(Terminal()) as screen:
        yield screen


@pytest.fixture(autouse=True)
def _xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_table_at_a_terminal_has_columns_and_loses_no_text() -> None:
    with at_a_terminal() as screen:
        emit_table(
            ("id", "what"), [("rf_01M81JBTDYNB79B7W20VWK2A9C", "x" * 50), ("rf_2", "[bold]no markup[/]")]
        )
    drawn = screen.getvalue()
    assert "\t" not in drawn
    assert drawn.count("x") == 50
    assert "[bold]no markup[/]" in drawn


def test_a_record_at_a_terminal_is_aligned_and_leaves_out_what_is_empty() -> None:
    with at_a_terminal() as screen:
        emit_record([("id", "rf_1"), ("kind", ""), ("status", "queued\x1b[2J")])
    assert screen.getvalue() == "id      rf_1\nstatus  queued\\x1b[2J\n"


@pytest.mark.parametrize("wanted", [True, False])
def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch, wanted: bool) -> None:
    if not wanted:
        monkeypatch.setenv("NO_COLOR", "1")
    with at_a_terminal() as screen:
        doctor.emit_finding(Finding("mail", Level.FAIL, "refused", "mend SMTP_URL"))
    assert ("\x1b[1;31mfail" in screen.getvalue()) is wanted
    assert "mend SMTP_URL" in screen.getvalue()
