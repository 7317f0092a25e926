"""Written-out SQL, made ready once: reading its text anew for every group costs as much as running it."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, TextClause, bindparam, text

from refunds.store.database import Tx
from refunds.store.types import Instant


def run(tx: Tx, sql: str, parameters: Mapping[str, object], /, **instants: datetime) -> CursorResult[Any]:
    """Execute `sql` with `instants` bound as the dialect's own times.

    The text is kept for the life of the process: it is one of a few and never holds a value.
    """
    return tx.execute(_ready(sql, tuple(instants)), {**parameters, **instants})


def read(
    tx: Tx, sql: str, times: tuple[str, ...], parameters: Mapping[str, object], /, **instants: datetime
) -> CursorResult[Any]:
    """As `run`; the columns named in `times` come back as aware times."""
    return tx.execute(_reading(sql, tuple(instants), times), {**parameters, **instants})


@cache
def _ready(sql: str, instants: tuple[str, ...]) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=Instant()) for name in instants))


@cache
def _reading(sql: str, instants: tuple[str, ...], times: tuple[str, ...]) -> Any:
    return _ready(sql, instants).columns(**{name: Instant() for name in times})
