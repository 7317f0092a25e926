"""Notify: who is told, and the delivery of what waits in the outbox."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, assert_never

import structlog

from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Finding, Outcome
from refunds.domain.status import Kind
from refunds.flow.parts import Parts
from refunds.notifier.content import build
from refunds.notifier.facts import AttemptFact, NoticeFacts
from refunds.ports import Delivery
from refunds.store import accounts, evidence, notices, refunds
from refunds.store.accounts import Account
from refunds.store.claim import Claim
from refunds.store.database import DatabaseUnavailableError, Tx, clocks
from refunds.store.notices import PendingNotice
from refunds.store.refunds import Refund
from refunds.store.settled import Recipient
from refunds.store.unpaid import LongWaiting

log = structlog.get_logger(__name__)

STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360))
"""Waits between tries of one mail; the last repeats."""

GIVE_UP_AFTER = timedelta(days=3)
LEASE = timedelta(minutes=10)


def recipients_for(
    parts: Parts,
    tx: Tx,
    known: Mapping[str, Account],
    told: Sequence[Claim] | Sequence[LongWaiting] | Sequence[Refund],
) -> dict[str, tuple[Recipient, ...]]:
    """Every address that is told about each of these refunds, each once, and why; never nobody."""
    if not told:
        return {}
    ids = [each.id if isinstance(each, Refund) else each.refund_id for each in told]
    rows = refunds.get_many(tx, ids)
    found: dict[str, tuple[Recipient, ...]] = {}
    for refund_id in ids:
        account = known[rows[refund_id].account]
        requested = rows[refund_id].request.get("notify") or []
        everyone = [
            *((address, "is in MONEYBACK_NOTIFY_EMAILS") for address in parts.mail.notify_emails),
            *((address, f"is told for account {account.id}") for address in account.notify_emails),
            *((address, "was named in the refund request") for address in requested),
        ]
        unique: dict[str, Recipient] = {}
        for address, why in everyone:
            unique.setdefault(address.casefold(), Recipient(address, why))
        found[refund_id] = tuple(unique.values())
    return found


def deliver_due(
    parts: Parts,
    *,
    limit: int = 50,
    lease: timedelta = LEASE,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Deliver up to `limit` notices that are due, fewer once `stopping`; returns how many were tried.

    A refusal of one address is its own; the others still get theirs. Sending never holds up money: nothing
    is locked meanwhile. A crash after delivery repeats a mail with the same Message-ID, never loses it.
    """
    began = time.monotonic()
    with parts.database.begin() as tx:
        real, now = clocks(tx)
        claimed = notices.claim(tx, limit=limit, now=now, real=real, lease=lease)
    tried = 0
    for notice in claimed:
        if stopping() or time.monotonic() - began > (lease / 2).total_seconds():
            with parts.database.begin() as tx:  # a slow server, or the end: the rest goes back
                notices.release(tx, claimed[tried:])
            break
        tried += 1
        try:
            _deliver(parts, notice)
        except DatabaseUnavailableError:
            raise
        except Exception:  # one notice that cannot be told must not silence the others
            log.exception("notice.not_told", notice_id=notice.id, refund_id=notice.refund_id)
    return tried


def _deliver(parts: Parts, notice: PendingNotice) -> None:
    with parts.database.read() as tx:
        facts = _facts(parts, tx, notice)
    mail = build(facts, sender=parts.mail.sender, host=parts.mail.host)
    delivery = parts.channel.deliver(mail)
    with parts.database.begin() as tx:
        now = clocks(tx)[1]
        status, due_at = _fate(notice, delivery, now=now)
        notices.record(
            tx,
            notice,
            status=status,
            due_at=due_at,
            message_id=mail.message_id,
            response=delivery.response,
            now=now,
        )
    (log.info if delivery.delivered else log.error if status == "given_up" else log.warning)(
        f"notice.{status}",
        notice_id=notice.id,
        refund_id=notice.refund_id,
        kind=notice.kind,
        response=delivery.response,
        tries=notice.tries + 1,
    )


def _fate(notice: PendingNotice, delivery: Delivery, *, now: datetime) -> tuple[str, datetime | None]:
    if delivery.delivered:
        return "delivered", None
    spent = notice.tries >= len(STEPS) and now - notice.decided_at >= GIVE_UP_AFTER
    if delivery.final or spent:
        return "given_up", None
    return "pending", now + STEPS[min(notice.tries, len(STEPS) - 1)]


