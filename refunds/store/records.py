"""Rows that only tell, beside a settlement: findings of look-ups, notices, answers that came too late."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert
from ulid import ULID

from refunds.domain.outcome import Finding, Outcome
from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.settled import Settled


def insert_findings(tx: Tx, booked: Sequence[Settled], *, now: datetime) -> None:
    """What look-ups found."""
    rows = [
        {
            "refund_id": item.claim.refund_id,
            "at": now,
            "finding": item.found.finding,
            "code": item.found.code,
            "text": item.found.text,
            "duration_ms": item.found.duration_ms,
        }
        for item in booked
        if item.found
    ]
    if rows:
        tx.execute(insert(tables.look_ups), rows)


def insert_notices(tx: Tx, booked: Sequence[Settled], *, now: datetime) -> None:
    """A notice for each address that a verdict tells, in the outbox from this commit on."""
    rows = [
        {
            "id": f"nt_{ULID()}",
            "refund_id": item.claim.refund_id,
            "episode": item.claim.episode,
            "kind": kind,
            "occurrence": item.claim.fence,
            "address": recipient.address,
            "why": recipient.why,
            "decided_at": now,
            "status": "pending",
            "due_at": now,
        }
        for item in booked
        for kind in item.verdict.notices
        for recipient in item.recipients
    ]
    if rows:
        tx.execute(insert(tables.notices), rows)


def keep_evidence(tx: Tx, late: Sequence[Settled], *, now: datetime) -> None:
    """A late answer changes nothing, but what it says is kept for the look-up and for people."""
    rows = []
    for item in late:
        learned = item.answer or item.found
        said = item.answer.outcome if item.answer else item.found.finding if item.found else None
        if learned is not None and said in _TELLING:
            content = {
                "attempt": item.claim.number,
                "outcome": said,
                "code": learned.code,
                "reference": learned.reference,
            }
            row = {"refund_id": item.claim.refund_id, "at": now, "source": "late_answer", "content": content}
            rows.append(row)
    if rows:
        tx.execute(insert(tables.evidence), rows)


_TELLING = {
    *(Outcome.REFUNDED, Outcome.ACCEPTED, Outcome.DECLINED),
    *(Finding.REFUNDED, Finding.ACCEPTED, Finding.DECLINED),
}
