"""Ticks and heartbeats: who is alive, and which scheduler took which tick."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, select, text

from refunds.store import tables
from refunds.store.database import Tx, insert_or_skip
from refunds.store.types import Instant


def take(tx: Tx, *, tick: str, slot: int, by: str, real: datetime) -> bool:
    """True for the one scheduler that takes this slot of this tick. Old slots are swept away."""
    ticks = tables.ticks
    row = {"tick": tick, "slot": slot, "at": real, "by": by}
    won = tx.execute(insert_or_skip(tx, ticks).returning(ticks.c.slot), [row]).first() is not None
    if won:
        tx.execute(delete(ticks).where(ticks.c.tick == tick, ticks.c.slot < slot - 100))
    return won


@dataclass(frozen=True, slots=True)
class Beat:
    """The last sign of life of a process."""

    process: str
    role: str
    host: str
    at: datetime


def beat(tx: Tx, *, process: str, role: str, host: str, real: datetime) -> None:
    """Write a sign of life; forget processes silent for a day."""
    tx.execute(
        text(
            """INSERT INTO heartbeats (process, role, host, at) VALUES (:process, :role, :host, :at)
            ON CONFLICT (process) DO UPDATE SET at = excluded.at""",
        ).bindparams(bindparam("at", real, type_=Instant())),
        {"process": process, "role": role, "host": host},
    )
    tx.execute(delete(tables.heartbeats).where(tables.heartbeats.c.at < real - timedelta(days=1)))


def gone(tx: Tx, *, process: str) -> None:
    """A process says goodbye."""
    tx.execute(delete(tables.heartbeats).where(tables.heartbeats.c.process == process))


def beats(tx: Tx) -> list[Beat]:
    """Signs of life, newest first."""
    heartbeats = tables.heartbeats
    rows = tx.execute(select(heartbeats).order_by(heartbeats.c.at.desc()))
    return [Beat(row.process, row.role, row.host, row.at) for row in rows]


def last_tick(tx: Tx) -> datetime | None:
    """When any scheduler last ticked."""
    last: datetime | None = tx.execute(select(func.max(tables.ticks.c.at, type_=Instant()))).scalar_one()
    return last