def _facts(parts: Parts, tx: Tx, notice: PendingNotice) -> NoticeFacts:
    refund = refunds.get(tx, notice.refund_id)
    account = accounts.get(tx, refund.account) if refund else None
    if refund is None or account is None:  # foreign keys forbid it
        raise LookupError(f"notice {notice.id} is about no refund")
    looked = [row for row in refunds.look_ups_of(tx, refund.id) if row["at"] <= notice.decided_at]
    number, total = notices.position(tx, notice)
    kind = NoticeKind(notice.kind)
    tries = _attempts(tx, notice, looked)
    certainty, looked_up_at = _certainty(kind, refund, tries)
    return NoticeFacts(
        notice_id=notice.id,
        kind=kind,
        recipient=notice.address,
        why_recipient=notice.why,
        environment=parts.mail.environment,
        version=parts.mail.version,
        refund_id=refund.id,
        refund_kind=refund.kind,
        account=refund.account,
        gateway=refund.gateway,
        order_id=refund.order_id,
        transaction_id=refund.transaction_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        captured_minor=refund.authorized_minor if refund.kind is Kind.VOID else refund.captured_minor,
        created_at=refund.created_at,
        decided_at=notice.decided_at,
        requested_by=refund.requested_by,
        reason=refund.reason,
        failure_code=refund.failure_code or "",
        failure_text=refund.failure_text or "",
        attempts=tries,
        next_attempt_at=refund.due_at,
        certainty=certainty,
        looked_up_at=looked_up_at,
        evidence=_evidence(tx, notice),
        thread_message_id=notices.thread_of(
            tx,
            refund_id=refund.id,
            address=notice.address,
            before=notice.id,
        ),
        message_number=number,
        message_total=total,
        public_url=parts.mail.public_url,
        zone=account.policy.zone,
    )


def _attempts(tx: Tx, notice: PendingNotice, looked: Sequence[Mapping[str, Any]]) -> tuple[AttemptFact, ...]:
    rows = [
        row for row in refunds.attempts_of(tx, notice.refund_id) if row["claimed_at"] <= notice.decided_at
    ]
    facts: list[AttemptFact] = []
    for row, following in zip_longest(rows, rows[1:]):
        until = following["claimed_at"] if following else None
        if row["episode"] != notice.episode:
            continue
        finding, found_at = _finding(row, looked, until=until)
        facts.append(
            AttemptFact(
                number=row["number"],
                counted=row["counted_number"] is not None,
                at=row["claimed_at"],
                outcome=row["outcome"] or "",
                code=row["code"] or "",
                text=row["text"] or "",
                request_id=row["request_id"],
                finding=finding,
                found_at=found_at,
                sent=row["sending_at"] is not None,
            )
        )
    return tuple(facts)


def _finding(
    attempt: Mapping[str, Any], looked: Sequence[Mapping[str, Any]], *, until: datetime | None
) -> tuple[Finding | None, datetime | None]:
    """The last word of the look-ups between this attempt and the next, and when it was said."""
    if attempt["outcome"] == Outcome.REFUNDED and attempt["sending_at"] is None:
        return Finding.REFUNDED, attempt["finished_at"]  # by the look-up that the attempt began with
    since = [row for row in looked if row["at"] >= attempt["claimed_at"]]
    of_this_one = [row for row in since if until is None or row["at"] < until]
    return (Finding(of_this_one[-1]["finding"]), of_this_one[-1]["at"]) if of_this_one else (None, None)


def _evidence(tx: Tx, notice: PendingNotice) -> str | None:
    """Answers that came too late to change anything; None where there were none."""
    said = [
        row["content"]
        for row in evidence.evidence_of(tx, notice.refund_id)
        if row["at"] <= notice.decided_at and row["source"] == "late_answer"
    ]
    told = [
        f"try {late['attempt']} {late['outcome']} ({late['reference'] or late['code'] or 'no reference'})"
        for late in said
    ]
    return f"answers that changed nothing here: {', '.join(told)}" if told else None


def _certainty(
    kind: NoticeKind, refund: Refund, tries: Sequence[AttemptFact]
) -> tuple[str | None, datetime | None]:
    """What the gateway said of the last try when asked, and when; (None, None) where that says nothing."""
    last = tries[-1] if tries else None
    if last is None:
        return None, None
    match kind:
        case NoticeKind.FAILED:
            proof = {
                Finding.ABSENT: f"no {refund.kind} of ours exists",
                Finding.DECLINED: f"our {refund.kind} was refused",
            }
            return (proof[last.finding], last.found_at) if last.finding in proof else (None, None)
        case NoticeKind.OUTCOME_UNKNOWN:
            return (f"no final word ({last.finding})", last.found_at) if last.finding else (None, None)
        case NoticeKind.TAKEN_BACK | NoticeKind.PAID_ANYWAY:
            shown = {Finding.DECLINED: "it did not stay paid", Finding.REFUNDED: "it is paid"}
            return (shown[last.finding], last.found_at) if last.finding in shown else (None, None)
        case NoticeKind.RESOLVED:
            done = "voided" if refund.kind is Kind.VOID else "paid"
            reference = f": reference {refund.gateway_reference}" if refund.gateway_reference else ""
            if last.finding is Finding.REFUNDED:
                return f"it is {done}{reference}", last.found_at
            if last.outcome == Outcome.REFUNDED:
                return f"The gateway {done} it{reference}", None
            return None, None
        case NoticeKind.REFUSED_EARLY | NoticeKind.NEEDS_REVIEW | NoticeKind.STILL_UNPAID:
            return None, None
        case _:
            assert_never(kind)
