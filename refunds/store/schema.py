"""The schema's version: upgraded by Alembic, under a lock on PostgreSQL, safe to run again at any moment."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from refunds.store.database import Database

_LOCK = 0x6D6F6E65


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Where the database is and where this version wants it."""

    current: str | None
    wanted: str

    @property
    def up_to_date(self) -> bool:
        """Whether nothing is to be done."""
        return self.current == self.wanted


def status(database: Database) -> SchemaStatus:
    """Read the version. Raises DatabaseUnavailableError."""
    wanted = ScriptDirectory.from_config(_config()).get_current_head() or ""
    with database.read() as tx:
        return SchemaStatus(MigrationContext.configure(tx).get_current_revision(), wanted)


def upgrade(database: Database) -> SchemaStatus:
    """Bring the database to this version; a second process that does the same waits and finds it done."""
    with database.begin() as tx:
        if not database.sqlite:
            tx.execute(text("SET LOCAL lock_timeout = 0"))
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = _config()
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
    return status(database)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
