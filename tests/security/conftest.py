import pytest

from tests.house_fixture import (
    bank,
    database,
    database_url,
    either_house,
    house,
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
    "open_house",
    "postgres_template",
    "sqlite_template",
    "sqlite_url",
]


@pytest.fixture(params=["json", "text"])
def log_format(request: pytest.FixtureRequest) -> str:
    """Both forms of the log."""
    return str(request.param)
