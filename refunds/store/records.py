"""Rows that only tell, beside a settlement: findings of look-ups, answers that came too late."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, literal, update

from refunds.domain.outcome import Finding, Outcome
from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.settled import Settled
from refunds.store.types import Instant


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


def keep_evidence(tx: Tx, late: Sequence[Settled], *, now: datetime) -> None:
    """What was learned and changes nothing is kept for people."""
    rows: list[dict[str, Any]] = []
    for item in late:
        learned = item.answer or item.found
        said = _said(item)
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


def ask_soon(tx: Tx, late: Sequence[Settled], *, now: datetime) -> None:
    """A late answer that may have paid brings the next look-up forward.

    Never the first one of a doubt, which waits for the call's end.
    """
    ids = [item.claim.refund_id for item in late if _said(item) in _MAY_HAVE_PAID]
    if not ids:
        return
    refunds = tables.refunds
    these = update(refunds).where(refunds.c.id.in_(ids))
    doubt = these.where(refunds.c.status.in_(("in_doubt", "submitted")), refunds.c.look_ups > 0)
    tx.execute(doubt.where(refunds.c.due_at > now).values(due_at=now))
    at_an_end = these.where(
        refunds.c.status.in_(("refunded", "failed", "needs_review", "cancelled", "refunded_externally"))
    )
    until = func.coalesce(refunds.c.watch_until, literal(now, Instant()), type_=Instant())
    tx.execute(at_an_end.values(watch_at=now, watch_until=until))


def _said(item: Settled) -> Outcome | Finding | None:
    return item.answer.outcome if item.answer else item.found.finding if item.found else None


_MAY_HAVE_PAID = {Outcome.REFUNDED, Outcome.ACCEPTED, Finding.REFUNDED, Finding.ACCEPTED}
_TELLING = {*_MAY_HAVE_PAID, Outcome.DECLINED, Finding.DECLINED}
