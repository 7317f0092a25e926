"""Settings: frozen, from the environment over moneyback.toml over defaults, every problem told at once."""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import time
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ValidationInfo

from config.logging import one_line, redacted, redacted_text

_SANDBOX_URL = "http://127.0.0.1:8010"
_HTTP = "an http or https URL without user name or query"


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds one line for each thing wrong, and so does the text."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(one_line(redacted_text(problem)) for problem in problems)
        super().__init__("\n".join(self.problems))


class _Checked(BaseModel):
    """Frozen; each field goes through the functions that `_READ` and `_CHECKED` name for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, bool):  # pydantic would take it as 1 or 0
            raise ValueError("is true or false")  # noqa: TRY004 pydantic collects ValueError alone
        read = _READ.get(str(info.field_name))
        return read(value) if read else value

    @field_validator("*")
    @classmethod
    def _check(cls, value: Any, info: ValidationInfo) -> Any:
        check = _CHECKED.get(str(info.field_name))
        return value if check is None or value is None else check(value)


def _whole(least: int, most: int) -> Any:
    return Field(ge=least, le=most, description=f"a whole number from {least} to {most}")


def _above_zero(unit: str, most: int) -> Any:
    return Field(gt=0, le=most, description=f"{unit} above 0, up to {most}")


class GatewaySettings(_Checked):
    """One payment gateway, from `[gateways.NAME]`; its key comes from the environment alone."""

    name: Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_-]{0,31}\z", description="[a-z][a-z0-9_-]{0,31}")]
    kind: Literal["sandbox"]
    base_url: Annotated[str, Field(description=_HTTP)]
    grade: Literal["A", "B", "C", "D"] = "A"
    api_key: Annotated[SecretStr | None, Field(repr=False, description="visible ASCII characters")] = None
    max_in_flight: Annotated[int, _whole(1, 1000)] = 64
    calls_per_second: Annotated[float | None, _above_zero("a number", 100_000)] = None
    settling_seconds: Annotated[float, Field(ge=0, le=604_800, description="seconds from 0 to 604800")] = 60
    key_life_hours: Annotated[float, _above_zero("hours", 8760)] = 24


class Settings(_Checked):
    """All settings. Secrets show neither in `repr` nor in `redacted`, and nothing can be changed."""

    shutdown_seconds: ClassVar[int] = 25
    """How long a stopping process may drain; a gateway call always ends within it."""

    environment: Literal["development", "test", "production"] = "development"
    data_dir: Annotated[Path, Field(description="a folder")] = Path("moneyback-data")
    database_url: Annotated[str, Field(repr=False, description="sqlite:///FILE or postgresql://…")] = ""
    """Left empty it becomes the SQLite file `moneyback.db` in `data_dir`; PostgreSQL always names psycopg."""
    redis_url: Annotated[str | None, Field(repr=False, description="redis://, rediss:// or unix://…")] = None
    smtp_url: Annotated[str | None, Field(repr=False, description="smtp://, smtps:// or file:…")] = None
    """None: mail goes to the folder `mail` in `data_dir`."""
    host: Annotated[str, Field(pattern=r"\A[A-Za-z0-9_.:%-]+\z", description="an address or host name")] = (
        "127.0.0.1"
    )
    port: Annotated[int, _whole(0, 65535)] = 8000
    public_url: Annotated[str | None, Field(description=_HTTP)] = None
    notify_emails: Annotated[tuple[str, ...], Field(description="addresses, comma between")] = (
        "oncall@localhost",
    )
    notify_domains: Annotated[tuple[str, ...], Field(description="domain names, comma between")] = ()
    """Domains a request may name addresses of; empty: any."""
    mail_from: Annotated[str, Field(description="one address")] = "moneyback@localhost"
    timezone: Annotated[str, Field(description="an IANA name such as Europe/London")] = "UTC"
    retry_at: Annotated[time, Field(description="HH:MM from 00:00 to 23:59")] = time(9)
    retry_days: Annotated[int, _whole(0, 30)] = 3
    permanent_failures: Literal["notify", "retry"] = "notify"
    worker_threads: Annotated[int, _whole(1, 64)] = 4
    lease_seconds: Annotated[float, _above_zero("seconds", 3600)] = 60
    call_limit_seconds: Annotated[float, _above_zero("seconds", 3600)] = 20
    poll_seconds: Annotated[float, _above_zero("seconds", 3600)] = 2
    """How often a lane looks for work by itself."""
    log_format: Literal["json", "text", "auto"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sandbox_url: Annotated[str, Field(description=_HTTP)] = _SANDBOX_URL
    gateways: Annotated[tuple[GatewaySettings, ...], Field(description="tables [gateways.NAME]")] = ()
    """Left empty outside production it becomes one sandbox gateway at `sandbox_url`."""
    default_gateway: Annotated[str | None, Field(description="the name of a configured gateway")] = None
    """The only configured one unless named; None: a payment must name its gateway."""

    @field_validator("database_url")
    @classmethod
    def _find_database(cls, url: str, info: ValidationInfo) -> str:
        return (
            _database_url(url) if url else f"sqlite:///{info.data.get('data_dir', Path()) / 'moneyback.db'}"
        )

    @field_validator("call_limit_seconds")
    @classmethod
    def _fit_call_limit(cls, limit: float, info: ValidationInfo) -> float:
        lease = info.data.get("lease_seconds")
        if lease is not None and limit >= lease:
            raise ValueError(f"{limit:g} s is not less than MONEYBACK_LEASE_SECONDS ({lease:g} s)")
        if limit >= cls.shutdown_seconds:
            raise ValueError(f"{limit:g} s is not less than the {cls.shutdown_seconds} s a stop may take")
        return limit

    @field_validator("gateways", mode="before")
    @classmethod
    def _add_sandbox(cls, gateways: object, info: ValidationInfo) -> object:
        if gateways or info.data.get("environment", "production") == "production":
            return gateways
        url = info.data.get("sandbox_url", _SANDBOX_URL)
        return (GatewaySettings(name="sandbox", kind="sandbox", base_url=url, api_key=SecretStr("sandbox")),)

    @field_validator("default_gateway")
    @classmethod
    def _find_default(cls, name: str | None, info: ValidationInfo) -> str | None:
        if "gateways" not in info.data:
            return name
        names = [gateway.name for gateway in info.data["gateways"]]
        if name is None:
            return names[0] if len(names) == 1 else None
        if name not in names:
            raise ValueError(f"{name!r} is not among the configured gateways ({', '.join(names) or 'none'})")
        return name

    @property
    def embedded_database(self) -> bool:
        """The database is an SQLite file on this host."""
        return self.database_url.startswith("sqlite:")

    def redacted(self) -> dict[str, object]:
        """The effective settings in JSON's own types, passwords and keys as `***`: fit to be printed."""
        return {name: redacted(value) for name, value in self.model_dump(mode="json").items()}


