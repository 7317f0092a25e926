"""Resolve: unclear outcomes end in knowledge, by asking, never by waiting (design.md 6.4, 6.6)."""

from dataclasses import replace

from refunds.domain.outcome import NO_LOOK_UP, Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import Resolved, look_up, pay
from refunds.flow.parts import Parts
from refunds.store.claim import Claim


async def resolve(parts: Parts, claim: Claim, *, key_lives: bool, until: float) -> Resolved:
    """Ask the gateway about a refund in doubt or submitted.

    A gateway without look-up is asked by sending the very same key again while the key surely lives: it
    then answers for the first request, or carries it out once. Such a repeat is never counted.
    """
    abilities = parts.gateways[claim.gateway].gateway.abilities
    if abilities.look_up:
        found = await look_up(parts, claim)
        if found.finding is Finding.ABSENT and found.code:  # "no such payment": are these its credentials?
            found = replace(found, finding=Finding.UNCLEAR)
        return Resolved(claim, found)
    if claim.status is Status.IN_DOUBT and key_lives:
        attempted = await pay(parts, claim, until=until)
        return Resolved(claim, _as_finding(attempted.answer))
    return Resolved(claim, LookUpAnswer(Finding.UNCLEAR, NO_LOOK_UP, "this gateway cannot be asked"))


def _as_finding(answer: Answer) -> LookUpAnswer:
    findings = {
        Outcome.REFUNDED: Finding.REFUNDED,
        Outcome.ACCEPTED: Finding.ACCEPTED,
        Outcome.DECLINED: Finding.DECLINED,
        Outcome.UNAVAILABLE: Finding.UNCLEAR,
        Outcome.UNKNOWN: Finding.UNCLEAR,
    }
    return LookUpAnswer(
        findings[answer.outcome],
        answer.code,
        answer.text,
        reason=answer.reason,
        reference=answer.reference,
        duration_ms=answer.duration_ms,
    )
