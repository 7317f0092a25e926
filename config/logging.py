"""Logging: one line an event, through one renderer, with secrets and card numbers taken out."""

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from refunds.domain.redaction import redacted

LIBRARY_FLOORS: Mapping[str, int] = {
    "uvicorn": logging.NOTSET,
    "uvicorn.error": logging.NOTSET,
    "uvicorn.access": logging.WARNING,
    "alembic": logging.WARNING,  # it tells at each look which database it found
    "apscheduler": logging.WARNING,
    "dramatiq": logging.WARNING,
    "sqlalchemy": logging.WARNING,  # below it the engine writes bound values, customers' data among them
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "aiohttp": logging.WARNING,
    "asyncio": logging.WARNING,
}
"""The least level at which each library is heard, whatever level is asked for."""


def configure(*, log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging through one renderer to `stream` (default stderr).

    `log_format` is json, text or auto (text on a terminal, else json); `level` is debug, info, warning or
    error. Every event is exactly one line, with the UTC time `at`, `level`, `event`, then the rest; what
    the domain's `redacted` takes out never appears. May be called again: the last call holds. Raises
    ValueError for another format or level.
    """
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"unknown log level {level!r}")
    handler = _OneLineHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=_final_processors(log_format, terminal=handler.stream.isatty()),
            foreign_pre_chain=_SHARED,
        ),
    )
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _OneLineHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name, floor in LIBRARY_FLOORS.items():
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(max(threshold, floor) if floor else logging.NOTSET)


def one_line(text: str) -> str:
    """The text with every character that could break a line or steer a terminal escaped as in Python."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    clean = redacted(event)
    assert isinstance(clean, dict)  # noqa: S101 a mapping stays one
    return clean


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return json.dumps(_ordered(event))


def _text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    ordered = _ordered(event)
    head = f"{ordered.pop('at')} {ordered.pop('level'):<7} {ordered.pop('event')}"
    return one_line(" ".join([head, *(f"{key}={_plain(value)}" for key, value in ordered.items())]))


def _plain(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[\w.:/@+*\[\]-]+", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _ordered(event: MutableMapping[str, object]) -> dict[str, object]:
    first = {key: event.pop(key, "") for key in ("at", "level", "event")}
    return {**first, **event}


def _final_processors(log_format: str, *, terminal: bool) -> list[Processor]:
    # Values of local variables are never shown: they may be anything.
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
    structured: list[Processor] = [structlog.processors.ExceptionRenderer(frames), _redact, _json]
    readable: list[Processor] = [structlog.processors.format_exc_info, _redact, _text]
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    match log_format:
        case "json":
            return [meta, *structured]
        case "text":
            return [meta, *readable]
        case "auto":
            return [meta, *(readable if terminal else structured)]
        case _:
            raise ValueError(f"unknown log format {log_format!r}")


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
]
# One list for the life of the process: a logger that was used keeps it, so a second configure reaches it too.
_PROCESSORS: list[Processor] = [
    structlog.stdlib.filter_by_level,
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


class _OneLineHandler(logging.StreamHandler[TextIO]):
    """Writes events; one that cannot be rendered becomes a line that says so.

    The standard library would print a traceback of many lines with the arguments, secrets and all.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 logging's own name
        kind = type(sys.exc_info()[1]).__name__
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = {"at": at, "level": "error", "event": "log.unprintable", "logger": record.name, "error": kind}
        try:
            self.stream.write(json.dumps(line) + self.terminator)
            self.flush()
        except (OSError, ValueError):
            return  # the stream itself is gone: nothing is left to tell it to
