"""Settlement of a group: every consequence of many verdicts in one transaction.

The fenced update of the refunds comes first; everything else joins the ids that came back, so a worker
that lost its lease changes no status and no sum (design.md 7).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from refunds.domain.judge import Reservation
from refunds.domain.status import Status, check_transition
from refunds.store import notices, records
from refunds.store.database import Tx
from refunds.store.notices import Told
from refunds.store.recordset import Write, among, as_rows, recordset, write_all
from refunds.store.settled import Recipient, Settled
from refunds.store.statement import run
from refunds.store.sums import move_money

_WAITING = {Status.IN_DOUBT, Status.SUBMITTED}


class BrokenSumError(Exception):
    """Booking would break a constraint on the payment's sums; nothing was committed."""


def settle_group(tx: Tx, group: Sequence[Settled], *, worker: str, now: datetime) -> set[str]:
    """Book a group; returns the ids that were booked. The others had lost their lease and changed nothing.

    Raises IllegalTransitionError before anything is written, BrokenSumError when a sum would break.
    """
    for item in group:
        if item.verdict.status is not item.claim.status:
            check_transition(item.claim.status, item.verdict.status)
    try:
        _lock_payments(tx, {item.claim.payment_id for item in group})
        held = _update_refunds(tx, [item for item in group if not item.verdict.unmoved], now=now)
        held |= _go_on_watching(tx, [item for item in group if item.verdict.unmoved])
        # By the fence too: a worker that was frozen may bring a stale claim beside the current one.
        booked = [item for item in group if (item.claim.refund_id, item.claim.fence) in held]
        late = [item for item in group if (item.claim.refund_id, item.claim.fence) not in held]
        records.keep_evidence(tx, late, now=now)
        records.ask_soon(tx, late, now=now)
        if booked:
            payments = move_money([item for item in booked if not item.verdict.unmoved])
            write_all(tx, [_attempts(booked), payments, _history(booked, worker=worker)], now=now)
            records.insert_findings(tx, booked, now=now)
            notices.add(tx, _told(booked), now=now)
    except IntegrityError as error:
        raise BrokenSumError(str(error.orig)) from error
    return {item.claim.refund_id for item in booked}


def _told(booked: Sequence[Settled]) -> Iterator[tuple[Told, Sequence[Recipient]]]:
    for item in booked:
        for kind in item.verdict.notices:
            claim = item.claim
            yield Told(claim.refund_id, claim.episode, kind, claim.fence), item.recipients


def _lock_payments(tx: Tx, ids: Iterable[str]) -> None:
    if tx.dialect.name == "postgresql":
        tx.execute(
            text("SELECT 1 FROM payments WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"),
            {"ids": sorted(ids)},
        )


_REFUND = {
    "id": "text",
    "fence": "bigint",
    "old": "text",
    "status": "text",
    "wait": "text",
    "due_at": "timestamptz",
    "counted": "integer",
    "new_key": "integer",
    "deferrals": "integer",
    "look_ups": "integer",
    "absent_at": "timestamptz",
    "waiting_since": "timestamptz",
    "keep_extra": "integer",
    "new_episode": "integer",
    "watch_at": "timestamptz",
    "watch_until": "timestamptz",
    "reference": "text",
    "failed": "integer",
    "code": "text",
    "text": "text",
}


# What was taken back begins anew on the date after this one, as if it had been tried today.
def _update_refunds(tx: Tx, group: Sequence[Settled], *, now: datetime) -> set[tuple[str, int]]:
    if not group:
        return set()
    source, ours = recordset(tx.dialect.name, _REFUND), among(tx.dialect.name, "refunds.id")
    updated = run(
        tx,
        f"""UPDATE refunds SET status = v.status, wait = v.wait, due_at = v.due_at, lease_until = NULL,
                episode = episode + v.new_episode,
                attempts_counted =
                    CASE WHEN v.new_episode = 1 THEN 0 ELSE attempts_counted + v.counted END,
                last_counted_at = CASE WHEN v.new_episode = 1 THEN :now
                    WHEN v.counted = 1 THEN claimed_at ELSE last_counted_at END,
                generation = generation + v.new_key,
                key_sent_at = CASE WHEN v.new_key = 1 THEN NULL ELSE key_sent_at END,
                extra = CASE WHEN v.keep_extra = 1 THEN extra ELSE false END,
                deferrals = v.deferrals, look_ups = v.look_ups, absent_at = v.absent_at,
                waiting_since = v.waiting_since, lost_leases = 0,
                watch_at = v.watch_at, watch_until = v.watch_until,
                told_at = CASE WHEN v.counted = 1 OR v.new_episode = 1 THEN NULL ELSE told_at END,
                gateway_reference = COALESCE(v.reference, gateway_reference),
                failure_code = CASE WHEN v.failed = 1 THEN v.code ELSE failure_code END,
                failure_text = CASE WHEN v.failed = 1 THEN v.text ELSE failure_text END,
                failure_at = CASE WHEN v.failed = 1 THEN :now ELSE failure_at END,
                updated_at = :now
            FROM {source}
            WHERE refunds.id = v.id AND refunds.fence = v.fence AND refunds.status = v.old AND {ours}
            RETURNING refunds.id, refunds.fence""",
        {"rows": as_rows([_refund_row(item, now=now) for item in group])},
        now=now,
    )
    return {(row.id, row.fence) for row in updated}


