"""Bugs that the machine must find: statements spoiled on their way to the database, as if written so."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import event

from refunds.store.database import Database
from tests.guarantees.machine.place import Planted

BUGS: Mapping[str, tuple[str, str, str]] = {
    "a new key while the outcome is unknown": (
        "generation = generation + v.new_key",
        "generation = generation + 1",
        "got a new key although",
    ),
    "a reservation released twice": (
        "reserved_minor = reserved_minor + v.reserved",
        "reserved_minor = reserved_minor + 2 * v.reserved",
        "",
    ),
}
"""What is wrong: the SQL as it is, as it then reads, and in which words it is found."""


def spoiled_by(bug: str) -> Planted:
    """Plants it in every statement of a database."""
    right, wrong, _ = BUGS[bug]

    def plant(database: Database) -> None:
        def spoil(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> tuple[str, Any]:
            return sql.replace(right, wrong), parameters

        event.listen(database.engine, "before_cursor_execute", spoil, retval=True)

    return plant
