"""What the value of a setting must be: one type for each kind of value, read and checked by pydantic.

The complaints are worded for a problem line; those about what may hold a secret never repeat the value.
"""

import re
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from refunds.domain.redaction import redacted_text


def whole(*, least: int, most: int) -> Any:
    """A field for a whole number from `least` to `most`."""
    return Field(ge=least, le=most, description=f"a whole number from {least} to {most}")


def above_zero(unit: str, *, most: int) -> Any:
    """A field for a number above 0, up to `most`, counted in `unit`."""
    return Field(gt=0, le=most, description=f"{unit} above 0, up to {most}")


def shown(value: object) -> str:
    """The value as Python writes it, at most 80 characters, passwords taken out before the cut."""
    return f"{redacted_text(repr(value)):.80}"


def _folder(path: Path) -> Path:
    if "?" in str(path) or not str(path).isprintable():  # it becomes part of a database URL
        raise ValueError("holds a question mark or control characters")
    return path


def _api_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
        raise ValueError("holds characters that cannot stand in an HTTP header")
    return key


def _zone_name(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{shown(name)} is not a known time zone") from None
    return name


def _clock_time(value: object) -> time:
    if isinstance(value, str) and re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", value):
        return time.fromisoformat(value)
    if isinstance(value, time) and value == value.replace(second=0, microsecond=0, tzinfo=None):
        return value
    raise ValueError(f"{shown(str(value))} is not a time of day in hours and minutes")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _address(text: str) -> str:
    # No option of the library lets .local, .test or localhost pass: under a domain that means nothing to it,
    # every name is judged by its syntax alone.
    try:
        judged = validate_email(f"{text}.x", check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise ValueError(
            f"{shown(text)} is not one plain mail address: ASCII before the @, a host name after it"
        ) from None
    return f"{judged.local_part}@{judged.ascii_domain.removesuffix('.x')}"


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError("is empty: somebody must be told")
    return _each(texts, _address)


def _domain(text: str) -> str:
    try:
        return _address(f"any@{text}").removeprefix("any@")
    except ValueError:
        raise ValueError(f"{shown(text)} is not a domain name") from None


def _domains(texts: tuple[str, ...]) -> tuple[str, ...]:
    return _each(texts, _domain)


def _each(texts: tuple[str, ...], check: Callable[[str], str]) -> tuple[str, ...]:
    """Every text checked, each kept once; all complaints together."""
    kept: dict[str, None] = {}
    complaints: list[str] = []
    for text in texts:
        try:
            kept[check(text)] = None
        except ValueError as error:
            complaints.append(str(error))
    if complaints:
        raise ValueError("; ".join(complaints))
    return tuple(kept)


def _http_url(text: str) -> str:
    parts = _url(text, "http", "https")
    if "@" in parts.netloc or parts.query or not parts.hostname:
        raise ValueError("holds a user name or a query, or names no host")
    return text.rstrip("/")


def _redis_url(text: str) -> str:
    parts = _url(text, "redis", "rediss", "unix")
    if not (parts.path.strip("/") if parts.scheme == "unix" else parts.hostname):
        raise ValueError("names no host or socket")
    return text


def _smtp_url(text: str) -> str:
    parts = _url(text, "smtp", "smtps", "file")
    if not (parts.path.strip("/") if parts.scheme == "file" else parts.hostname):
        raise ValueError("names no host or folder")
    return text


def _database_url(text: str) -> str:
    if text.startswith("sqlite:///"):
        if not text.removeprefix("sqlite:///").strip("/") or ":memory:" in text or "mode=memory" in text:
            raise ValueError("names no file; a database in memory would forget what was promised")
        return text
    _url(text, "postgresql", "postgres", "postgresql+psycopg")
    return f"postgresql+psycopg:{text.partition(':')[2]}"


def _url(text: str, *schemes: str) -> SplitResult:
    """Split a URL of one of the schemes. The complaint never repeats it: it may hold a password."""
    if " " in text or not text.isprintable():
        raise ValueError("holds blanks or control characters")
    try:
        parts = urlsplit(text)
        _ = parts.port  # read only here, and raises for what is not a number
    except ValueError:
        raise ValueError(
            "cannot be read as a URL; special characters in a password must be %-encoded"
        ) from None
    if parts.scheme not in schemes:
        raise ValueError("begins with another scheme")
    if parts.fragment:
        raise ValueError("holds a #, which must be %-encoded")
    return parts


Folder = Annotated[Path, AfterValidator(_folder)]
ApiKey = Annotated[SecretStr, AfterValidator(_api_key)]
ZoneName = Annotated[str, AfterValidator(_zone_name)]
ClockTime = Annotated[time, BeforeValidator(_clock_time)]
Address = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_addresses)]
Domains = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_domains)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
SmtpUrl = Annotated[str, AfterValidator(_smtp_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
