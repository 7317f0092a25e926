"""Logging: one line an event, UTC, one renderer for all, and neither secrets nor card numbers."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.logging import LIBRARY_FLOORS, configure, one_line
from refunds.domain.redaction import redacted, redacted_text

CARD = "4111 1111 1111 1111"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    libraries = {name: logging.getLogger(name) for name in LIBRARY_FLOORS}
    levels = {name: (library.level, list(library.handlers)) for name, library in libraries.items()}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, library in libraries.items():
        library.setLevel(levels[name][0])
        library.handlers[:] = levels[name][1]
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def lines(log_format: str, write: Callable[[Any], object], *, level: str = "info") -> list[str]:
    stream = io.StringIO()
    configure(log_format=log_format, level=level, stream=stream)
    write(structlog.get_logger())
    assert stream.getvalue().endswith("\n") or not stream.getvalue()
    # splitlines also knows the separators that only some viewers break at
    return stream.getvalue().splitlines()


def event(write: Callable[[Any], object]) -> dict[str, Any]:
    [line] = lines("json", write)
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def fail(log: Any, message: str) -> None:
    try:
        raise ValueError(message)  # noqa: TRY301 a raise with a traceback is the point
    except ValueError:
        log.exception("refund.broke", refund_id="r1")


def test_an_event_is_one_json_object_with_utc_time_level_and_name_first() -> None:
    found = event(lambda log: log.info("refund.queued", refund_id="r1", attempt=2))
    assert list(found)[:3] == ["at", "level", "event"]
    assert (found["level"], found["event"], found["attempt"]) == ("info", "refund.queued", 2)
    assert found["at"].endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(found["at"])) < timedelta(minutes=1)


def test_text_is_readable() -> None:
    [line] = lines("text", lambda log: log.warning("lane.closed", gateway="sandbox", why="not reached"))
    assert ' warning lane.closed gateway=sandbox why="not reached" ' in line


def test_auto_is_text_on_a_terminal_and_json_elsewhere() -> None:
    terminal = Terminal()
    configure(log_format="auto", level="info", stream=terminal)
    structlog.get_logger().info("a.b")
    assert " info    a.b " in terminal.getvalue()
    assert lines("auto", lambda log: log.info("a.b"))[0].startswith("{")


def test_logs_go_to_stderr_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_format="json", level="info")
    structlog.get_logger().info("a.b")
    out, err = capsys.readouterr()
    assert not out
    assert json.loads(err)["event"] == "a.b"


def test_an_unknown_format_or_level_is_refused() -> None:
    with pytest.raises(ValueError, match="format"):
        configure(log_format="xml", level="info")
    with pytest.raises(ValueError, match="level"):
        configure(log_format="json", level="loud")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_every_event_stays_one_line_whatever_its_values(log_format: str) -> None:
    nasty = "".join(map(chr, range(32))) + "\x7f\x85\u2028\u2029\u202e\ud800\x1b[31m"
    found = lines(log_format, lambda log: log.info(nasty, text=nasty, deep=[{nasty: nasty}], **{nasty: 1}))
    assert len(found) == 1
    assert found[0].isprintable()
    found = lines(log_format, lambda log: fail(log, nasty))
    assert len(found) == 1
    assert found[0].isprintable()
    found = lines(log_format, lambda _: logging.getLogger("library").warning("a\nb %s", nasty))
    assert len(found) == 1
    assert found[0].isprintable()


def test_an_exception_is_structured_and_shows_no_local_values() -> None:
    found = event(lambda log: fail(log, "no luck"))
    [raised] = found["exception"]
    assert (raised["exc_type"], raised["exc_value"]) == ("ValueError", "no luck")
    assert raised["frames"][-1]["name"] == "fail"
    assert not any(frame.get("locals") for frame in raised["frames"])


@pytest.mark.parametrize("name", ["uvicorn.error", "dramatiq.worker", "apscheduler.x", "alembic", "other"])
def test_the_standard_librarys_logging_takes_the_same_way(name: str) -> None:
    found = event(lambda _: logging.getLogger(name).warning("hello %s", CARD))
    assert (found["event"], found["level"], found["logger"]) == ("hello [card]", "warning", name)


@pytest.mark.parametrize(
    "name", ["uvicorn.access", "apscheduler.scheduler", "dramatiq.broker", "sqlalchemy.engine"]
)
def test_chatty_libraries_are_heard_from_warning_on_even_at_debug(name: str) -> None:
    assert lines("json", lambda _: logging.getLogger(name).info("chat"), level="debug") == []
    assert len(lines("json", lambda _: logging.getLogger(name).warning("trouble"), level="debug")) == 1
    assert lines("json", lambda _: logging.getLogger(name).warning("trouble"), level="error") == []


def test_the_level_holds_and_may_be_changed_for_loggers_already_used() -> None:
    log = structlog.get_logger()
    for level, expected in (("warning", 0), ("info", 1), ("error", 0), ("debug", 1)):
        assert len(lines("json", lambda _: log.info("a.b"), level=level)) == expected


def test_configuring_twice_writes_once() -> None:
    stream = io.StringIO()
    for _ in range(2):
        configure(log_format="json", level="info", stream=stream)
    structlog.get_logger().info("a.b")
    assert len(stream.getvalue().splitlines()) == 1


def test_context_is_carried_into_every_line() -> None:
    structlog.contextvars.bind_contextvars(request_id="q1")
    assert event(lambda log: log.info("a.b"))["request_id"] == "q1"
    assert event(lambda _: logging.getLogger("library").error("x"))["request_id"] == "q1"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("hidden")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_line_that_cannot_be_rendered_says_so_without_its_values(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [line] = lines(log_format, lambda log: log.info("a.b", value=Unprintable(), other="hidden"))
    found = json.loads(line)
    assert (found["event"], found["error"]) == ("log.unprintable", "RuntimeError")
    assert found["logger"].endswith("test_logging")
    assert "hidden" not in line
    assert capsys.readouterr().err == ""


def test_a_closed_stream_disturbs_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure(log_format="json", level="info", stream=stream)
    stream.close()
    structlog.get_logger().info("a.b")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "key",
    [
        *("password", "db_password", "client_secret", "token", "Authorization", "api_key", "X-Api-Key"),
        *("apiKey", "private_key", "key_material", "Cookie", "card_number", "cvv"),
    ],
)
def test_a_value_under_a_secret_name_is_hidden_at_any_depth(key: str) -> None:
    found = event(lambda log: log.info("a.b", outer=[{"inner": {key: "hidden"}}], **{key: {"x": "hidden"}}))
    assert found[key] == "***"
    assert found["outer"] == [{"inner": {key: "***"}}]


@pytest.mark.parametrize("key", ["idempotency_key", "key", "refund_id", "status", "compass"])
def test_harmless_names_keep_their_values(key: str) -> None:
    assert redacted({key: "seen"}) == {key: "seen"}


def test_an_absent_secret_is_told_from_a_hidden_one() -> None:
    assert redacted({"api_key": None}) == {"api_key": None}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:pw@h/d", "postgresql://u:***@h/d"),
        ("at redis://:pw@h:6379/0 now", "at redis://:***@h:6379/0 now"),
        ("postgres://u:p@s/s@h/d", "postgres://u:***@h/d"),
        ("smtp://a@b.example:pw@h", "smtp://a@b.example:***@h"),
        ("http://127.0.0.1:8010/x@y", "http://127.0.0.1:8010/x@y"),
        ("postgresql://u@h/d?password=pw&x=1", "postgresql://u@h/d?password=***&x=1"),
        ("host=h password='p w' x", "host=h password=*** x"),
        ("{'api_key': 'abc', 'x': 1}", "{'api_key': ***, 'x': 1}"),
        ("Authorization: Basic dTpw", "Authorization: Basic ***"),
        ("{'Authorization': 'Bearer abcdefgh'}", "{'Authorization': 'Bearer ***'}"),
        ("bearer of bad news", "bearer of bad news"),
        ("used mb_Zm9vYmFyYmF6 twice", "used mb_*** twice"),
        ("comb_Zm9vYmFyYmF6", "comb_Zm9vYmFyYmF6"),
        ("4111111111111111", "[card]"),
        (f"card {CARD}.", "card [card]."),
        ("4111-1111-1111-1111", "[card]"),
        ("378282246310005", "[card]"),
        ("2026-01-02 4111111111111111 12/29", "2026-01-02 [card] 12/29"),
        (f"12 {CARD} 99", "12 [card] 99"),
        (f"{CARD} {CARD}", "[card] [card]"),
        (f"{CARD}/{CARD}", "[card]/[card]"),
        ("4111111111111112", "4111111111111112"),
        ("a4111111111111111", "a4111111111111111"),
        ("4111111111111111b", "4111111111111111b"),
        ("4111  1111  1111  1111", "[card]"),
        ("411111111111", "411111111111"),
        ("2026-01-02 10:11:12", "2026-01-02 10:11:12"),
    ],
)
def test_text_loses_what_nobody_may_read_and_nothing_else(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_names_values_keys_and_exceptions_are_all_cleaned(log_format: str) -> None:
    name, hidden = f"paid {CARD}", "redis://u:hidden@h"

    def write(log: Any) -> None:
        log.info(name, one=CARD, many=[CARD, {CARD: CARD}], url=hidden, path=Path(CARD))
        log.info("bound", error=ValueError(f"{CARD} {hidden}"), raw=CARD.encode(), several={CARD})
        fail(log, f"declined {CARD} by {hidden}")

    found = lines(log_format, write)
    assert len(found) == 3
    for line in found:
        assert "4111" not in line
        assert "hidden" not in line
        assert "[card]" in line


def test_values_that_json_does_not_know_become_text() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    assert redacted({"a": Decimal("1.50"), "b": when, "c": float("nan"), "d": (1, None, True, 1.5)}) == {
        "a": "1.50",
        "b": "2026-01-02 00:00:00+00:00",
        "c": "nan",
        "d": [1, None, True, 1.5],
    }


def test_a_value_that_holds_itself_ends() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert "too deep" in str(redacted(circle))


def test_one_line_leaves_printable_text_alone() -> None:
    assert one_line("grün €5") == "grün €5"
    assert one_line("a\r\nb\u2028") == "a\\r\\nb\\u2028"