def load(*, environ: Mapping[str, str] | None = None, config_file: Path | None = None) -> Settings:
    """Settings from `environ` (default: the process's own) over the TOML file over the defaults.

    The file is `config_file`, else the one MONEYBACK_CONFIG names, else moneyback.toml in the current folder
    if there is one. A secret may come from the file that its variable with `_FILE` names. Raises
    SettingsError with every problem: values not allowed, unknown names, unreadable files.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    table = _table(environ, config_file, problems)
    entries = table.pop("gateways", {})
    problems += (
        f"{key!r} in the TOML file: unknown key{_hint(key, _FIELDS)}" for key in table if key not in _FIELDS
    )
    values = _values(environ, table, problems)
    gateways = _gateways(environ, entries, problems)
    if values.get("environment") == "production":
        problems += (
            f"[gateways.{gateway['name']}] kind: a sandbox pays nobody and is refused in production"
            for gateway in gateways
            if gateway.get("kind") == "sandbox"
        )
    known = _known_variables(gateways)
    problems += (
        f"{name}: unknown variable{_hint(name, known)}"
        for name in sorted(environ)
        if name.startswith("MONEYBACK_") and name not in known
    )
    try:
        settings = Settings.model_validate({**values, "gateways": gateways})
    except ValidationError as error:
        problems += (_problem(detail, gateways) for detail in error.errors(include_url=False))
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return settings


_FIELDS = tuple(name for name in Settings.model_fields if name != "gateways")
_PLAIN_VARIABLES = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "smtp_url": "SMTP_URL",
    "port": "PORT",
    "environment": "MONEYBACK_ENV",
}


def _variable(field: str) -> str:
    return _PLAIN_VARIABLES.get(field, f"MONEYBACK_{field.upper()}")


def _key_variable(gateway: str) -> str:
    return f"MONEYBACK_GATEWAY_{gateway.upper().replace('-', '_')}_API_KEY"


def _is_secret(field: str) -> bool:
    return not Settings.model_fields[field].repr


def _known_variables(gateways: Sequence[Mapping[str, object]]) -> set[str]:
    secrets = [_variable(field) for field in _FIELDS if _is_secret(field)]
    secrets += [_key_variable(str(gateway["name"])) for gateway in gateways]
    return {"MONEYBACK_CONFIG", *map(_variable, _FIELDS), *secrets, *(f"{name}_FILE" for name in secrets)}


def _hint(name: str, known: Iterable[str]) -> str:
    bare = name.removeprefix("MONEYBACK_")
    close = [bare] if bare in known else difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _table(environ: Mapping[str, str], config_file: Path | None, problems: list[str]) -> dict[str, object]:
    named = environ.get("MONEYBACK_CONFIG")
    path = config_file or Path("moneyback.toml" if named is None else named)
    if config_file is None and named is None and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not a TOML file in UTF-8: {error}"
        problems.append(
            f"MONEYBACK_CONFIG: {str(path)!r} cannot be read: {why}; allowed: the path of a TOML file"
        )
        return {}


def _values(
    environ: Mapping[str, str], table: Mapping[str, object], problems: list[str]
) -> dict[str, object]:
    values: dict[str, object] = {}
    for field in _FIELDS:
        text = _text(environ, _variable(field), problems, secret=_is_secret(field))
        value = table.get(field) if text is None else text
        if value == "":
            problems.append(f"{_variable(field)} (toml: {field}): is empty; leave it out to get the default")
        elif value is not None:
            values[field] = value
    return values


def _text(environ: Mapping[str, str], variable: str, problems: list[str], *, secret: bool) -> str | None:
    """The variable's text without blanks around it, or its file's; None where it is not set or unreadable."""
    text = environ.get(variable)
    file = environ.get(f"{variable}_FILE") if secret else None
    if file is not None and text is not None:
        problems.append(f"{variable}: is set together with {variable}_FILE; allowed: one of the two")
        return None
    if file is not None:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            # The path is not repeated: people put the secret itself there by mistake.
            problems.append(f"{variable}_FILE: cannot be read: {why}; allowed: the path of a text file")
    return None if text is None else text.strip()


def _gateways(environ: Mapping[str, str], entries: object, problems: list[str]) -> list[dict[str, object]]:
    if not isinstance(entries, dict):
        problems.append("gateways in the TOML file: is not a table; allowed: tables [gateways.NAME]")
        return []
    keys = [key for key in GatewaySettings.model_fields if key not in {"name", "api_key"}]
    gateways: list[dict[str, object]] = []
    for name, entry in entries.items():
        where = f"[gateways.{name}]"
        if not isinstance(entry, dict):
            problems.append(f"{where}: is not a table; allowed: {', '.join(keys)}")
            continue
        variable = _key_variable(name)
        if any(_key_variable(str(other["name"])) == variable for other in gateways):
            problems.append(f"{where}: shares {variable} with another gateway; allowed: a name of its own")
        if "api_key" in entry:
            problems.append(
                f"{where} api_key: a key never stands in the file; allowed: {variable} or {variable}_FILE"
            )
        problems += (
            f"{where} {key!r}: unknown key{_hint(key, keys)}"
            for key in entry
            if key not in {*keys, "api_key"}
        )
        key = _text(environ, variable, problems, secret=True)
        if key == "":
            problems.append(f"{variable}: is empty; leave it out if the gateway takes no key")
        gateways.append(
            {key: entry[key] for key in keys if key in entry} | {"name": name, "api_key": key or None}
        )
    return gateways


def _problem(detail: ErrorDetails, gateways: Sequence[Mapping[str, object]]) -> str:
    """One line: where it comes from, what is wrong, what is allowed. Never the value of a secret."""
    match detail["loc"]:
        case ("gateways", int(index), str(field), *_):
            name = str(gateways[index]["name"])
            where = _key_variable(name) if field == "api_key" else f"[gateways.{name}] {field}"
            info = GatewaySettings.model_fields[field]
        case (field, *_):
            where = f"{_variable(str(field))} (toml: {field})"
            info = Settings.model_fields[str(field)]
    if detail["type"] == "value_error":
        wrong = str(detail["ctx"]["error"])
    elif detail["type"] == "missing":
        wrong = "is missing"
    elif info.repr:
        wrong = f"{redacted_text(repr(detail['input'])):.80} cannot be used"
    else:
        wrong = "cannot be used"
    allowed = info.description or ", ".join(get_args(info.annotation))
    return f"{where}: {wrong}; allowed: {allowed}"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _clock_time(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", value):
        return time.fromisoformat(value)
    if isinstance(value, time) and value == value.replace(second=0, microsecond=0, tzinfo=None):
        return value
    raise ValueError(f"{str(value)[:80]!r} is not a time of day in hours and minutes")


def _address(text: str) -> str:
    """One plain address; `name@localhost` is the only one without a public domain."""
    local, _, domain = text.rpartition("@")
    here = domain == "localhost"
    judged = f"{local}@host.example" if here else text
    try:
        checked = validate_email(judged, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(f"{text[:80]!r} is not one email address: {error}") from None
    return f"{checked.local_part}@localhost" if here else checked.ascii_email or checked.normalized


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError("is empty: somebody must be told")
    return _each(texts, _address)


def _domains(texts: tuple[str, ...]) -> tuple[str, ...]:
    return _each(texts, lambda text: _address(f"any@{text.lower()}").removeprefix("any@"))


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


def _zone_name(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name[:80]!r} is not a known time zone") from None
    return name


def _folder(path: Path) -> Path:
    if "?" in str(path) or not str(path).isprintable():  # it becomes part of a database URL
        raise ValueError("holds a question mark or control characters")
    return path


def _api_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
        raise ValueError("holds characters that cannot stand in an HTTP header")
    return key


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


_READ: Mapping[str, Callable[[object], object]] = {
    "notify_emails": _split,
    "notify_domains": _split,
    "retry_at": _clock_time,
}
_CHECKED: Mapping[str, Callable[[Any], object]] = {
    "data_dir": _folder,
    "redis_url": _redis_url,
    "smtp_url": _smtp_url,
    "public_url": _http_url,
    "sandbox_url": _http_url,
    "base_url": _http_url,
    "api_key": _api_key,
    "notify_emails": _addresses,
    "notify_domains": _domains,
    "mail_from": _address,
    "timezone": _zone_name,
}
