"""Logging: one line an event, through one renderer, with secrets and card numbers taken out."""

import json
import logging
import math
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

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
    `redacted` takes out never appears. May be called again: the last call holds. Raises ValueError for
    another format or level.
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


def redacted(value: object, *, depth: int = 0) -> object:
    """The value in JSON's own types, without secrets and card numbers, at any depth.

    Whatever stands under a key named like a secret becomes `***` (None stays None); every string goes
    through `redacted_text`; what JSON does not know becomes its redacted text.
    """
    match value:
        case str():
            return redacted_text(value)
        case Mapping() | list() | tuple() | set() | frozenset() if depth >= _MAX_DEPTH:
            return "[too deep]"
        case Mapping():
            clean: dict[str, object] = {}
            for key, item in value.items():
                name, is_secret = _key(str(key))
                hidden = is_secret and item is not None
                clean[name] = "***" if hidden else redacted(item, depth=depth + 1)
            return clean
        case list() | tuple() | set() | frozenset():
            return [redacted(item, depth=depth + 1) for item in value]
        case None | bool() | int() | float() if not isinstance(value, float) or math.isfinite(value):
            return value
        case _:
            return redacted_text(repr(value) if isinstance(value, bytes | BaseException) else str(value))


def redacted_text(text: str) -> str:
    """The text without passwords in URLs, `password=` and its like, bearer tokens and card numbers."""
    if not _SUSPECT.search(text):
        return text
    text = _URL_PASSWORD.sub(r"\1***@", text)
    text = _NAMED_SECRET.sub(r"\1***", text)
    text = _AUTHORIZATION.sub(r"\1***", text)
    text = _OUR_TOKEN.sub("mb_***", text)
    return _DIGIT_RUN.sub(lambda run: _without_cards(run[0]), text)


def one_line(text: str) -> str:
    """The text with every character that could break a line or steer a terminal escaped as in Python."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


@lru_cache(maxsize=1024)
def _key(name: str) -> tuple[str, bool]:
    """A key as it is written, and whether a secret stands under it: the same few, for every event."""
    return redacted_text(name), _SECRET_KEY.search(name) is not None


_MAX_DEPTH = 12

# What every pattern of redacted_text needs somewhere: most texts have none of it, and are done with.
_SUSPECT = re.compile(r"://|=|['\"]\s{0,3}:|authorization|bearer |mb_|[0-9](?:[ -]?[0-9]){12}", re.IGNORECASE)

_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|authori[sz]ation|cookie|credential|card_?number|cv[vc]"
    r"|(?:api|private|signing|access|encryption)[ _-]?key|key[ _-]?material",
    re.IGNORECASE,
)

# A password may hold a raw slash or @; a number that ends like a port is not a password.
_URL_PASSWORD = re.compile(r"(://[^\s/?#:]{0,256}:)(?![0-9]{1,5}(?:[/?#\s]|$))\S{0,1024}@")

_NAMED_SECRET = re.compile(
    r"((?:password|passwd|pwd|secret|token|api[_-]?key)(?:\s{0,3}=\s{0,3}|['\"]\s{0,3}:\s{0,3}))"
    r"(?:'[^']{0,1024}'|\"[^\"]{0,1024}\"|[^\s&,;]+)",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(
    r"(authorization\W{1,6}(?:(?:bearer|basic|digest) )?|\bbearer (?=\S{8}))[^\s'\",;}]+",
    re.IGNORECASE,
)
_OUR_TOKEN = re.compile(r"(?<![^\W_])mb_[A-Za-z0-9._~+/=-]{8,}")

_DIGIT_RUN = re.compile(r"(?<![^\W_])[0-9]+(?:[ -][0-9]+)*(?![^\W_])")
_CARD_LENGTHS = range(13, 20)


def _without_cards(run: str) -> str:
    """Replace each card number in digit groups joined by single blanks or dashes.

    A card may begin and end at any group: a date or an amount often stands right beside it.
    """
    if len(run) < _CARD_LENGTHS.start:
        return run
    parts = re.split(r"([ -])", run)
    kept: list[str] = []
    start = 0
    while start < len(parts):
        end = _card_end(parts, start)
        kept.append(parts[start] if end is None else "[card]")
        following = start + 1 if end is None else end
        kept.extend(parts[following : following + 1])
        start = following + 1
    return "".join(kept)


def _card_end(parts: list[str], start: int) -> int | None:
    """Index after the longest card number that begins with the group at `start`; None if none does."""
    found = None
    digits = ""
    for index in range(start, len(parts), 2):
        digits += parts[index]
        if len(digits) >= _CARD_LENGTHS.stop:
            break
        if len(digits) in _CARD_LENGTHS and _luhn(digits):
            found = index + 1
    return found


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


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
