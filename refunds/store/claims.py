"""Claims: who may work on which refund until when.

A claim takes the payment's slot, sets a lease, raises the fence, and writes the attempt row, all in one
transaction. Two claimers never hold the same refund, nor two refunds of one payment (design.md 6.2).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, text

from refunds.domain.judge import Standing
from refunds.domain.status import Kind, Status
from refunds.store.database import Tx
from refunds.store.recordset import among, as_rows, recordset
from refunds.store.statement import read, run
from refunds.store.types import Instant


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimed refund: everything the call and the verdict need. Times as in Standing."""

    refund_id: str
    payment_id: str
    account: str
    gateway: str
    kind: Kind
    status: Status
    prior: Status
    extra: bool
    fence: int
    number: int
    episode: int
    generation: int
    attempts_counted: int
    amount_minor: int
    currency: str
    order_id: str
    transaction_id: str
    reason: str | None
    claimed_at: datetime
    sending_at: datetime | None
    last_counted_at: datetime | None
    key_sent_at: datetime | None
    waiting_since: datetime | None
    absent_at: datetime | None
    deferrals: int
    look_ups: int

    @property
    def key(self) -> str:
        """The gateway's idempotency key: refund id and generation."""
        return f"{self.refund_id}-{self.generation}"

    def sent(self, at: datetime) -> "Claim":
        """The same claim once its sending was recorded."""
        return replace(self, sending_at=at, key_sent_at=self.key_sent_at or at)

    def standing(self) -> Standing:
        """What the rules look at."""
        return Standing(
            kind=self.kind,
            status=self.status,
            prior=self.prior,
            extra=self.extra,
            attempts_counted=self.attempts_counted,
            claimed_at=self.claimed_at,
            sending_at=self.sending_at,
            last_counted_at=self.last_counted_at,
            key_sent_at=self.key_sent_at,
            deferrals=self.deferrals,
            look_ups=self.look_ups,
            waiting_since=self.waiting_since,
            absent_at=self.absent_at,
        )


_CLAIMED = """r.id, r.payment_id, r.account, r.gateway, r.kind, r.status, r.prior, r.extra, r.fence,
    r.attempts, r.episode, r.generation, r.attempts_counted, r.amount_minor, r.currency, r.reason,
    r.claimed_at, r.sending_at, r.last_counted_at, r.key_sent_at, r.waiting_since, r.absent_at,
    r.deferrals, r.look_ups"""

_FREE = """SELECT r.id, r.payment_id, r.due_at, p.order_id, p.transaction_id
    FROM refunds r JOIN payments p ON p.id = r.payment_id
    WHERE r.account = :account AND r.gateway = :gateway AND r.status = '{status}' AND r.due_at <= :now
      AND p.slot IS NULL
    ORDER BY r.due_at, r.id LIMIT :{limit}"""

_LIMITS = {"requested": "first", "queued": "again", "failed": "again"}
"""Whose places a status takes. A failed refund is due only where an operator asked for one more try."""

_AT_ONCE = "attempts < :sent_below"

_TAKE = f"""SET prior = status, status = 'attempting', due_at = NULL, claimed_at = :now,
    sending_at = CASE WHEN {_AT_ONCE} THEN :now END,
    key_sent_at = CASE WHEN {_AT_ONCE} THEN COALESCE(key_sent_at, :now) ELSE key_sent_at END,
    lease_until = :lease_until, fence = fence + 1, attempts = attempts + 1, updated_at = :now"""

_ATTEMPT = """INSERT INTO attempts
        (refund_id, number, fence, episode, extra, key, claimed_at, sending_at, worker)
    SELECT id, attempts, fence, episode, extra, id || '-' || generation, :now, sending_at, :worker
    FROM {claimed}"""

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
                    RETURNING {_CLAIMED}, pick.order_id, pick.transaction_id),
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
_TIMES = (
    "claimed_at",
    "sending_at",
    "last_counted_at",
    "key_sent_at",
    "waiting_since",
    "absent_at",
)


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
    sent_below: int = 0,
) -> list[Claim]:
    """Claim up to `first` first attempts and `again` queued refunds of a lane that are due at `now`.

    Refunds with fewer than `sent_below` attempts so far are recorded as being sent at once, which saves
    `mark_sending`: for callers that send them as soon as this is committed, under the lease of the claim.
    `lease_until` is on the database's real clock. Rows locked by another claimer are passed over.
    """
    lane: dict[str, object] = {"account": account, "gateway": gateway, "first": first, "again": again}
    taking: dict[str, object] = {"sent_below": sent_below}
    if tx.dialect.name == "postgresql":
        statuses = tuple(status for status, limit in _LIMITS.items() if lane[limit])
        if not statuses:
            return []
        parameters = lane | taking | {"worker": worker}
        claimed = read(tx, _postgres_claim(statuses), _TIMES, parameters, now=now, lease_until=lease_until)
        return [_claim(row) for row in claimed.mappings()]
    ids = [row[0] for row in run(tx, _sqlite_slots(), lane, now=now)]
    if not ids:
        return []
    these: dict[str, object] = {"ids": json.dumps(ids)}
    take = f"UPDATE refunds {_TAKE} WHERE id IN (SELECT value FROM json_each(:ids))"
    run(tx, take, these | taking, now=now, lease_until=lease_until)
    for insert in (_ATTEMPT, _HISTORY):
        run(tx, insert.format(claimed=_THESE), these | {"worker": worker}, now=now)
    return _read_claims(tx, these, where="r.id IN (SELECT value FROM json_each(:ids))")


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
    """Lease refunds in doubt or submitted whose next look-up is due; status, attempt and times stay."""
    skip = "FOR UPDATE SKIP LOCKED" if tx.dialect.name == "postgresql" else ""
    taken = run(
        tx,
        f"""UPDATE refunds SET lease_until = :lease_until, fence = fence + 1 WHERE id IN (
            SELECT id FROM refunds WHERE account = :account AND gateway = :gateway
              AND status IN ('in_doubt', 'submitted') AND due_at <= :now
              AND (lease_until IS NULL OR lease_until < :real)
            ORDER BY due_at, id LIMIT :limit {skip}) RETURNING id""",
        {"account": account, "gateway": gateway, "limit": limit},
        now=now,
        real=real,
        lease_until=lease_until,
    )
    ids = [row[0] for row in taken]
    if not ids:
        return []
    if skip:
        return _read_claims(tx, {"ids": ids}, where="r.id = ANY(:ids)")
    return _read_claims(tx, {"ids": json.dumps(ids)}, where="r.id IN (SELECT value FROM json_each(:ids))")


