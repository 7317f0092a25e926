"""One attempt: look first where the gateway can be asked, then pay once. On the event loop, without SQL."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome, Reason
from refunds.domain.status import Status
from refunds.domain.text import harmless
from refunds.flow.parts import Parts
from refunds.ports import Call
from refunds.store.claim import Claim

log = structlog.get_logger(__name__)


LEASE_LOST = "lease_lost"
"""Code of an attempt whose worker died or froze after sending began: its end, not the gateway's."""

RESTORED = "restored_backup"
"""Code of an attempt that was not begun: an old backup was restored, and its gateway cannot be asked."""

LATE = timedelta(minutes=5)
"""A first attempt that comes so long after intake is looked up first: an old backup may have come back."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What an attempt learned."""

    claim: Claim
    answer: Answer


@dataclass(frozen=True, slots=True)
class Looked:
    """A look-up before an attempt found no reason not to pay; `found` carries the snapshot."""

    claim: Claim
    found: LookUpAnswer | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a look-up learned about a refund in doubt or submitted."""

    claim: Claim
    found: LookUpAnswer


def needs_look_up(parts: Parts, claim: Claim) -> bool:
    """Every attempt after the first begins with a look-up, wherever there is one (design.md 6.4).

    A first one too: on a gateway that would refund under dispute, after a restored backup, and when it comes
    late, for then this database may be older than the gateway's answers without anybody having said so.
    """
    can = parts.gateways[claim.gateway].gateway.abilities
    late = claim.claimed_at - claim.created_at > LATE
    return can.look_up and (
        claim.number > 1 or claim.generation > 1 or can.look_first or claim.look_first or late
    )


def cannot_be_asked(parts: Parts, claim: Claim) -> bool:
    """It may have been paid before this database's memory, and the gateway has no way of telling."""
    return claim.look_first and not parts.gateways[claim.gateway].gateway.abilities.look_up


def for_a_person(claim: Claim) -> Attempted:
    """Nothing was sent, and nobody but a person can tell whether it was paid before."""
    text = "an old backup was restored and the gateway cannot be asked"
    return Attempted(claim, Answer(Outcome.UNKNOWN, RESTORED, text, sent=False))


@dataclass(frozen=True, slots=True)
class Probed:
    """What a harmless read of a closed lane's gateway found; None: it is well."""

    wrong: str | None


async def probe(parts: Parts, gateway: str) -> Probed:
    """Ask whether a gateway is well again; anything unforeseen is no."""
    try:
        wrong = await parts.gateways[gateway].gateway.check()
    except Exception as error:
        log.exception("probe.adapter_failed", gateway=gateway)
        return Probed(type(error).__name__)
    return Probed(wrong and harmless(wrong, limit=300))


async def look_first(parts: Parts, claim: Claim) -> Looked | Attempted:
    """Ask before paying again. Found paid: that is the outcome. No clear word: an outage, not a try."""
    found = await look_up(parts, claim)
    match found.finding:
        case Finding.REFUNDED | Finding.ACCEPTED:
            paid = found.finding is Finding.REFUNDED
            outcome = Outcome.REFUNDED if paid else Outcome.ACCEPTED
            return Attempted(
                claim,
                Answer(outcome, reference=found.reference, sent=False, found_by_look_up=True),
            )
        case Finding.UNCLEAR:
            code = f"look_up_{found.code or 'unclear'}"
            return Attempted(claim, Answer(Outcome.UNAVAILABLE, code[:100], found.text, sent=False))
        case Finding.ABSENT | Finding.DECLINED:
            unseen = found.refunded_minor is None and claim.number == 1
            if claim.look_first and (unseen or (found.refunded_minor or 0) > claim.refunded_minor):
                text = (
                    "after a restored backup: the gateway shows more refunded than is known here, or no sum"
                )
                reason = Reason.REFUNDED_ELSEWHERE
                return Attempted(
                    claim, Answer(Outcome.DECLINED, "unknown_refunds", text, reason=reason, sent=False)
                )
            if found.disputed:
                text = "the gateway shows an open dispute"
                return Attempted(
                    claim,
                    Answer(Outcome.DECLINED, "disputed", text, reason=Reason.DISPUTED, sent=False),
                )
            return Looked(claim, found)


async def pay(parts: Parts, claim: Claim, *, until: float) -> Attempted:
    """The money call. Not begun after `until` (suspended clock); anything unforeseen is `unknown`."""
    gateway = parts.gateways[claim.gateway].gateway
    try:
        answer = await gateway.pay(_call(claim, may_send=lambda: parts.elapsed() < until))
    except Exception as error:  # the one broad catch at the edge: what we do not understand may have paid
        log.exception("attempt.adapter_failed", refund_id=claim.refund_id, attempt=claim.number)
        answer = Answer(Outcome.UNKNOWN, "adapter_error", type(error).__name__)
    return Attempted(claim, _proven(_fit(answer)))


async def look_up(parts: Parts, claim: Claim) -> LookUpAnswer:
    """Ask what became of a refund; anything unforeseen is `unclear`."""
    gateway = parts.gateways[claim.gateway].gateway
    try:
        found = _fit(await gateway.look_up(_call(claim, may_send=lambda: True)))
    except Exception as error:
        log.exception("look_up.adapter_failed", refund_id=claim.refund_id)
        return LookUpAnswer(Finding.UNCLEAR, "adapter_error", type(error).__name__)
    if found.finding is Finding.REFUNDED and not found.reference:
        return replace(found, finding=Finding.UNCLEAR, code=_NO_REFERENCE)
    return found


_NO_REFERENCE = "no_reference"


def _proven(answer: Answer) -> Answer:
    """Paid is only what can be found again at the gateway: without its reference the answer is unclear."""
    if answer.outcome is Outcome.REFUNDED and not answer.reference:
        return replace(answer, outcome=Outcome.UNKNOWN, code=_NO_REFERENCE)
    return answer


_ANSWERED = {Status.SUBMITTED, Status.REFUNDED}

Told = TypeVar("Told", Answer, LookUpAnswer)


def _fit(told: Told) -> Told:
    """The gateway's words, made fit to be stored: whatever a gateway repeats of a card ends here."""
    words: dict[str, Any] = {"code": harmless(told.code, limit=100), "text": harmless(told.text, limit=500)}
    words["reference"] = told.reference and harmless(told.reference, limit=200)
    if isinstance(told, Answer):
        words["request_id"] = told.request_id and harmless(told.request_id, limit=200)
    return replace(told, **words)


def _call(claim: Claim, *, may_send: Callable[[], bool]) -> Call:
    return Call(
        kind=claim.kind,
        reference=claim.refund_id,
        key=claim.key,
        transaction_id=claim.transaction_id,
        order_id=claim.order_id,
        amount_minor=claim.amount_minor,
        currency=claim.currency,
        reason=claim.reason,
        may_send=may_send,
        accepted_reference=claim.gateway_reference if claim.status in _ANSWERED else None,
    )
