"""Many rows as one parameter: a JSON array that either database reads as a table."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from refunds.store.types import instant_text


def recordset(dialect: str, columns: Mapping[str, str], *, alias: str = "v") -> str:
    """A FROM item `alias` over the bound parameter `:rows`; `columns` maps names to PostgreSQL types."""
    if dialect == "sqlite":
        fields = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
        return f"(SELECT {fields} FROM json_each(:rows)) AS {alias}"
    fields = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS {alias}({fields})"


def as_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """The value of `:rows`: times as sortable UTC text, everything else as JSON has it."""
    return json.dumps(rows, default=_plain, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return instant_text(value)
    raise TypeError(f"{type(value).__name__} has no place in a row")
