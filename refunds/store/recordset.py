"""Many rows as one parameter: a JSON array that either database reads as a table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from refunds.store.database import Tx
from refunds.store.statement import run
from refunds.store.types import instant_text


@dataclass(frozen=True, slots=True)
class Write:
    """One statement that reads its rows `FROM {source}` as `v`; `{among}` stands for `among` of `key`."""

    sql: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    key: str = ""

    def statement(self, dialect: str, rows: str) -> str:
        """The SQL, its rows in the parameter `rows`."""
        source = recordset(dialect, self.columns, rows=rows)
        return self.sql.format(source=source, among=among(dialect, self.key, rows=rows))


def write_all(tx: Tx, writes: Sequence[Write], **instants: datetime) -> None:
    """Carry out writes to different tables, on PostgreSQL in one statement: a round trip costs as much as it.

    None may read what another one writes.
    """
    numbered = {f"rows_{n}": write for n, write in enumerate(writes) if write.rows}
    rows = {name: as_rows(write.rows) for name, write in numbered.items()}
    dialect = tx.dialect.name
    if dialect == "sqlite":
        for name, write in numbered.items():
            _write(tx, write.statement(dialect, name), {name: rows[name]}, instants)
    elif numbered:
        parts = [f"write_{name} AS ({write.statement(dialect, name)})" for name, write in numbered.items()]
        _write(tx, f"WITH {', '.join(parts)} SELECT 1", rows, instants)


def _write(tx: Tx, sql: str, rows: Mapping[str, str], instants: Mapping[str, datetime]) -> None:
    run(tx, sql, rows, **{name: instant for name, instant in instants.items() if f":{name}" in sql})


def recordset(dialect: str, columns: Mapping[str, str], *, alias: str = "v", rows: str = "rows") -> str:
    """A FROM item `alias` over the bound parameter `rows`; `columns` maps names to PostgreSQL types."""
    if dialect == "sqlite":
        fields = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
        return f"(SELECT {fields} FROM json_each(:{rows})) AS {alias}"
    fields = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"jsonb_to_recordset(CAST(:{rows} AS jsonb)) AS {alias}({fields})"


def among(dialect: str, key: str, *, rows: str = "rows") -> str:
    """The condition that `key` is the id of one of the rows, beside the join that says so too.

    PostgreSQL takes every recordset for 100 rows and would read a whole small table to join it, and go on
    reading it with the plan it keeps while the table grows.
    """
    if dialect == "sqlite":
        return "TRUE"
    return f"{key} = ANY(ARRAY(SELECT jsonb_array_elements(CAST(:{rows} AS jsonb)) ->> 'id'))"


def as_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """The value of the parameter: times as sortable UTC text, everything else as JSON has it."""
    return json.dumps(rows, default=_plain, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return instant_text(value)
    raise TypeError(f"{type(value).__name__} has no place in a row")
