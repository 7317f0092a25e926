"""Settings: frozen, from the environment over moneyback.toml over defaults, every problem told at once."""

import os
from collections.abc import Iterable, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core.core_schema import ValidationInfo

from config import checks, sources
from config.logging import one_line
from refunds.domain.redaction import redacted, redacted_text

_SANDBOX_URL = "http://127.0.0.1:8010"
_HTTP = "an http or https URL without user name or query"


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds one line for each thing wrong, and so does the text."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(one_line(redacted_text(problem)) for problem in problems)
        super().__init__("\n".join(self.problems))


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_bool(cls, value: object) -> object:
        if isinstance(value, bool):  # pydantic would take it as 1 or 0
            raise ValueError("is true or false")  # noqa: TRY004 pydantic collects ValueError alone
        return value


class GatewaySettings(_Checked):
    """One payment gateway, from `[gateways.NAME]`; its key comes from the environment alone."""

    name: Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_-]{0,31}\z", description="[a-z][a-z0-9_-]{0,31}")]
    kind: Literal["sandbox"]
    base_url: Annotated[checks.HttpUrl, Field(description=_HTTP)]
    grade: Literal["A", "B", "C", "D"] = "A"
    api_key: Annotated[checks.ApiKey | None, Field(repr=False, description="visible ASCII characters")] = None
    max_in_flight: Annotated[int, checks.whole(least=1, most=1000)] = 64
    calls_per_second: Annotated[float | None, checks.above_zero("a number", most=100_000)] = None
    settling_seconds: Annotated[float, Field(ge=0, le=604_800, description="seconds from 0 to 604800")] = 60
    key_life_hours: Annotated[float, checks.above_zero("hours", most=8760)] = 24


class Settings(_Checked):
    """All settings. Secrets show neither in `repr` nor in `redacted`, and nothing can be changed."""

    shutdown_seconds: ClassVar[int] = 25
    """How long a stopping process may drain; a gateway call always ends within it."""

    environment: Literal["development", "test", "production"] = "development"
    data_dir: Annotated[checks.Folder, Field(description="a folder")] = Path("moneyback-data")
    database_url: Annotated[
        checks.DatabaseUrl, Field(repr=False, description="sqlite:///FILE or postgresql://…")
    ] = ""
    """Left empty it becomes the SQLite file `moneyback.db` in `data_dir`; PostgreSQL always names psycopg."""
    redis_url: Annotated[
        checks.RedisUrl | None, Field(repr=False, description="redis://, rediss:// or unix://…")
    ] = None
    smtp_url: Annotated[
        checks.SmtpUrl | None, Field(repr=False, description="smtp://, smtps:// or file:…")
    ] = None
    """None: mail goes to the folder `mail` in `data_dir`."""
    host: Annotated[str, Field(pattern=r"\A[A-Za-z0-9_.:%-]+\z", description="an address or host name")] = (
        "127.0.0.1"
    )
    port: Annotated[int, checks.whole(least=0, most=65535)] = 8000
    public_url: Annotated[checks.HttpUrl | None, Field(description=_HTTP)] = None
    notify_emails: Annotated[checks.Addresses, Field(description="addresses, comma between")] = (
        "oncall@localhost",
    )
    notify_domains: Annotated[checks.Domains, Field(description="domain names, comma between")] = ()
    """Domains a request may name addresses of; empty: any."""
    mail_from: Annotated[checks.Address, Field(description="one address")] = "moneyback@localhost"
    timezone: Annotated[checks.ZoneName, Field(description="an IANA name such as Europe/London")] = "UTC"
    retry_at: Annotated[checks.ClockTime, Field(description="HH:MM from 00:00 to 23:59")] = time(9)
    retry_days: Annotated[int, checks.whole(least=0, most=30)] = 3
    permanent_failures: Literal["notify", "retry"] = "notify"
    watch_days: Annotated[int, checks.whole(least=0, most=365)] = 14
    """How long a refund that is at its end is looked up again; 0: never."""
    worker_threads: Annotated[int, checks.whole(least=1, most=64)] = 4
    lease_seconds: Annotated[float, checks.above_zero("seconds", most=3600)] = 60
    call_limit_seconds: Annotated[float, checks.above_zero("seconds", most=3600)] = 20
    poll_seconds: Annotated[float, checks.above_zero("seconds", most=3600)] = 2
    """How often a lane looks for work by itself."""
    log_format: Literal["json", "text", "auto"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sandbox_url: Annotated[checks.HttpUrl, Field(description=_HTTP)] = _SANDBOX_URL
    gateways: Annotated[tuple[GatewaySettings, ...], Field(description="tables [gateways.NAME]")] = ()
    """Left empty outside production it becomes one sandbox gateway at `sandbox_url`."""
    default_gateway: Annotated[str | None, Field(description="the name of a configured gateway")] = None
    """The only configured one unless named; None: a payment must name its gateway."""

    @field_validator("database_url", mode="before")
    @classmethod
    def _find_database(cls, url: object, info: ValidationInfo) -> object:
        return f"sqlite:///{info.data.get('data_dir', Path()) / 'moneyback.db'}" if url == "" else url

    @field_validator("call_limit_seconds")
    @classmethod
    def _fit_call_limit(cls, limit: float, info: ValidationInfo) -> float:
        lease = info.data.get("lease_seconds")
        if lease is not None and not 2 * limit < lease:
            raise ValueError(f"{limit:g} s is not less than half of MONEYBACK_LEASE_SECONDS ({lease:g} s)")
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
    fields, gateway_fields = Settings.model_fields, GatewaySettings.model_fields
    found = sources.read(environ, config_file, fields=fields, gateway_fields=gateway_fields)
    problems = list(found.problems)
    if found.values.get("environment") == "production":
        problems += (
            f"[gateways.{gateway['name']}] kind: a sandbox pays nobody and is refused in production"
            for gateway in found.gateways
            if gateway.get("kind") == "sandbox"
        )
    try:
        settings = Settings.model_validate({**found.values, "gateways": found.gateways})
    except ValidationError as error:
        problems += (
            sources.problem(detail, found.gateways, fields=fields, gateway_fields=gateway_fields)
            for detail in error.errors(include_url=False)
        )
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return settings
