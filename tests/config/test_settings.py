"""Settings: the defaults, the gateways, what production refuses, and no secret shown."""

from datetime import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import GatewaySettings, Settings, load
from tests.config.complaints import SECRET, SHOP, problems


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
    assert (gateway.grade, gateway.max_in_flight, gateway.calls_per_second) == ("A", 64, None)
    assert settings.default_gateway == "sandbox"


def test_settings_cannot_be_changed() -> None:
    settings = load(environ={})
    with pytest.raises(ValidationError):
        settings.port = 1
    with pytest.raises(ValidationError):
        settings.gateways[0].max_in_flight = 1


def test_the_data_folder_decides_where_the_default_database_lies(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    settings = load(environ={"MONEYBACK_DATA_DIR": str(folder)})
    assert settings.data_dir == folder
    assert settings.database_url == f"sqlite:///{folder}/moneyback.db"


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


def test_a_gateway_may_stand_at_the_address_of_the_sandbox() -> None:
    Path("moneyback.toml").write_text(SHOP.replace("https://pay.example/", "http://127.0.0.1:8010"), "utf-8")
    settings = load(environ={})
    [gateway] = settings.gateways
    assert (gateway.name, gateway.base_url) == ("my-shop", settings.sandbox_url)


def test_a_gateway_built_by_hand_is_checked_too() -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(name="x", kind="sandbox", base_url="nowhere")


def test_production_has_no_gateway_by_itself_and_refuses_the_sandbox() -> None:
    settings = load(environ={"MONEYBACK_ENV": "production"})
    assert settings.gateways == ()
    assert settings.default_gateway is None
    [problem] = problems({"MONEYBACK_ENV": "production"}, SHOP)
    assert problem.startswith("[gateways.my-shop] kind: a sandbox pays nobody")


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
