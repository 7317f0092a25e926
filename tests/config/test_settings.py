"""Settings: sources, defaults, each kind of problem, all problems at once, and no secret shown."""

from collections.abc import Mapping
from datetime import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import GatewaySettings, Settings, SettingsError, load

SECRET = "hunter2hunter2"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No moneyback.toml of the developer is read."""
    monkeypatch.chdir(tmp_path)


def problems(environ: Mapping[str, str], toml: str = "") -> tuple[str, ...]:
    Path("moneyback.toml").write_text(toml, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(environ=environ)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return caught.value.problems


def test_nothing_set_gives_the_embedded_defaults() -> None:
    settings = load(environ={})
    assert settings.database_url == "sqlite:///moneyback-data/moneyback.db"
    assert settings.embedded_database
    assert settings.redis_url is None
    assert settings.smtp_url is None
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.notify_emails == ("oncall@localhost",)
    assert settings.notify_domains == ()
    assert (settings.timezone, settings.retry_at, settings.retry_days) == ("UTC", time(9), 3)
    assert (settings.lease_seconds, settings.call_limit_seconds, settings.poll_seconds) == (60, 20, 2)
    assert settings.shutdown_seconds == 25
    [gateway] = settings.gateways
    assert (gateway.name, gateway.kind, gateway.base_url) == ("sandbox", "sandbox", "http://127.0.0.1:8010")
    assert gateway.api_key is not None
    assert gateway.api_key.get_secret_value() == "sandbox"
    assert settings.default_gateway == "sandbox"


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


def test_settings_cannot_be_changed() -> None:
    settings = load(environ={})
    with pytest.raises(ValidationError):
        settings.port = 1
    with pytest.raises(ValidationError):
        settings.gateways[0].max_in_flight = 1


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "POSTGRES"])
def test_every_spelling_of_postgresql_becomes_psycopg(scheme: str) -> None:
    settings = load(environ={"DATABASE_URL": f"{scheme}://u:p%40@db.example:5432/m"})
    assert settings.database_url == "postgresql+psycopg://u:p%40@db.example:5432/m"
    assert not settings.embedded_database


def test_the_data_folder_decides_where_the_default_database_lies(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    settings = load(environ={"MONEYBACK_DATA_DIR": str(folder)})
    assert settings.data_dir == folder
    assert settings.database_url == f"sqlite:///{folder}/moneyback.db"


def test_lists_are_split_cleaned_and_each_kept_once() -> None:
    settings = load(
        environ={
            "MONEYBACK_NOTIFY_EMAILS": " a@B.example , oncall@localhost,a@b.example",
            "MONEYBACK_NOTIFY_DOMAINS": "Shop.Example, bücher.example",
        }
    )
    assert settings.notify_emails == ("a@b.example", "oncall@localhost")
    assert settings.notify_domains == ("shop.example", "xn--bcher-kva.example")


def test_a_url_loses_its_trailing_slash() -> None:
    assert load(environ={"MONEYBACK_PUBLIC_URL": "https://m.example/x/"}).public_url == "https://m.example/x"


BAD = {
    "DATABASE_URL": [
        "mysql://u@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "postgresql://u:a b@h/d",
        "x",
    ],
    "REDIS_URL": ["http://h", "redis://", "unix://"],
    "SMTP_URL": ["http://h", "smtp://", "file:", "smtp://h:port"],
    "PORT": ["http", "-1", "65536", "1.5"],
    "MONEYBACK_HOST": ["a b", "http://x/y"],
    "MONEYBACK_DATA_DIR": ["a?b"],
    "MONEYBACK_ENV": ["prod", "Production"],
    "MONEYBACK_NOTIFY_EMAILS": [
        "",
        " ",
        "a@b.example,",
        "a",
        "a@b",
        "A <a@b.example>",
        "a@b.example\nBcc: c@d.example",
        "a@b.example;c@d.example",
        "ä@b.example",
    ],
    "MONEYBACK_NOTIFY_DOMAINS": ["b", "a@b.example", "b.example,,c.example"],
    "MONEYBACK_MAIL_FROM": ["a@b.example,c@d.example", "a@b.example\r\nX: y"],
    "MONEYBACK_TIMEZONE": ["Europe", "Europe/Nowhere", "../UTC", "+01:00"],
    "MONEYBACK_RETRY_AT": ["9:00", "24:00", "09:00:00", "noon"],
    "MONEYBACK_RETRY_DAYS": ["-1", "31", "three"],
    "MONEYBACK_PUBLIC_URL": ["ftp://x", "https://", "https://u:p@x", "https://x?y=1", "https://x#y", "x"],
    "MONEYBACK_PERMANENT_FAILURES": ["never"],
    "MONEYBACK_WORKER_THREADS": ["0", "65"],
    "MONEYBACK_LOG_FORMAT": ["xml"],
    "MONEYBACK_LOG_LEVEL": ["loud"],
    "MONEYBACK_LEASE_SECONDS": ["0", "nan", "inf", "20"],
    "MONEYBACK_CALL_LIMIT_SECONDS": ["0", "25", "60", "nan"],
    "MONEYBACK_POLL_SECONDS": ["0", "-2"],
    "MONEYBACK_SANDBOX_URL": ["nowhere"],
    "MONEYBACK_DEFAULT_GATEWAY": ["stripe"],
}


@pytest.mark.parametrize(("variable", "value"), [(name, value) for name in BAD for value in BAD[name]])
def test_a_value_that_is_not_allowed_is_one_problem_that_names_its_variable(
    variable: str, value: str
) -> None:
    [problem] = problems({variable: value})
    blamed = {("MONEYBACK_LEASE_SECONDS", "20"): "MONEYBACK_CALL_LIMIT_SECONDS"}.get(
        (variable, value), variable
    )
    assert problem.startswith(f"{blamed} (toml: ")
    assert "; allowed: " in problem or "leave it out" in problem


def test_all_problems_are_told_at_once() -> None:
    environ = {name: values[-1] for name, values in BAD.items()} | {
        "MONEYBACK_LEASE_SECONDS": "30",
        "MONEYBACK_CALL_LIMIT_SECONDS": "40",
        "MONEYBACK_PROT": "1",
        "REDIS_URL_FILE": "nowhere",
    }
    found = problems(environ, 'colour = "red"\n[gateways.x]\nkind = "paypal"\napi_key = "k"\n')
    named = {problem.split(maxsplit=1)[0].rstrip(":") for problem in found}
    cannot_be_judged = {"MONEYBACK_DEFAULT_GATEWAY", "MONEYBACK_LEASE_SECONDS"}
    assert set(BAD) - cannot_be_judged <= named
    assert {"MONEYBACK_PROT", "'colour'", "[gateways.x]"} <= named
    assert len([problem for problem in found if problem.startswith("[gateways.x]")]) == 3


def test_an_unknown_variable_is_a_problem_with_the_nearest_name() -> None:
    assert problems({"MONEYBACK_RETRY_DAY": "3"}) == (
        "MONEYBACK_RETRY_DAY: unknown variable; did you mean MONEYBACK_RETRY_DAYS?",
    )
    assert problems({"MONEYBACK_PORT": "3"}) == ("MONEYBACK_PORT: unknown variable; did you mean PORT?",)


def test_foreign_variables_are_nobodys_business() -> None:
    load(environ={"PATH": "/bin", "MONEY": "1"})


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


SHOP = '[gateways.my-shop]\nkind = "sandbox"\nbase_url = "https://pay.example/"\ngrade = "B"\n'


def test_a_gateway_comes_from_its_table_and_its_key_from_the_environment() -> None:
    Path("moneyback.toml").write_text(SHOP, "utf-8")
    Path("key").write_text(f"{SECRET}\n", "utf-8")
    for environ in (
        {"MONEYBACK_GATEWAY_MY_SHOP_API_KEY": SECRET},
        {"MONEYBACK_GATEWAY_MY_SHOP_API_KEY_FILE": "key"},
    ):
        settings = load(environ=environ)
        [gateway] = settings.gateways
        assert (gateway.name, gateway.base_url, gateway.grade) == ("my-shop", "https://pay.example", "B")
        assert gateway.api_key is not None
        assert gateway.api_key.get_secret_value() == SECRET
        assert settings.default_gateway == "my-shop"


def test_of_two_gateways_none_is_the_default_until_one_is_named() -> None:
    Path("moneyback.toml").write_text(SHOP + SHOP.replace("my-shop", "other"), "utf-8")
    assert load(environ={}).default_gateway is None
    assert load(environ={"MONEYBACK_DEFAULT_GATEWAY": "other"}).default_gateway == "other"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (SHOP.replace("my-shop", "My"), "[gateways.My] name: 'My' cannot be used; allowed: [a-z]"),
        (SHOP.replace('"B"', '"E"'), "[gateways.my-shop] grade: 'E' cannot be used; allowed: A, B, C, D"),
        (SHOP.replace('= "sandbox"', '= "paypal"'), "[gateways.my-shop] kind: 'paypal' cannot be used"),
        ('[gateways.x]\nkind = "sandbox"', "[gateways.x] base_url: is missing"),
        (SHOP + "max_in_flight = 1001", "[gateways.my-shop] max_in_flight: 1001 cannot be used"),
        (SHOP + "calls_per_second = 0", "[gateways.my-shop] calls_per_second: 0 cannot be used"),
        (SHOP + "settling_seconds = -1", "[gateways.my-shop] settling_seconds: -1 cannot be used"),
        (SHOP + "settling_seconds = 604801", "[gateways.my-shop] settling_seconds: 604801 cannot be used"),
        (SHOP + "settling_seconds = nan", "[gateways.my-shop] settling_seconds: nan cannot be used"),
        (SHOP + "key_life_hours = true", "[gateways.my-shop] key_life_hours: is true or false"),
        (SHOP + 'graed = "A"', "[gateways.my-shop] 'graed': unknown key; did you mean grade?"),
        (SHOP + f'api_key = "{SECRET}"', "[gateways.my-shop] api_key: a key never stands in the file"),
        ("[gateways]\nx = 1", "[gateways.x]: is not a table"),
        (SHOP + SHOP.replace("-", "_"), "[gateways.my_shop]: shares MONEYBACK_GATEWAY_MY_SHOP_API_KEY"),
    ],
)
def test_a_fault_in_a_gateway_is_a_problem_that_names_it(toml: str, said: str) -> None:
    [problem] = problems({}, toml)
    assert problem.startswith(said)
    assert SECRET not in problem


def test_a_key_that_cannot_stand_in_a_header_is_a_problem_and_is_not_shown() -> None:
    [problem] = problems({"MONEYBACK_GATEWAY_MY_SHOP_API_KEY": f"{SECRET}\r\nX: y"}, SHOP)
    assert problem.startswith("MONEYBACK_GATEWAY_MY_SHOP_API_KEY: holds characters")
    assert SECRET not in problem
    [empty] = problems({"MONEYBACK_GATEWAY_MY_SHOP_API_KEY": ""}, SHOP)
    assert "is empty" in empty


def test_a_key_of_a_gateway_nobody_configured_is_a_problem() -> None:
    [problem] = problems({"MONEYBACK_GATEWAY_SHOP_API_KEY": SECRET}, SHOP)
    assert problem.endswith("unknown variable; did you mean MONEYBACK_GATEWAY_MY_SHOP_API_KEY?")


def test_production_has_no_gateway_by_itself_and_refuses_the_sandbox() -> None:
    settings = load(environ={"MONEYBACK_ENV": "production"})
    assert settings.gateways == ()
    assert settings.default_gateway is None
    [problem] = problems({"MONEYBACK_ENV": "production"}, SHOP)
    assert problem.startswith("[gateways.my-shop] kind: a sandbox pays nobody")


def test_a_problem_is_one_line_whatever_the_value() -> None:
    found = problems({"MONEYBACK_ENV": "a\nb\u2028c\x1b[31m", "MONEYBACK_X\nY": ""})
    assert len(found) == 2
    assert all(problem.isprintable() for problem in found)


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": f"mysql://u:{SECRET}@h/d"},
        {"DATABASE_URL": f"postgresql://u:{SECRET}/x@h/d"},
        {"REDIS_URL": f"http://:{SECRET}@h"},
        {"SMTP_URL": f"smtp://u:{SECRET} @h"},
        {"MONEYBACK_PUBLIC_URL": f"https://u:{SECRET}@h"},
        {"MONEYBACK_HOST": f"redis://u:{SECRET}@h"},
        {"MONEYBACK_ENV": "x" * 56 + f"redis://u:{SECRET}@h"},  # cut off in the middle
    ],
)
def test_a_problem_never_shows_a_password(environ: dict[str, str]) -> None:
    [problem] = problems(environ)
    assert SECRET[:4] not in problem


def test_neither_repr_nor_redacted_shows_a_secret() -> None:
    Path("moneyback.toml").write_text(SHOP, "utf-8")
    settings = load(
        environ={
            "DATABASE_URL": f"postgresql://u:{SECRET}@db.example/m?sslpassword={SECRET}",
            "REDIS_URL": f"rediss://:{SECRET}@r.example/0",
            "SMTP_URL": f"smtps://u:{SECRET}@s.example",
            "MONEYBACK_GATEWAY_MY_SHOP_API_KEY": SECRET,
        }
    )
    shown = settings.redacted()
    for text in (repr(settings), str(settings), repr(settings.gateways), repr(shown)):
        assert SECRET not in text
    assert shown["database_url"] == "postgresql+psycopg://u:***@db.example/m?sslpassword=***"
    assert shown["redis_url"] == "rediss://:***@r.example/0"
    assert shown["gateways"] == [
        {
            "name": "my-shop",
            "kind": "sandbox",
            "base_url": "https://pay.example",
            "grade": "B",
            "api_key": "***",
            "max_in_flight": 64,
            "calls_per_second": None,
            "settling_seconds": 60.0,
            "key_life_hours": 24.0,
        }
    ]
    assert set(shown) == set(Settings.model_fields)


def test_a_gateway_built_by_hand_is_checked_too() -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(name="x", kind="sandbox", base_url="nowhere")
