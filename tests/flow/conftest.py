import pytest

from tests.house_fixture import (
    bank,
    database,
    database_url,
    either_house,
    house,
    log,
    open_house,
    postgres_template,
    sqlite_template,
    sqlite_url,
)

__all__ = [
    "bank",
    "database",
    "database_url",
    "either_house",
    "house",
    "log",
    "open_house",
    "postgres_template",
    "sqlite_template",
    "sqlite_url",
]


@pytest.fixture(autouse=True)
def logged_quietly(log: list[object]) -> None:
    """Nothing is rendered."""
