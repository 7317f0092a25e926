"""The sections of the mail, in the order in which somebody woken at night needs them."""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never
from urllib.parse import quote, urlsplit

from refunds.domain.money import Money
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Finding, Outcome
from refunds.domain.status import Kind
from refunds.notifier.facts import AttemptFact, NoticeFacts
from refunds.notifier.moments import lapse, moment, second
from refunds.notifier.next_steps import DEFAULT_ADVICE, cause_of, steps_for

_ATTEMPTS_SHOWN: Final = 12


class Style(StrEnum):
    """How a line is set."""

    PLAIN = "plain"
    STRONG = "strong"
    COMMAND = "command"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `lead` hangs before it, such as the number of a step."""

    text: str
    style: Style = Style.PLAIN
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A label and its lines."""

    label: str
    lines: tuple[Line, ...]


def sections(facts: NoticeFacts) -> tuple[Section, ...]:
    """What, how much, why, tried when, is it certain, what next, where, who. Takes cleaned facts."""
    all_of_them = (
        Section("WHAT", _what(facts)),
        Section("MONEY", _money(facts)),
        Section("WHY", _why(facts)),
        Section("TRIED", _tried(facts)),
        Section("SURE?", _sure(facts)),
        Section("DO NEXT", _do_next(facts)),
        Section("OPEN", _open(facts)),
        Section("WHO", _who(facts)),
    )
    return tuple(section for section in all_of_them if section.lines)


def _what(facts: NoticeFacts) -> tuple[Line, ...]:
    void = facts.refund_kind is Kind.VOID
    this = f"{'Void' if void else 'Refund'} {facts.refund_id} for order {facts.order_id}"
    done = "carried out" if void else "paid"
    match facts.kind:
        case NoticeKind.FAILED:
            return (Line(f"{this} was NOT {done}. moneyback has stopped trying.", Style.STRONG),)
        case NoticeKind.OUTCOME_UNKNOWN:
            warning = (
                "The payment may be released already: check before doing anything else."
                if void
                else "The money may have been paid: do NOT pay another way before checking."
            )
            doubt = f"It is NOT KNOWN whether {_lower(this)} was {done}."
            return (Line(doubt, Style.STRONG), Line(warning, Style.STRONG))
        case NoticeKind.REFUSED_EARLY:
            goes_on = "moneyback goes on trying" + (
                f", next at {moment(facts.next_attempt_at, facts.zone)}." if facts.next_attempt_at else "."
            )
            warning = "Cancel it here before releasing it" if void else "Cancel it here before paying"
            return (
                Line(f"{this} was refused, and will be again in all likelihood.", Style.STRONG),
                Line(goes_on),
                Line(f"{warning} another way.", Style.STRONG),
            )
        case NoticeKind.STILL_UNPAID:
            next_try = (
                f" Next at {moment(facts.next_attempt_at, facts.zone)}." if facts.next_attempt_at else ""
            )
            return (
                Line(f"{this} is still not {done}: no try gets through.", Style.STRONG),
                Line(f"This is an outage: nothing was given up, moneyback goes on trying.{next_try}"),
            )
        case NoticeKind.NEEDS_REVIEW:
            return (
                Line(f"{this} waits for a person to decide. moneyback will not try it again.", Style.STRONG),
                Line("The customer may have the money from elsewhere: do NOT pay before checking."),
            )
        case NoticeKind.TAKEN_BACK:
            undone = "carried out, and is not in force any more" if void else "paid, and the money came back"
            goes_on = (
                f"It is queued again, next at {moment(facts.next_attempt_at, facts.zone)}."
                if facts.next_attempt_at
                else "It waits for a person: the same card cannot take it."
            )
            return (Line(f"{this} was {undone}: it is owed again.", Style.STRONG), Line(goes_on))
        case NoticeKind.PAID_ANYWAY:
            had = "had been given up here, or paid another way"
            return (
                Line(f"{this} was {done} by {facts.gateway}, though it {had}.", Style.STRONG),
                Line("If it was paid another way too, the customer was paid TWICE."),
            )
        case NoticeKind.RESOLVED:
            return (Line(f"The alarm about {_lower(this)} is withdrawn: it is settled.", Style.STRONG),)
        case _:
            assert_never(facts.kind)


