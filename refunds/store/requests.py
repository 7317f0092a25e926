"""Intake's rows: idempotency keys, new refunds, parked messages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, text, tuple_

from refunds.store import tables
from refunds.store.database import Tx, insert_or_skip
from refunds.store.types import Instant


@dataclass(frozen=True, slots=True)
class Logged:
    """What a key stands for: a refund, or a kept refusal."""

    body_hash: str
    refund_id: str | None
    problem: dict[str, Any] | None


def take_keys(
    tx: Tx, keys: Iterable[tuple[str, str, str]], *, now: datetime
) -> dict[tuple[str, str], Logged]:
    """Claim idempotency keys (caller, key, body hash); returns what the ones already taken stand for.

    A key that another open transaction is taking is waited for.
    """
    log = tables.intake_log
    rows = [
        {"caller": caller, "key": key, "body_hash": digest, "at": now}
        for caller, key, digest in sorted(set(keys))
    ]
    taken: dict[tuple[str, str], Logged] = {}
    added = {
        (row[0], row[1])
        for row in tx.execute(insert_or_skip(tx, log).returning(log.c.caller, log.c.key), rows)
    }
    old = [(row["caller"], row["key"]) for row in rows if (row["caller"], row["key"]) not in added]
    for start in range(0, len(old), 200):
        some = select(log).where(tuple_(log.c.caller, log.c.key).in_(old[start : start + 200]))
        for row in tx.execute(some):
            taken[row.caller, row.key] = Logged(row.body_hash, row.refund_id, row.problem)
    return taken


def answer_keys(tx: Tx, answers: Sequence[Mapping[str, Any]]) -> None:
    """Write what each key (caller, key) stands for: refund_id, or problem."""
    log = tables.intake_log
    if answers:
        tx.execute(
            text(
                """UPDATE intake_log SET refund_id = :refund_id, problem = :problem
                WHERE caller = :caller AND key = :key""",
            ).bindparams(bindparam("problem", type_=log.c.problem.type)),
            list(answers),
        )


def forget_keys(tx: Tx, keys: Sequence[tuple[str, str]]) -> None:
    """Leave nothing behind of refused requests whose refusal is not to be kept."""
    log = tables.intake_log
    for start in range(0, len(keys), 200):
        tx.execute(delete(log).where(tuple_(log.c.caller, log.c.key).in_(list(keys[start : start + 200]))))


def add_refunds(tx: Tx, rows: Sequence[Mapping[str, Any]], *, actor_why: str) -> None:
    """Insert accepted refunds with their first line of history."""
    if not rows:
        return
    tx.execute(insert(tables.refunds), list(rows))
    tx.execute(
        insert(tables.history),
        [
            {
                "refund_id": row["id"],
                "at": row["created_at"],
                "actor": row["requested_by"],
                "old": None,
                "new": row["status"],
                "why": actor_why,
            }
            for row in rows
        ],
    )


def release_batch(tx: Tx, ids: Sequence[str], *, now: datetime) -> None:
    """Make refunds of a batch due that were taken in but held back until the whole batch was in."""
    tx.execute(
        text(
            """UPDATE refunds SET due_at = :now WHERE id = :id AND status = 'requested' AND due_at > :now
            AND attempts = 0""",
        ).bindparams(bindparam("now", type_=Instant())),
        [{"id": id_, "now": now} for id_ in ids],
    )


def park(tx: Tx, *, digest: str, source: str, raw: str, why: str, now: datetime) -> bool:
    """Keep a message that could not be taken; False if the very same one is parked already."""
    row = {"hash": digest, "source": source, "raw": raw, "why": why, "at": now}
    return bool(
        tx.execute(insert_or_skip(tx, tables.parked).returning(tables.parked.c.hash), [row]).first(),
    )


def list_parked(tx: Tx, *, limit: int) -> list[dict[str, Any]]:
    """Parked messages, newest first."""
    parked = tables.parked
    return [
        dict(row) for row in tx.execute(select(parked).order_by(parked.c.at.desc()).limit(limit)).mappings()
    ]
