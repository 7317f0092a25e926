"""Leases that end: claims given back unsent, and those whose sending began and was never heard of."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, text

from refunds.store import tables
from refunds.store.claim import Claim, read_claims
from refunds.store.database import Tx
from refunds.store.recordset import as_rows, recordset
from refunds.store.statement import run
from refunds.store.types import Instant


def hand_back(tx: Tx, claims: Sequence[Claim], *, worker: str, now: datetime) -> set[str]:
    """Give claims back that were never sent: as if not claimed, due at once. Returns the ids given back."""
    rows = as_rows([{"id": claim.refund_id, "fence": claim.fence} for claim in claims])
    source = recordset(tx.dialect.name, {"id": "text", "fence": "bigint"})
    condition = f"EXISTS (SELECT 1 FROM {source} WHERE refunds.id = v.id AND refunds.fence = v.fence)"
    given = _give_back(
        tx, condition, {"rows": rows, "lost": 0}, worker=worker, now=now, why="handed back unsent"
    )
    return set(given)


def take_over_unsent(tx: Tx, *, real: datetime, now: datetime, worker: str) -> list[str]:
    """Free claims whose lease ran out before sending began: nothing was sent, they are due at once."""
    # The lease is asked again outside: by the time a row's lock is had, another may have claimed it anew.
    condition = """refunds.lease_until < :real AND refunds.id IN (SELECT id FROM refunds
        WHERE lease_until < :real AND status = 'attempting' AND sending_at IS NULL
        ORDER BY payment_id LIMIT 500)"""
    why = "the lease ran out before sending began"
    return _give_back(tx, condition, {"lost": 1}, worker=worker, now=now, why=why, real=real)


def often_lost(tx: Tx, ids: Sequence[str], *, limit: int) -> list[str]:
    """Which of these refunds lost their lease so often in a row, without any outcome."""
    refunds = tables.refunds
    rows = tx.execute(select(refunds.c.id).where(refunds.c.id.in_(list(ids)), refunds.c.lost_leases >= limit))
    return [row[0] for row in rows]


def expired_in_sending(tx: Tx, *, real: datetime, gateways: Sequence[str], limit: int = 500) -> list[Claim]:
    """Claims of these gateways whose lease ran out after sending began: their outcome is unknown."""
    where = """r.lease_until < :real AND r.status = 'attempting' AND r.sending_at IS NOT NULL
        AND r.gateway IN :gateways ORDER BY r.payment_id LIMIT :limit"""
    names = json.dumps(list(gateways))
    known = "SELECT value FROM json_each(:gateways)"
    if tx.dialect.name == "postgresql":
        known = "SELECT jsonb_array_elements_text(CAST(:gateways AS jsonb))"
    where = where.replace(":gateways", f"({known})")
    return read_claims(tx, {"limit": limit, "gateways": names}, where=where, real=real)


def _give_back(
    tx: Tx,
    condition: str,
    parameters: Mapping[str, object],
    *,
    worker: str,
    now: datetime,
    why: str,
    **times: datetime,
) -> list[str]:
    given = run(
        tx,
        f"""UPDATE refunds SET status = prior, due_at = :now, lease_until = NULL, fence = fence + 1,
            lost_leases = lost_leases + :lost, updated_at = :now
            WHERE refunds.status = 'attempting' AND refunds.sending_at IS NULL AND {condition}
            RETURNING id, payment_id, prior""",
        parameters,
        now=now,
        **times,
    ).all()
    if given:
        tx.execute(
            text("UPDATE payments SET slot = NULL WHERE id = :payment_id AND slot = :id"),
            [{"id": row.id, "payment_id": row.payment_id} for row in given],
        )
        tx.execute(
            text(
                """INSERT INTO history (refund_id, at, actor, old, new, why)
                VALUES (:id, :now, :worker, 'attempting', :prior, :why)""",
            ).bindparams(bindparam("now", type_=Instant())),
            [{"id": row.id, "now": now, "worker": worker, "prior": row.prior, "why": why} for row in given],
        )
    return [row.id for row in given]
