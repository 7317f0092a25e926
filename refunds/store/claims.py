"""Claims: who may work on which refund until when.

A claim takes the payment's slot, sets a lease, raises the fence, and writes the attempt row, all in one
transaction. Two claimers never hold the same refund, nor two refunds of one payment (design.md 6.2).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from refunds.store.claim import CLAIMED, OF_PAYMENT, TIMES, Claim, claim_of, read_claims
from refunds.store.database import Tx
from refunds.store.lanes import OPEN
from refunds.store.recordset import among, as_rows, recordset
from refunds.store.statement import read, run

_FREE = """SELECT r.id, r.payment_id, r.due_at, p.order_id, p.transaction_id, p.refunded_minor
    FROM refunds r JOIN payments p ON p.id = r.payment_id
    WHERE r.account = :account AND r.gateway = :gateway AND r.status = '{status}' AND r.due_at <= :now
      AND p.slot IS NULL AND p.excess_minor = 0
    ORDER BY r.due_at, r.id LIMIT :{limit}"""

_LIMITS = {"requested": "first", "queued": "again", "failed": "again"}
"""Whose places a status takes. A failed refund is due only where an operator asked for one more try."""

_TAKE = """SET prior = status, status = 'attempting', due_at = NULL, sending_at = NULL, claimed_at = :now,
    lease_until = :lease_until, fence = fence + 1, attempts = attempts + 1, updated_at = :now"""

_ATTEMPT = """INSERT INTO attempts (refund_id, number, fence, episode, extra, key, claimed_at, worker)
    SELECT id, attempts, fence, episode, extra, id || '-' || generation, :now, :worker FROM {claimed}"""

_HISTORY = """INSERT INTO history (refund_id, at, actor, old, new, why)
    SELECT id, :now, :worker, prior, 'attempting', 'claimed' FROM {claimed}"""


def _places(free: Mapping[str, str]) -> str:
    """The free refunds by status, sources in SQL, cut to the places that statuses share."""
    parts = [f"SELECT * FROM {source}" for status, source in free.items() if _LIMITS[status] == "first"]
    again = [f"SELECT * FROM {source}" for status, source in free.items() if _LIMITS[status] == "again"]
    if again:
        queue = f"SELECT * FROM ({' UNION ALL '.join(again)}) AS again ORDER BY due_at, id LIMIT :again"
        parts.append(f"SELECT * FROM ({queue}) AS shared")
    return " UNION ALL ".join(parts)


@cache
def _postgres_claim(statuses: tuple[str, ...]) -> str:
    """Only the statuses that are asked for: planning the others costs as much as the claim itself."""
    free = ",\n".join(
        f"free_{status} AS ({_FREE.format(status=status, limit=_LIMITS[status])}"
        " FOR UPDATE OF p, r SKIP LOCKED)"
        for status in statuses
    )
    places = _places({status: f"free_{status}" for status in statuses})
    return f"""WITH {free},
        pick AS (SELECT DISTINCT ON (payment_id) * FROM ({places}) AS free ORDER BY payment_id, due_at, id),
        slot AS (UPDATE payments SET slot = pick.id FROM pick WHERE payments.id = pick.payment_id
                 AND payments.id = ANY(ARRAY(SELECT payment_id FROM pick))),
        claimed AS (UPDATE refunds r {_TAKE} FROM pick WHERE r.id = pick.id
                    AND r.id = ANY(ARRAY(SELECT id FROM pick))
                    RETURNING {CLAIMED}, {", ".join(f"pick.{name}" for name in OF_PAYMENT)}),
        tried AS ({_ATTEMPT.format(claimed="claimed")}),
        told AS ({_HISTORY.format(claimed="claimed")})
        SELECT * FROM claimed"""


@cache
def _sqlite_slots() -> str:
    places = _places(
        {status: f"({_FREE.format(status=status, limit=limit)})" for status, limit in _LIMITS.items()}
    )
    return f"""UPDATE payments SET slot = pick.id FROM (
            SELECT id, payment_id, row_number() OVER (PARTITION BY payment_id ORDER BY due_at, id) AS nth
            FROM ({places})) AS pick
        WHERE payments.id = pick.payment_id AND pick.nth = 1 RETURNING slot"""


_THESE = "(SELECT r.* FROM refunds r JOIN json_each(:ids) ON json_each.value = r.id)"


def claim_due(
    tx: Tx,
    *,
    account: str,
    gateway: str,
    first: int,
    again: int,
    worker: str,
    now: datetime,
    lease_until: datetime,
) -> list[Claim]:
    """Claim up to `first` first attempts and `again` queued refunds of a lane that are due at `now`.

    `lease_until` is on the database's real clock. Rows locked by another claimer are passed over.
    """
    lane: dict[str, object] = {"account": account, "gateway": gateway, "first": first, "again": again}
    if tx.dialect.name == "postgresql":
        statuses = tuple(status for status, limit in _LIMITS.items() if lane[limit])
        if not statuses:
            return []
        parameters = lane | {"worker": worker}
        claimed = read(tx, _postgres_claim(statuses), TIMES, parameters, now=now, lease_until=lease_until)
        return [claim_of(row) for row in claimed.mappings()]
    ids = [row[0] for row in run(tx, _sqlite_slots(), lane, now=now)]
    if not ids:
        return []
    these: dict[str, object] = {"ids": json.dumps(ids)}
    take = f"UPDATE refunds {_TAKE} WHERE id IN (SELECT value FROM json_each(:ids))"
    run(tx, take, these, now=now, lease_until=lease_until)
    for insert in (_ATTEMPT, _HISTORY):
        run(tx, insert.format(claimed=_THESE), these | {"worker": worker}, now=now)
    return read_claims(tx, these, where="r.id IN (SELECT value FROM json_each(:ids))")


def claim_look_ups(
    tx: Tx,
    *,
    account: str,
    gateway: str,
    limit: int,
    now: datetime,
    real: datetime,
    lease_until: datetime,
) -> list[Claim]:
    """Lease refunds whose next look-up is due; status, attempt and times stay.

    Those in doubt or submitted come first, then those at their end that are watched.
    """
    skip = "FOR UPDATE SKIP LOCKED" if tx.dialect.name == "postgresql" else ""
    waiting = "status IN ('in_doubt', 'submitted') AND due_at <= :now ORDER BY due_at"
    watched = "watch_at <= :now AND due_at IS NULL AND status <> 'attempting' ORDER BY watch_at"
    ids: list[str] = []
    for due in (waiting, watched):
        if len(ids) < limit:
            taken = run(
                tx,
                f"""UPDATE refunds SET lease_until = :lease_until, fence = fence + 1 WHERE id IN (
                    SELECT id FROM refunds WHERE account = :account AND gateway = :gateway
                      AND (lease_until IS NULL OR lease_until < :real) AND {due}, id
                    LIMIT :limit {skip}) RETURNING id""",
                {"account": account, "gateway": gateway, "limit": limit - len(ids)},
                now=now,
                real=real,
                lease_until=lease_until,
            )
            ids += [row[0] for row in taken]
    if not ids:
        return []
    if skip:
        return read_claims(tx, {"ids": ids}, where="r.id = ANY(:ids)")
    return read_claims(tx, {"ids": json.dumps(ids)}, where="r.id IN (SELECT value FROM json_each(:ids))")


def mark_sending(
    tx: Tx,
    claims: Sequence[tuple[Claim, Mapping[str, object] | None]],
    *,
    now: datetime,
    lease_beyond: datetime,
) -> set[tuple[str, int]]:
    """Record that these calls are about to be written; returns (id, fence) of what may really be sent.

    Missing from the answer: whoever lost the lease, or whose lease ends before `lease_beyond` (real clock),
    and whatever belongs to a lane that is paused or closed by now.
    """
    rows = as_rows(
        [
            {
                "id": claim.refund_id,
                "fence": claim.fence,
                "number": claim.number,
                "asked": int(claim.look_first),
                "snapshot": None if snapshot is None else json.dumps(snapshot),
            }
            for claim, snapshot in claims
        ],
    )
    columns = {"id": "text", "fence": "bigint", "number": "integer", "asked": "integer", "snapshot": "text"}
    source, ours = recordset(tx.dialect.name, columns), among(tx.dialect.name, "refunds.id")
    marked = run(
        tx,
        f"""UPDATE refunds SET sending_at = :now, key_sent_at = COALESCE(key_sent_at, :now),
                look_first = false FROM {source}
            WHERE refunds.id = v.id AND refunds.fence = v.fence AND refunds.status = 'attempting'
              AND refunds.lease_until > :lease_beyond AND {ours} AND {OPEN}
              AND (NOT refunds.look_first OR v.asked = 1)
              AND EXISTS (SELECT 1 FROM payments p WHERE p.id = refunds.payment_id AND p.excess_minor = 0)
            RETURNING refunds.id, refunds.fence""",
        {"rows": rows},
        now=now,
        lease_beyond=lease_beyond,
    )
    ids = {(row.id, row.fence) for row in marked}
    snapshot = "CAST(v.snapshot AS jsonb)" if tx.dialect.name == "postgresql" else "v.snapshot"
    run(
        tx,
        f"""UPDATE attempts SET sending_at = :now, snapshot = {snapshot} FROM {source}
            WHERE attempts.refund_id = v.id AND attempts.number = v.number AND attempts.fence = v.fence
              AND {among(tx.dialect.name, "attempts.refund_id")}
              AND EXISTS (SELECT 1 FROM refunds r WHERE r.id = v.id AND r.fence = v.fence
                          AND r.sending_at = :now)""",
        {"rows": rows},
        now=now,
    )
    return ids
