"""What a value must be: what is taken and how it is written down, what is refused and how that is told."""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from config.settings import load
from tests.config.complaints import SECRET, problems


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "POSTGRES"])
def test_every_spelling_of_postgresql_becomes_psycopg(scheme: str) -> None:
    settings = load(environ={"DATABASE_URL": f"{scheme}://u:p%40@db.example:5432/m"})
    assert settings.database_url == "postgresql+psycopg://u:p%40@db.example:5432/m"
    assert not settings.embedded_database


def test_a_url_loses_its_trailing_slash() -> None:
    assert load(environ={"MONEYBACK_PUBLIC_URL": "https://m.example/x/"}).public_url == "https://m.example/x"


def test_a_port_of_the_sandbox_may_be_left_to_the_system() -> None:
    loaded = load(environ={"MONEYBACK_SANDBOX_URL": "http://127.0.0.1:0"})
    assert loaded.sandbox_url == loaded.gateways[0].base_url == "http://127.0.0.1:0"


def test_lists_are_split_cleaned_and_each_kept_once() -> None:
    settings = load(
        environ={
            "MONEYBACK_NOTIFY_EMAILS": " a@B.example , oncall@localhost,a@b.example",
            "MONEYBACK_NOTIFY_DOMAINS": "Shop.Example, bücher.example",
        }
    )
    assert settings.notify_emails == ("a@b.example", "oncall@localhost")
    assert settings.notify_domains == ("shop.example", "xn--bcher-kva.example")


@pytest.mark.parametrize(
    "address",
    [
        "oncall@localhost",
        "oncall@mailhost",
        "oncall@shop.test",
        "oncall@shop.local",
        "oncall@shop.internal",
        "oncall@shop.invalid",
        "oncall@shop.onion",
        "o'n+c=all.x@a-b.c1",
        "oncall@xn--bcher-kva.local",
    ],
)
def test_an_address_of_any_domain_that_is_well_formed_is_taken(address: str) -> None:
    settings = load(environ={"MONEYBACK_NOTIFY_EMAILS": address, "MONEYBACK_MAIL_FROM": address})
    assert settings.notify_emails == (address,)
    assert settings.mail_from == address


def test_the_domain_of_an_address_is_written_in_lower_case_and_ascii() -> None:
    settings = load(environ={"MONEYBACK_MAIL_FROM": "Refunds@B\u00fccher.Local"})
    assert settings.mail_from == "Refunds@xn--bcher-kva.local"


@pytest.mark.parametrize("blank", [" ", "\t", "\r", "\n", "\0", "\x85", "\u2028", "\u200b"])
def test_an_address_in_the_file_is_taken_as_it_stands_and_may_hold_no_blank(blank: str) -> None:
    mark = f"\\u{ord(blank):04x}"
    for text in (f"{mark}a@shop.local", f"a{mark}@shop.local", f"a@{mark}shop.local", f"a@shop.local{mark}"):
        [problem] = problems({}, f'mail_from = "{text}"')
        assert problem.startswith("MONEYBACK_MAIL_FROM (toml: mail_from): ")


BAD: Final[Mapping[str, Sequence[str]]] = {
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
        "a@",
        "@b.example",
        "a@b.",
        "a@-b.example",
        "a@[127.0.0.1]",
        "a b@c.example",
        "a@b.example c@d.example",
        "a@b@c.example",
        "<a@b.example>",
        "A <a@b.example>",
        "a@b.example\nBcc: c@d.example",
        "a@localhost\r\nX: y",
        "a@b.local\0",
        "a\udc80@b.local",
        "a@b.example;c@d.example",
        "ä@b.example",
    ],
    "MONEYBACK_NOTIFY_DOMAINS": ["-b", "b_c", "a@b.example", "b.example,,c.example"],
    "MONEYBACK_MAIL_FROM": ["a@b.example,c@d.example", "a@b.example\r\nX: y"],
    "MONEYBACK_TIMEZONE": ["Europe", "Europe/Nowhere", "../UTC", "+01:00"],
    "MONEYBACK_RETRY_AT": ["9:00", "24:00", "09:00:00", "noon"],
    "MONEYBACK_RETRY_DAYS": ["-1", "31", "three"],
    "MONEYBACK_PUBLIC_URL": ["ftp://x", "https://", "https://u:p@x", "https://x?y=1", "https://x#y", "x"],
    "MONEYBACK_PERMANENT_FAILURES": ["never"],
    "MONEYBACK_WORKER_THREADS": ["0", "65"],
    "MONEYBACK_LOG_FORMAT": ["xml"],
    "MONEYBACK_LOG_LEVEL": ["loud"],
    "MONEYBACK_LEASE_SECONDS": ["0", "nan", "inf", "3601"],
    "MONEYBACK_CALL_LIMIT_SECONDS": ["0", "25", "30", "60", "nan"],
    "MONEYBACK_POLL_SECONDS": ["0", "-2"],
    "MONEYBACK_SANDBOX_URL": ["nowhere", "http://127.0.0.1:65536"],
    "MONEYBACK_DEFAULT_GATEWAY": ["stripe"],
}


@pytest.mark.parametrize(("variable", "value"), [(name, value) for name in BAD for value in BAD[name]])
def test_a_value_that_is_not_allowed_is_one_problem_that_names_its_variable(
    variable: str, value: str
) -> None:
    [problem] = problems({variable: value})
    assert problem.startswith(f"{variable} (toml: ")
    assert "; allowed: " in problem or "leave it out" in problem


@pytest.mark.parametrize(("lease", "limit"), [("40", "20"), ("20", "10.5"), ("20", "20")])
def test_a_call_limit_of_half_the_lease_or_more_is_a_problem_that_names_both(lease: str, limit: str) -> None:
    [problem] = problems({"MONEYBACK_LEASE_SECONDS": lease, "MONEYBACK_CALL_LIMIT_SECONDS": limit})
    assert problem == (
        f"MONEYBACK_CALL_LIMIT_SECONDS (toml: call_limit_seconds): {limit} s is not less than half of "
        f"MONEYBACK_LEASE_SECONDS ({lease} s); allowed: seconds above 0, up to 3600"
    )


def test_a_call_limit_just_under_half_the_lease_is_taken() -> None:
    settings = load(environ={"MONEYBACK_LEASE_SECONDS": "40", "MONEYBACK_CALL_LIMIT_SECONDS": "19.9"})
    assert (settings.lease_seconds, settings.call_limit_seconds) == (40, 19.9)


def test_all_problems_are_told_at_once() -> None:
    environ = {name: values[-1] for name, values in BAD.items()} | {
        "MONEYBACK_PROT": "1",
        "REDIS_URL_FILE": "nowhere",
    }
    found = problems(environ, 'colour = "red"\n[gateways.x]\nkind = "paypal"\napi_key = "k"\n')
    named = {problem.split(maxsplit=1)[0].rstrip(":") for problem in found}
    cannot_be_judged = {"MONEYBACK_DEFAULT_GATEWAY"}
    assert set(BAD) - cannot_be_judged <= named
    assert {"MONEYBACK_PROT", "'colour'", "[gateways.x]"} <= named
    assert len([problem for problem in found if problem.startswith("[gateways.x]")]) == 3


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
        {"MONEYBACK_MAIL_FROM": "x" * 56 + f"redis://u:{SECRET}@h"},
    ],
)
def test_a_problem_never_shows_a_password(environ: dict[str, str]) -> None:
    [problem] = problems(environ)
    assert SECRET[:4] not in problem
