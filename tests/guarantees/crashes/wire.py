"""The wire: every operation of a process on the outside passes it, is counted, and may be its last.

Operations are numbered from 1 in the order in which a life does them. A `Blow` names one of them: there the
process dies, before the operation or after it, or from there on everything of that kind fails.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg

from refunds.store.database import Database
from tests.guarantees.simulation.world import Died

Kind = Literal["statement", "commit", "ring", "gateway", "mail"]
Side = Literal["before", "after"]


class RingLostError(Exception):
    """Redis is away."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step outside. `one_sided`: there is no moment after it that is not before another."""

    kind: Kind
    name: str
    one_sided: bool = False


@dataclass(frozen=True, slots=True)
class Blow:
    """What befalls operation number `at`: the process dies there, or that kind of thing fails from it on."""

    at: int
    side: Side
    fails: bool = False

    def __str__(self) -> str:
        what = "fails from" if self.fails else "dies"
        return f"{what} {self.side} {self.at}"


@dataclass(slots=True)
class Wire:
    """Counts while `live`; `struck` is what the blow hit, once it has."""

    blow: Blow | None = None
    live: bool = False
    operations: list[Operation] = field(default_factory=list)
    failing: Kind | None = None
    struck: Operation | None = None

    def begins(self, kind: Kind, name: str, *, one_sided: bool = False) -> None:
        """An operation is about to be done. Raises Died, or what its kind raises when it fails."""
        if not self.live:
            return
        self.operations.append(Operation(kind, name, one_sided))
        if self.failing == kind:
            raise _failure(kind)
        if self.blow and self.blow.side == "before" and len(self.operations) == self.blow.at:
            self._strike(self.blow)

    def ended(self) -> None:
        """The operation that began last is done; nobody was told yet."""
        if not (self.live and self.blow and self.blow.side == "after"):
            return
        if self.struck is None and len(self.operations) == self.blow.at:
            self._strike(self.blow)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """What the test itself does is no operation."""
        live, self.live = self.live, False
        try:
            yield
        finally:
            self.live = live

    def _strike(self, blow: Blow) -> None:
        self.struck = self.operations[-1]
        if not blow.fails:
            raise Died
        self.failing = self.struck.kind
        raise _failure(self.failing)


def _failure(kind: Kind) -> Exception:
    match kind:
        case "statement" | "commit":
            return _DatabaseAwayError("the database is away")
        case "gateway":
            return ConnectionRefusedError("the gateway is away")
        case "mail":
            return ConnectionRefusedError("the mail server is away")
        case "ring":
            return RingLostError()


class _DatabaseAwayError(sqlite3.OperationalError, psycopg.OperationalError):
    """What either driver raises."""


def tap(database: Database, wire: "Tapped") -> None:
    """Lead every statement and commit of this database over the wire that stands in `wire` at the time."""
    dialect: Any = database.engine.dialect

    def statement(inner: Any) -> Any:
        def execute(cursor: Any, sql: str, *rest: Any, **named: Any) -> Any:
            wire.now.begins("statement", sql)
            done = inner(cursor, sql, *rest, **named)
            try:
                wire.now.ended()
            except Died:
                cursor.close()  # an open cursor would keep SQLite's connection, and its lock, alive
                raise
            return done

        return execute

    def commit(inner: Any) -> Any:
        def carry_out(connection: Any) -> Any:
            wire.now.begins("commit", "COMMIT")
            done = inner(connection)
            wire.now.ended()
            return done

        return carry_out

    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        setattr(dialect, name, statement(getattr(dialect, name)))
    dialect.do_commit = commit(dialect.do_commit)


@dataclass(slots=True)
class Tapped:
    """The wire of the life that is lived now."""

    now: Wire = field(default_factory=Wire)