def _money(facts: NoticeFacts) -> tuple[Line, ...]:
    amount = Money(facts.amount_minor, facts.currency)
    whole = Money(facts.captured_minor, facts.currency)
    age = lapse(facts.created_at, facts.decided_at)
    asked_for = Line(f"Requested {age} ago: {moment(facts.created_at, facts.zone)}")
    if facts.refund_kind is Kind.VOID:
        state = "released" if facts.kind is NoticeKind.RESOLVED else "to be released"
        return (Line(f"{amount} {state} (of {whole} authorised)"), asked_for)
    match facts.kind:
        case NoticeKind.FAILED | NoticeKind.REFUSED_EARLY | NoticeKind.STILL_UNPAID:
            state = "still owed"
        case NoticeKind.TAKEN_BACK:
            state = "owed again"
        case NoticeKind.PAID_ANYWAY:
            state = "paid, perhaps twice"
        case NoticeKind.OUTCOME_UNKNOWN:
            state = "that may be paid or still owed"
        case NoticeKind.NEEDS_REVIEW:
            state = "not paid by moneyback"
        case NoticeKind.RESOLVED:
            state = "no longer owed"
        case _:
            assert_never(facts.kind)
    return (Line(f"{amount} {state} (of {whole} captured)"), asked_for)


def _why(facts: NoticeFacts) -> tuple[Line, ...]:
    if not facts.failure_code and not facts.failure_text:
        return ()
    told = ": ".join(part for part in (facts.gateway, facts.failure_code, facts.failure_text) if part)
    if facts.kind is NoticeKind.RESOLVED:
        return (Line(f"What went wrong before that: {told}"),)
    if not facts.failure_code:
        return (Line(told),)
    cause = cause_of(facts.failure_code)
    return Line(told), Line(cause.sentence if cause else DEFAULT_ADVICE)


def _tried(facts: NoticeFacts) -> tuple[Line, ...]:
    attempts = facts.attempts
    if not attempts:
        return (Line("never: no try has been recorded"),)
    rows = tuple(_attempt(attempt, facts) for attempt in attempts)
    if len(rows) <= _ATTEMPTS_SHOWN:
        return rows
    left_out = Line(f"({len(rows) - _ATTEMPTS_SHOWN} tries left out here)")
    return *rows[:2], left_out, *rows[2 - _ATTEMPTS_SHOWN :]


def _attempt(attempt: AttemptFact, facts: NoticeFacts) -> Line:
    text = "" if attempt.text == facts.failure_text else attempt.text
    outcome = attempt.outcome or ("no answer" if attempt.sent else "not sent")
    parts = [
        second(attempt.at),
        outcome if attempt.counted else f"{outcome} (not counted)",
        attempt.code,
        text,
        attempt.request_id,
        f"looked up: {attempt.finding}" if attempt.finding else "",
    ]
    return Line("  ".join(part for part in parts if part), lead=f"{attempt.number}  ")