def _go_on_watching(tx: Tx, group: Sequence[Settled]) -> set[tuple[str, int]]:
    """Of refunds at their end, nothing moves but when they are asked about again."""
    if not group:
        return set()
    columns = {"id": "text", "fence": "bigint", "look_ups": "integer", "watch_at": "timestamptz"}
    rows = [
        {
            "id": item.claim.refund_id,
            "fence": item.claim.fence,
            "look_ups": item.verdict.look_ups,
            "watch_at": item.verdict.watch_at,
        }
        for item in group
    ]
    source, ours = recordset(tx.dialect.name, columns), among(tx.dialect.name, "refunds.id")
    kept = run(
        tx,
        f"""UPDATE refunds SET lease_until = NULL, look_ups = v.look_ups, watch_at = v.watch_at FROM {source}
            WHERE refunds.id = v.id AND refunds.fence = v.fence AND {ours}
            RETURNING refunds.id, refunds.fence""",
        {"rows": as_rows(rows)},
    )
    return {(row.id, row.fence) for row in kept}


def _refund_row(item: Settled, *, now: datetime) -> dict[str, Any]:
    claim, verdict = item.claim, item.verdict
    told = item.answer or item.found
    waits = verdict.status in _WAITING
    same = verdict.status is claim.status
    paid = verdict.reservation is Reservation.BOOK or verdict.status is Status.SUBMITTED
    return {
        "id": claim.refund_id,
        "fence": claim.fence,
        "old": claim.status,
        "status": verdict.status,
        "wait": verdict.wait,
        "due_at": verdict.due_at,
        "counted": int(verdict.counted),
        "new_key": int(verdict.new_key),
        "deferrals": verdict.deferrals,
        "look_ups": verdict.look_ups,
        "absent_at": verdict.absent_at,
        "waiting_since": (claim.waiting_since if same else now) if waits else None,
        "keep_extra": int(waits or verdict.keep_extra),
        "new_episode": int(verdict.new_episode),
        "watch_at": verdict.watch_at,
        "watch_until": verdict.watch_until,
        "reference": told.reference if told else None,
        "failed": int(not paid and not (same and waits)),
        "code": (told.code if told else None) or verdict.why[:100],
        "text": told.text if told else "",
    }


_ATTEMPT = {
    "id": "text",
    "number": "integer",
    "counted_number": "integer",
    "answered": "integer",
    "outcome": "text",
    "code": "text",
    "text": "text",
    "request_id": "text",
    "http_status": "integer",
    "duration_ms": "integer",
}


def _attempts(booked: Sequence[Settled]) -> Write:
    return Write(
        """UPDATE attempts SET
            counted_number = COALESCE(v.counted_number, attempts.counted_number),
            finished_at = CASE WHEN v.answered = 1 THEN :now ELSE attempts.finished_at END,
            outcome = CASE WHEN v.answered = 1 THEN v.outcome ELSE attempts.outcome END,
            code = CASE WHEN v.answered = 1 THEN v.code ELSE attempts.code END,
            text = CASE WHEN v.answered = 1 THEN v.text ELSE attempts.text END,
            request_id = COALESCE(v.request_id, attempts.request_id),
            http_status = COALESCE(v.http_status, attempts.http_status),
            duration_ms = COALESCE(v.duration_ms, attempts.duration_ms)
        FROM {source}
        WHERE attempts.refund_id = v.id AND attempts.number = v.number AND {among}""",
        _ATTEMPT,
        [_attempt_row(item) for item in booked if item.answer or item.verdict.counted],
        "attempts.refund_id",
    )


def _attempt_row(item: Settled) -> dict[str, Any]:
    claim, answer = item.claim, item.answer
    return {
        "id": claim.refund_id,
        "number": claim.number,
        "counted_number": claim.attempts_counted + 1 if item.verdict.counted else None,
        "answered": int(answer is not None),
        "outcome": answer.outcome if answer else None,
        "code": answer.code if answer else None,
        "text": answer.text if answer else None,
        "request_id": answer.request_id if answer else None,
        "http_status": answer.http_status if answer else None,
        "duration_ms": answer.duration_ms if answer else None,
    }


_HISTORY = {"refund_id": "text", "actor": "text", "old": "text", "new": "text", "why": "text"}


def _history(booked: Sequence[Settled], *, worker: str) -> Write:
    return Write(
        """INSERT INTO history (refund_id, at, actor, old, new, why)
        SELECT v.refund_id, :now, v.actor, v.old, v.new, v.why FROM {source}""",
        _HISTORY,
        [
            {
                "refund_id": item.claim.refund_id,
                "actor": worker,
                "old": item.claim.status,
                "new": item.verdict.status,
                "why": item.verdict.why[:500],
            }
            for item in booked
            if item.verdict.status is not item.claim.status
        ],
    )
