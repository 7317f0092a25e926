import pytest

from tests.house_fixture import (
    bank,
    database,
    database_url,
    log,
    open_house,
    postgres_template,
    sqlite_template,
    sqlite_url,
)
from tests.store.till import till

__all__ = [
    "bank",
    "database",
    "database_url",
    "log",
    "open_house",
    "postgres_template",
    "sqlite_template",
    "sqlite_url",
    "till",
]


@pytest.fixture(autouse=True)
def logged_quietly(log: list[object]) -> None:
    """Nothing is rendered."""