def mark_sending(
    tx: Tx,
    claims: Sequence[tuple[Claim, Mapping[str, object] | None]],
    *,
    now: datetime,
    lease_beyond: datetime,
) -> set[str]:
    """Record that these calls are about to be written; returns the ids that may really be sent.

    Missing from the answer: whoever lost the lease, or whose lease ends before `lease_beyond` (real clock).
    """
    rows = as_rows(
        [
            {
                "id": claim.refund_id,
                "fence": claim.fence,
                "number": claim.number,
                "snapshot": None if snapshot is None else json.dumps(snapshot),
            }
            for claim, snapshot in claims
        ],
    )
    columns = {"id": "text", "fence": "bigint", "number": "integer", "snapshot": "text"}
    source, ours = recordset(tx.dialect.name, columns), among(tx.dialect.name, "refunds.id")
    marked = run(
        tx,
        f"""UPDATE refunds SET sending_at = :now, key_sent_at = COALESCE(key_sent_at, :now) FROM {source}
            WHERE refunds.id = v.id AND refunds.fence = v.fence AND refunds.status = 'attempting'
              AND refunds.lease_until > :lease_beyond AND {ours} RETURNING refunds.id""",
        {"rows": rows},
        now=now,
        lease_beyond=lease_beyond,
    )
    ids = {row[0] for row in marked}
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


def hand_back(tx: Tx, claims: Sequence[Claim], *, worker: str, now: datetime) -> set[str]:
    """Give claims back that were never sent: as if not claimed, due at once. Returns the ids given back."""
    rows = as_rows([{"id": claim.refund_id, "fence": claim.fence} for claim in claims])
    source = recordset(tx.dialect.name, {"id": "text", "fence": "bigint"})
    condition = f"EXISTS (SELECT 1 FROM {source} WHERE refunds.id = v.id AND refunds.fence = v.fence)"
    return set(_give_back(tx, condition, {"rows": rows}, worker=worker, now=now, why="handed back unsent"))


def take_over_unsent(tx: Tx, *, real: datetime, now: datetime, worker: str) -> list[str]:
    """Free claims whose lease ran out before sending began: nothing was sent, they are due at once."""
    # The lease is asked again outside: by the time a row's lock is had, another may have claimed it anew.
    condition = """refunds.lease_until < :real AND refunds.id IN (SELECT id FROM refunds
        WHERE lease_until < :real AND status = 'attempting' AND sending_at IS NULL
        ORDER BY payment_id LIMIT 500)"""
    why = "the lease ran out before sending began"
    return _give_back(tx, condition, {}, worker=worker, now=now, why=why, real=real)


def expired_in_sending(tx: Tx, *, real: datetime, limit: int = 500) -> list[Claim]:
    """Claims whose lease ran out after sending began: their outcome is unknown."""
    where = "r.lease_until < :real AND r.status = 'attempting' AND r.sending_at IS NOT NULL"
    return _read_claims(tx, {"limit": limit}, where=f"{where} ORDER BY r.payment_id LIMIT :limit", real=real)


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
            updated_at = :now WHERE refunds.status = 'attempting' AND refunds.sending_at IS NULL
            AND {condition} RETURNING id, payment_id, prior""",
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


def _read_claims(tx: Tx, parameters: Mapping[str, object], *, where: str, **times: datetime) -> list[Claim]:
    sql = f"""SELECT {_CLAIMED}, p.order_id, p.transaction_id
        FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE {where}"""
    return [_claim(row) for row in read(tx, sql, _TIMES, parameters, **times).mappings()]


def _claim(row: Any) -> Claim:
    return Claim(
        refund_id=row["id"],
        payment_id=row["payment_id"],
        account=row["account"],
        gateway=row["gateway"],
        kind=Kind(row["kind"]),
        status=Status(row["status"]),
        prior=Status(row["prior"]),
        extra=bool(row["extra"]),
        fence=row["fence"],
        number=row["attempts"],
        episode=row["episode"],
        generation=row["generation"],
        attempts_counted=row["attempts_counted"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        order_id=row["order_id"],
        transaction_id=row["transaction_id"],
        reason=row["reason"],
        claimed_at=row["claimed_at"],
        sending_at=row["sending_at"],
        last_counted_at=row["last_counted_at"],
        key_sent_at=row["key_sent_at"],
        waiting_since=row["waiting_since"],
        absent_at=row["absent_at"],
        deferrals=row["deferrals"],
        look_ups=row["look_ups"],
    )
