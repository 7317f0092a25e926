"""What follows from what was learned: one pure verdict for each attempt and each look-up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from refunds.domain.abilities import Abilities
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import HANDED_BACK, Answer, Finding, LookUpAnswer, Outcome, Reason
from refunds.domain.schedule import (
    DOUBT_LIMIT,
    DOUBT_STEPS,
    SUBMITTED_STEPS,
    Policy,
    deferral,
    next_run,
    step,
)
from refunds.domain.status import Kind, Status, Wait


class Reservation(StrEnum):
    """What happens to the amount reserved on the payment."""

    KEEP = "keep"
    BOOK = "book"
    """It becomes refunded money."""
    RELEASE = "release"
    TAKE_BACK = "take_back"
    """Refunded money is owed, and reserved, again."""
    BOOK_LATE = "book_late"
    """Refunded money that nothing was reserved for any more; it may exceed what was captured."""
    BOOK_EXTERNAL = "book_external"
    """What was marked as paid elsewhere becomes refunded money."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of a refund that the rules look at. `claimed_at` is when the attempt in question was claimed.

    `extra` marks an operator's try-now, which is never counted; `prior` is the status it was claimed from.
    """

    kind: Kind
    status: Status
    prior: Status
    extra: bool
    attempts_counted: int
    claimed_at: datetime
    sending_at: datetime | None
    last_counted_at: datetime | None
    key_sent_at: datetime | None
    deferrals: int
    look_ups: int
    waiting_since: datetime | None
    """Since when it is in doubt or submitted."""
    absent_at: datetime | None
    """When a look-up first found nothing."""
    watch_until: datetime | None = None
    """Until when the gateway is asked about a refund that is at its end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that changes, decided at once and committed at once."""

    status: Status
    why: str
    due_at: datetime | None = None
    wait: Wait | None = None
    counted: bool = False
    new_key: bool = False
    reservation: Reservation = Reservation.KEEP
    free_slot: bool = True
    deferrals: int = 0
    look_ups: int = 0
    absent_at: datetime | None = None
    notices: tuple[NoticeKind, ...] = ()
    new_episode: bool = False
    keep_extra: bool = False
    """The extra try is still to be made."""
    unmoved: bool = False
    """Nothing changes but when it is asked about again."""
    watch_at: datetime | None = None
    watch_until: datetime | None = None


def judge_attempt(
    standing: Standing,
    answer: Answer,
    *,
    policy: Policy,
    abilities: Abilities,
    call_limit: timedelta,
    now: datetime,
    jitter: float,
) -> Verdict:
    """What an attempt's answer means for its refund. Never raises for any answer."""
    match answer.outcome:
        case Outcome.REFUNDED:
            return _paid(standing, "found by a look-up" if answer.found_by_look_up else "the gateway paid")
        case Outcome.ACCEPTED:
            return _submitted(now)
        case Outcome.DECLINED:
            return _declined(standing, answer.reason, answer.code, policy=policy, now=now, new_key=True)
        case Outcome.UNAVAILABLE:
            return _deferred(standing, answer, policy=policy, now=now, jitter=jitter)
        case Outcome.UNKNOWN if not answer.sent:
            return _nobody_can_tell(answer.text)
        case Outcome.UNKNOWN:
            return in_doubt(
                standing, abilities, call_limit=call_limit, now=now, why=answer.code or "no answer"
            )
        case _:
            assert_never(answer.outcome)


def judge_look_up(
    standing: Standing,
    found: LookUpAnswer,
    *,
    policy: Policy,
    abilities: Abilities,
    now: datetime,
) -> Verdict:
    """What a look-up means for a refund that is in doubt or submitted."""
    match found.finding:
        case Finding.REFUNDED:
            return _paid(standing, "found by a look-up")
        case Finding.DECLINED:
            return _declined(standing, found.reason, found.code, policy=policy, now=now, new_key=True)
        case Finding.ACCEPTED if standing.status is Status.IN_DOUBT:
            return _submitted(now)
        case Finding.ABSENT if standing.status is Status.IN_DOUBT:
            return _absent(standing, policy=policy, abilities=abilities, now=now)
        case Finding.ACCEPTED | Finding.ABSENT | Finding.UNCLEAR:
            return _ask_again(standing, abilities, now=now)
        case _:
            assert_never(found.finding)


def in_doubt(
    standing: Standing,
    abilities: Abilities,
    *,
    call_limit: timedelta,
    now: datetime,
    why: str,
) -> Verdict:
    """The money may have moved. The slot stays taken, the next step is a look-up, not before the call's end.

    A gateway with neither look-up nor key cannot be asked at all: a person is, at once.
    """
    if not abilities.look_up and abilities.key_life is None:
        return _nobody_can_tell(f"{why}; the gateway cannot be asked")
    first = max(now, (standing.sending_at or standing.claimed_at) + call_limit)
    return Verdict(Status.IN_DOUBT, why, due_at=first, free_slot=False)


def _nobody_can_tell(why: str) -> Verdict:
    """A person decides, with the evidence: time never turns unknown into failed. The slot stays taken."""
    notices = (NoticeKind.OUTCOME_UNKNOWN,)
    return Verdict(Status.NEEDS_REVIEW, why, free_slot=False, notices=notices)


def _paid(standing: Standing, why: str) -> Verdict:
    """Paid is paid, whoever had been told otherwise: the alarm of a refund that had failed is withdrawn."""
    status = Status.VOIDED if standing.kind is Kind.VOID else Status.REFUNDED
    notices = (NoticeKind.RESOLVED,) if standing.prior is Status.FAILED else ()
    return Verdict(status, why, reservation=Reservation.BOOK, notices=notices)


