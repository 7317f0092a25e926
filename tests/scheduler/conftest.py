from tests.house_fixture import (
    bank,
    database_url,
    log,
    open_house,
    postgres_template,
    sqlite_template,
    sqlite_url,
)

__all__ = ["bank", "database_url", "log", "open_house", "postgres_template", "sqlite_template", "sqlite_url"]
