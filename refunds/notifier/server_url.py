"""The mail server's URL: `smtp://[user:password@]host[:port][?starttls=true|false]` or `smtps://…`."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_SMTPS_PORT: Final = 465
_SUBMISSION_PORT: Final = 587
_SMTP_PORT: Final = 25


class Encryption(StrEnum):
    """How the connection is protected; never opportunistic."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, and how. Its text holds no secret."""

    host: str
    port: int
    encryption: Encryption
    login: tuple[str, str] | None = field(repr=False)

    def __str__(self) -> str:
        """`mail server smtp.example:587`."""
        return f"mail server {self.host}:{self.port}"


def parse_server_url(url: str) -> MailServer:
    """The server that the URL names. Raises ValueError naming the wrong part, and never quoting a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong("host", "is not valid") from None
    if parts.scheme not in {"smtp", "smtps"}:
        raise _wrong("scheme", "must be smtp or smtps")
    if parts.path not in {"", "/"} or parts.fragment:
        raise _wrong("path", "must be empty; write / ? # in a password as %2F %3F %23")
    host, login = _host(parts), _login(parts)
    encryption = _encryption(parts, host=host, has_login=login is not None)
    return MailServer(host, _port(parts, encryption, has_login=login is not None), encryption, login)


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    try:
        host.encode("idna")
    except UnicodeError:
        raise _wrong("host", "is not a host name") from None
    if not host or not host.isprintable() or " " in host:
        raise _wrong("host", "is missing or not a host name")
    return host


def _login(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    user, password = unquote(parts.username), unquote(parts.password or "")
    if not user or not password:
        raise _wrong("user", "needs both a name and a password")
    if not (user + password).isascii() or not (user + password).isprintable():
        raise _wrong("user", "and password must be printable ASCII")
    return user, password


def _encryption(parts: SplitResult, *, host: str, has_login: bool) -> Encryption:
    wish = _starttls_wish(parts)
    if parts.scheme == "smtps":
        if wish is not None:
            raise _wrong("starttls", "does not go with smtps, which is encrypted from the start")
        return Encryption.TLS
    local = _is_loopback(host)
    if wish is None:
        wish = has_login or not local
    if has_login and not wish and not local:
        raise _wrong("starttls", "must not be false: the password would travel unencrypted")
    return Encryption.STARTTLS if wish else Encryption.NONE


def _starttls_wish(parts: SplitResult) -> bool | None:
    match parse_qsl(parts.query, keep_blank_values=True):
        case []:
            return None
        case [("starttls", "true" | "false" as word)]:
            return word == "true"
        case [("starttls", _)]:
            raise _wrong("starttls", "must be true or false")
        case _:
            raise _wrong("query", "may hold starttls only")


def _port(parts: SplitResult, encryption: Encryption, *, has_login: bool) -> int:
    try:
        port = parts.port
    except ValueError:
        raise _wrong("port", "must be a number up to 65535; write : @ in a password as %3A %40") from None
    if port == 0:
        raise _wrong("port", "must not be 0")
    if port is not None:
        return port
    if encryption is Encryption.TLS:
        return _SMTPS_PORT
    return _SUBMISSION_PORT if has_login else _SMTP_PORT


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(part: str, problem: str) -> ValueError:
    return ValueError(f"mail server URL: the {part} {problem}")