def _submitted(now: datetime) -> Verdict:
    return Verdict(Status.SUBMITTED, "the gateway accepted it", due_at=now + SUBMITTED_STEPS[0])


def _declined(
    standing: Standing,
    reason: Reason,
    code: str,
    *,
    policy: Policy,
    now: datetime,
    new_key: bool,
) -> Verdict:
    """A sure refusal (or proof of absence): uses up a place of the schedule, unless it was an extra try."""
    why = code or "declined"
    if reason in {Reason.DISPUTED, Reason.REFUNDED_ELSEWHERE}:
        notices = (NoticeKind.NEEDS_REVIEW,)
        return Verdict(Status.NEEDS_REVIEW, why, counted=not standing.extra, new_key=new_key, notices=notices)
    if standing.extra:
        return _back_to_schedule(standing, why, policy=policy, now=now, new_key=new_key)
    if standing.attempts_counted + 1 >= policy.most_counted:
        gone, told = Reservation.RELEASE, (NoticeKind.FAILED,)
        return Verdict(Status.FAILED, why, counted=True, new_key=new_key, reservation=gone, notices=told)
    hopeless = reason is Reason.PERMANENT and standing.attempts_counted == 0
    return Verdict(
        Status.QUEUED,
        why,
        due_at=next_run(standing.claimed_at, policy, now),
        wait=Wait.DAILY,
        counted=True,
        new_key=new_key,
        notices=(NoticeKind.REFUSED_EARLY,) if hopeless and policy.permanent_failures == "notify" else (),
    )


def _back_to_schedule(
    standing: Standing, why: str, *, policy: Policy, now: datetime, new_key: bool
) -> Verdict:
    """An extra try that did not pay leaves the schedule as it was."""
    if standing.prior is Status.FAILED:
        # An answer that came at once was seen by whoever asked; one that came later is told again.
        notices = () if standing.status is Status.ATTEMPTING else (NoticeKind.FAILED,)
        return Verdict(
            Status.FAILED,
            why,
            new_key=new_key,
            reservation=Reservation.RELEASE,
            notices=notices,
        )
    since = standing.last_counted_at
    due = now if since is None else next_run(since, policy, now)
    return Verdict(Status.QUEUED, why, due_at=due, wait=Wait.DAILY, new_key=new_key)


def _deferred(standing: Standing, answer: Answer, *, policy: Policy, now: datetime, jitter: float) -> Verdict:
    """An outage is not a try: no place is used up, the key stays."""
    why = answer.code or "unavailable"
    if standing.extra and answer.code == HANDED_BACK:
        daily = Wait.DAILY if standing.prior is Status.QUEUED else None
        return Verdict(standing.prior, why, due_at=now, wait=daily, keep_extra=True)
    if standing.extra:
        return _back_to_schedule(standing, why, policy=policy, now=now, new_key=False)
    wait = deferral(standing.deferrals, jitter=jitter, wish_seconds=answer.retry_after_seconds)
    return Verdict(
        Status.QUEUED,
        why,
        due_at=now + wait,
        wait=Wait.OUTAGE,
        deferrals=standing.deferrals + 1,
    )


def _absent(standing: Standing, *, policy: Policy, abilities: Abilities, now: datetime) -> Verdict:
    """Absence is proven by two look-ups the settling time apart: one alone can miss a late commit.

    No answer was ever seen, so the key stays as long as it lives: a request that is still on its way then
    meets its own key (design.md 6.5).
    """
    if standing.absent_at is None:
        return Verdict(
            Status.IN_DOUBT,
            "nothing found yet",
            due_at=now + abilities.settling,
            free_slot=False,
            look_ups=standing.look_ups + 1,
            absent_at=now,
        )
    if now < standing.absent_at + abilities.settling:
        return _ask_again(standing, abilities, now=now)
    # By the last sending: what is still on its way must meet its own key for as long as that may live.
    over = _key_is_over(standing.sending_at or standing.key_sent_at, abilities, now=now)
    return _declined(standing, Reason.PASSING, "proven_absent", policy=policy, now=now, new_key=over)


def _key_is_over(sent_at: datetime | None, abilities: Abilities, *, now: datetime) -> bool:
    """Whether the gateway may have forgotten a key that was sent then, or never knew one."""
    if abilities.key_life is None or sent_at is None:
        return True
    return now >= sent_at + abilities.key_life


def _ask_again(standing: Standing, abilities: Abilities, *, now: datetime) -> Verdict:
    """Still no final word: ask later, and a person when it has taken too long. Time alone proves nothing."""
    doubt = standing.status is Status.IN_DOUBT
    limit = DOUBT_LIMIT if doubt else abilities.final_within
    nothing_to_ask = (
        doubt and not abilities.look_up and _key_is_over(standing.key_sent_at, abilities, now=now)
    )
    if nothing_to_ask or now - (standing.waiting_since or standing.claimed_at) >= limit:
        return _nobody_can_tell("nobody can tell" if doubt else "not final in time")
    steps = DOUBT_STEPS if doubt else SUBMITTED_STEPS
    due = now + step(steps, standing.look_ups)
    if doubt and standing.absent_at is not None:
        due = max(min(due, standing.absent_at + abilities.settling), now + timedelta(seconds=1))
    return Verdict(
        standing.status,
        "no final word yet",
        due_at=due,
        free_slot=not doubt,
        look_ups=standing.look_ups + 1,
        absent_at=standing.absent_at,
    )