def _sure(facts: NoticeFacts) -> tuple[Line, ...]:
    asked = _asked(facts)
    match facts.kind:
        case NoticeKind.FAILED:
            certainty = asked or _answers(facts)
        case NoticeKind.OUTCOME_UNKNOWN:
            certainty = f"NO. {asked or 'Nothing that moneyback could find out settles it.'}"
        case NoticeKind.REFUSED_EARLY:
            certainty = f"{asked or _answers(facts)} But it stays queued, and a later try may pay it."
        case NoticeKind.STILL_UNPAID:
            certainty = asked or "None of the tries that found an outage was processed by the gateway."
        case NoticeKind.NEEDS_REVIEW:
            certainty = f"NO. {asked or 'As far as moneyback knows it did not pay, but others may have.'}"
        case NoticeKind.TAKEN_BACK | NoticeKind.PAID_ANYWAY:
            certainty = asked or f"{facts.gateway} says so when it is asked."
        case NoticeKind.RESOLVED:
            certainty = asked or "The record says why."
        case _:
            assert_never(facts.kind)
    if not facts.evidence:
        return (Line(certainty),)
    observed = Line(f"Also observed: {_sentence(facts.evidence)}")
    if facts.kind is not NoticeKind.FAILED:
        return Line(certainty), observed
    look = f"Look at {facts.gateway}'s own pages before anything else."
    return Line(certainty), observed, Line(look, Style.STRONG)


def _asked(facts: NoticeFacts) -> str:
    if facts.looked_up_at is None:
        return _sentence(facts.certainty) if facts.certainty else ""
    at = moment(facts.looked_up_at, facts.zone)
    if not facts.certainty:
        return f"{facts.gateway} was asked at {at}; what it said is in the record."
    unpaid = facts.kind is NoticeKind.FAILED and facts.refund_kind is Kind.REFUND
    safe = unpaid and not facts.evidence
    return f"Asked {facts.gateway} at {at}: {_sentence(facts.certainty)}" + (
        " It is safe to pay another way." if safe else ""
    )


def _answers(facts: NoticeFacts) -> str:
    """What the tries themselves prove where no look-up followed; never more than that."""
    counted = [attempt for attempt in facts.attempts if attempt.counted]
    if any(not _surely_without_effect(attempt) for attempt in facts.attempts) or not counted:
        return f"The tries alone do not prove it: look at {facts.gateway}'s own pages before anything else."
    if all(attempt.outcome == Outcome.DECLINED for attempt in counted):
        each = f"each of the {len(counted)} counted tries" if len(counted) > 1 else "the try"
        return f"{facts.gateway} answered {each} with a refusal, and was not asked again."
    return "Each counted try was refused, or proven by look-ups to have had no effect."


def _surely_without_effect(attempt: AttemptFact) -> bool:
    refused = attempt.outcome in {Outcome.DECLINED, Outcome.UNAVAILABLE}
    never_left = not attempt.sent and not attempt.outcome
    return refused or never_left or attempt.finding in {Finding.ABSENT, Finding.DECLINED}


def _do_next(facts: NoticeFacts) -> tuple[Line, ...]:
    names = {
        "refund_id": facts.refund_id,
        "amount": str(Money(facts.amount_minor, facts.currency)),
        "gateway": facts.gateway,
        "payment": facts.transaction_id,
    }
    words = {**names, "refund_id": shlex.quote(facts.refund_id)}
    lines: list[Line] = []
    for number, step in enumerate(steps_for(facts.kind, facts.refund_kind), start=1):
        lines.append(Line(step.text.format_map(names), lead=f"{number}. "))
        if step.command:
            lines.append(Line(step.command.format_map(words), Style.COMMAND))
    return tuple(lines)


def _open(facts: NoticeFacts) -> tuple[Line, ...]:
    payment = Line(f"Payment {facts.transaction_id} at {facts.gateway}, account {facts.account}")
    link = _link(facts)
    return (Line(link, Style.LINK), payment) if link else (payment,)


def _link(facts: NoticeFacts) -> str | None:
    if not facts.public_url or urlsplit(facts.public_url).scheme not in {"http", "https"}:
        return None
    return f"{facts.public_url.rstrip('/')}/refunds/{quote(facts.refund_id, safe='')}"


def _who(facts: NoticeFacts) -> tuple[Line, ...]:
    requested = Line(f"Requested by {facts.requested_by}")
    return (requested, Line(f"Reason given: {facts.reason}")) if facts.reason else (requested,)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
