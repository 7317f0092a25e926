"""Settle: judge what was learned and book every consequence in one transaction a group."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

import structlog

from refunds.domain.judge import Reservation, Verdict, judge_attempt, judge_look_up
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Status
from refunds.domain.watch import judge_watch, watched
from refunds.flow.attempt import Attempted, Resolved
from refunds.flow.breaker import count_outcomes
from refunds.flow.notify import recipients_for
from refunds.flow.parts import Parts
from refunds.flow.restore import found_restored
from refunds.flow.stop import stop_for_review, tell_late_proof
from refunds.store import accounts, payments, records, refunds
from refunds.store.accounts import Account
from refunds.store.database import DatabaseUnavailableError, Tx, clocks
from refunds.store.settled import Settled
from refunds.store.settlement import settle_group

log = structlog.get_logger(__name__)

Learned = Attempted | Resolved


def settle(parts: Parts, learned: Sequence[Learned]) -> set[str]:
    """Book what was learned; returns the refunds whose state changed.

    Whoever lost the lease changes nothing; its answer is kept as evidence. A refund whose sums or moves
    do not add up goes to a person, the others of the group are booked all the same.
    Raises DatabaseUnavailableError; then nothing was booked and the same call may be made again.
    """
    try:
        return _settle_together(parts, learned)
    except DatabaseUnavailableError:
        raise
    except Exception:  # a broken sum, an illegal move, a text the database refuses: that refund alone stops
        if len(learned) > 1:
            log.exception("settle.group_broken", refunds=[item.claim.refund_id for item in learned])
            return set[str]().union(*(settle(parts, [item]) for item in learned))
        log.exception("settle.refund_broken", refund_id=learned[0].claim.refund_id)
        return _ask_a_person(parts, learned[0])


def _settle_together(parts: Parts, learned: Sequence[Learned]) -> set[str]:
    with parts.database.begin() as tx:
        real, now = clocks(tx)
        known = accounts.get_all(tx)
        judged = [(item, _judge(parts, known[item.claim.account], item, now=now)) for item in learned]
        group = _with_recipients(parts, tx, known, judged)
        booked = settle_group(tx, group, worker=parts.worker, now=now)
        count_outcomes(parts, tx, learned, real=real)
        _stop_over_captured(parts, tx, [settled for settled in group if settled.claim.refund_id in booked])
        if proofs := [item.claim.refund_id for item in learned if _is_late_proof(parts, item, booked)]:
            tell_late_proof(parts, tx, proofs)
        if any(_was_forgotten(item) for item in learned):
            why = "the gateway had carried out a refund that this database had not begun"
            found_restored(parts, tx, why=why)
    for settled in group:
        _log(settled, booked=settled.claim.refund_id in booked)
    return booked


def _stop_over_captured(parts: Parts, tx: Tx, booked: Sequence[Settled]) -> None:
    """Money that turned up late may leave too little for what still waits on that payment: people decide."""
    late = {
        settled.claim.payment_id for settled in booked if settled.verdict.reservation is Reservation.BOOK_LATE
    }
    for payment_id in sorted(payments.over_captured(tx, sorted(late)) if late else ()):
        why = f"more than was captured has left payment {payment_id}"
        stop_for_review(parts, tx, refunds.of_payment(tx, payment_id), why=why)


def _is_late_proof(parts: Parts, item: Learned, booked: set[str]) -> bool:
    """Paid, by an answer that books nothing any more, where no look-up can follow it up."""
    said = item.answer.outcome if isinstance(item, Attempted) else item.found.finding
    paid = said in {Outcome.REFUNDED, Outcome.ACCEPTED, Finding.REFUNDED, Finding.ACCEPTED}
    late = item.claim.refund_id not in booked
    return late and paid and not parts.gateways[item.claim.gateway].gateway.abilities.look_up


def _was_forgotten(item: Learned) -> bool:
    """Carried out by the gateway before our first attempt: this database is older than its answers."""
    return (
        isinstance(item, Attempted)
        and item.answer.found_by_look_up
        and item.claim.number == 1
        and not item.claim.look_first
    )


def _judge(parts: Parts, account: Account, item: Learned, *, now: datetime) -> Verdict:
    abilities = parts.gateways[item.claim.gateway].gateway.abilities
    verdict = _verdict(parts, account, item, now=now)
    return verdict if verdict.unmoved else watched(verdict, abilities=abilities, watch=parts.watch, now=now)


def _verdict(parts: Parts, account: Account, item: Learned, *, now: datetime) -> Verdict:
    abilities = parts.gateways[item.claim.gateway].gateway.abilities
    match item:
        case Attempted(claim, answer):
            return judge_attempt(
                claim.standing(),
                answer,
                policy=account.policy,
                abilities=abilities,
                call_limit=parts.call_limit,
                now=now,
                jitter=parts.chance(),
            )
        case Resolved(claim, found) if claim.status not in {Status.IN_DOUBT, Status.SUBMITTED}:
            return judge_watch(claim.standing(), found, policy=account.policy, now=now)
        case Resolved(claim, found):
            return judge_look_up(
                claim.standing(),
                found,
                policy=account.policy,
                abilities=abilities,
                now=now,
            )
        case _:
            assert_never(item)


def _with_recipients(
    parts: Parts,
    tx: Tx,
    known: dict[str, Account],
    judged: Sequence[tuple[Learned, Verdict]],
) -> list[Settled]:
    told = [item.claim for item, verdict in judged if verdict.notices]
    recipients = recipients_for(parts, tx, known, told)
    return [
        Settled(
            claim=item.claim,
            verdict=verdict,
            answer=item.answer if isinstance(item, Attempted) else None,
            found=item.found if isinstance(item, Resolved) else None,
            recipients=recipients.get(item.claim.refund_id, ()),
        )
        for item, verdict in judged
    ]


def _ask_a_person(parts: Parts, item: Learned) -> set[str]:
    """The last resort: the refund stops where it is, keeps its reservation and slot, and people are told.

    One that was at its end stays there, and is asked about no more.
    """
    notices, why = (NoticeKind.OUTCOME_UNKNOWN,), "booking its outcome would break a rule; see the log"
    verdict = Verdict(Status.NEEDS_REVIEW, why, free_slot=False, notices=notices)
    if item.claim.status not in {Status.ATTEMPTING, Status.IN_DOUBT, Status.SUBMITTED}:
        verdict = Verdict(item.claim.status, why, unmoved=True, free_slot=False, notices=notices)
    try:
        with parts.database.begin() as tx:
            now = clocks(tx)[1]
            if not verdict.unmoved:
                abilities = parts.gateways[item.claim.gateway].gateway.abilities
                verdict = watched(verdict, abilities=abilities, watch=parts.watch, now=now)
            told = _with_recipients(parts, tx, accounts.get_all(tx), [(item, verdict)])
            group = [replace(settled, answer=None, found=None) for settled in told]
            booked = settle_group(tx, group, worker=parts.worker, now=now)
        with parts.database.begin() as tx:  # what was learned may say "paid"; by itself it does no harm
            records.keep_evidence(tx, told, now=now)
    except DatabaseUnavailableError:
        raise
    except Exception:  # it stays as it is until its lease ends; the sweep then tries anew, and others go on
        log.exception("settle.refund_left", refund_id=item.claim.refund_id)
        return set()
    return booked


def _log(settled: Settled, *, booked: bool) -> None:
    claim, verdict = settled.claim, settled.verdict
    learned: Answer | LookUpAnswer | None = settled.answer or settled.found
    event = f"refund.{verdict.status}" if booked else "refund.fenced_off"
    loud = not booked or verdict.status in {Status.IN_DOUBT, Status.NEEDS_REVIEW, Status.FAILED}
    (log.warning if loud else log.info)(
        event,
        refund_id=claim.refund_id,
        attempt=claim.number,
        account=claim.account,
        gateway=claim.gateway,
        amount_minor=claim.amount_minor,
        currency=claim.currency,
        code=learned.code if learned else "",
        counted=verdict.counted,
        due_at=verdict.due_at.isoformat() if verdict.due_at else None,
    )
