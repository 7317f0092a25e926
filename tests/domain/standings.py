"""Refunds as the rules see them: places in the schedule, gateways of each grade, and what follows."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Any, Final

from refunds.domain import judge
from refunds.domain.abilities import Abilities, Grade
from refunds.domain.judge import Standing, Verdict
from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome, Reason
from refunds.domain.schedule import Policy
from refunds.domain.status import Kind, Status

NOW: Final = datetime(2026, 3, 10, 8, 0, 5, tzinfo=UTC)
"""Just past the run hour of POLICY."""
CLAIMED: Final = NOW - timedelta(seconds=5)
SENT: Final = NOW - timedelta(seconds=4)
CALL_LIMIT: Final = timedelta(seconds=30)
TICK: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
POLICY: Final = Policy("Europe/Berlin", time(9), 3)

KEY_LIFE: Final = timedelta(hours=24)
SETTLING: Final = timedelta(minutes=15)
FINAL_WITHIN: Final = timedelta(days=4)

_GATEWAY: Final = Abilities(key_life=KEY_LIFE, look_up=True, settling=SETTLING, final_within=FINAL_WITHIN)
GRADES: Final[Mapping[Grade, Abilities]] = {
    Grade.KEY_AND_LOOK_UP: _GATEWAY,
    Grade.LOOK_UP: replace(_GATEWAY, key_life=None),
    Grade.KEY: replace(_GATEWAY, look_up=False),
    Grade.NEITHER: replace(_GATEWAY, key_life=None, look_up=False),
}

FIRST: Final = Standing(
    kind=Kind.REFUND,
    status=Status.ATTEMPTING,
    prior=Status.REQUESTED,
    extra=False,
    attempts_counted=0,
    claimed_at=CLAIMED,
    sending_at=SENT,
    last_counted_at=None,
    key_sent_at=SENT,
    deferrals=0,
    look_ups=0,
    waiting_since=None,
    absent_at=None,
)
SECOND: Final = replace(FIRST, prior=Status.QUEUED, attempts_counted=1, last_counted_at=CLAIMED - DAY)
FOURTH: Final = replace(SECOND, attempts_counted=3)
EXTRA_WHILE_QUEUED: Final = replace(SECOND, extra=True)
EXTRA_BEFORE_ANY_COUNTED: Final = replace(FIRST, prior=Status.QUEUED, extra=True)
EXTRA_AFTER_FAILED: Final = replace(FOURTH, prior=Status.FAILED, extra=True, attempts_counted=4)

PLACES: Final = (
    FIRST,
    SECOND,
    FOURTH,
    EXTRA_WHILE_QUEUED,
    EXTRA_BEFORE_ANY_COUNTED,
    EXTRA_AFTER_FAILED,
)
COUNTED_PLACES: Final = (FIRST, SECOND, FOURTH)
EXTRA_PLACES: Final = (EXTRA_WHILE_QUEUED, EXTRA_BEFORE_ANY_COUNTED, EXTRA_AFTER_FAILED)

ANSWERS: Final = tuple(Answer(outcome, reason=reason) for outcome, reason in product(Outcome, Reason))
FINDINGS: Final = tuple(LookUpAnswer(finding, reason=reason) for finding, reason in product(Finding, Reason))


def standings() -> Iterator[Standing]:
    """Every place, asked as a refund and as a void."""
    for place, kind in product(PLACES, Kind):
        yield replace(place, kind=kind)


def waiting(place: Standing, status: Status, *, since: datetime, **changes: Any) -> Standing:
    """The same refund once it is in doubt or submitted."""
    return replace(place, status=status, waiting_since=since, **changes)


def attempted(
    standing: Standing,
    answer: Answer | Outcome,
    *,
    grade: Grade = Grade.KEY_AND_LOOK_UP,
    policy: Policy = POLICY,
    now: datetime = NOW,
) -> Verdict:
    """The verdict on an attempt, by the real rules."""
    return judge.judge_attempt(
        standing,
        Answer(answer) if isinstance(answer, Outcome) else answer,
        policy=policy,
        abilities=GRADES[grade],
        call_limit=CALL_LIMIT,
        now=now,
        jitter=0.5,
    )


def looked_up(
    standing: Standing,
    found: LookUpAnswer | Finding,
    *,
    grade: Grade = Grade.KEY_AND_LOOK_UP,
    policy: Policy = POLICY,
    now: datetime = NOW,
) -> Verdict:
    """The verdict on a look-up, by the real rules."""
    return judge.judge_look_up(
        standing,
        LookUpAnswer(found) if isinstance(found, Finding) else found,
        policy=policy,
        abilities=GRADES[grade],
        now=now,
    )


def after(standing: Standing, verdict: Verdict, *, now: datetime) -> Standing:
    """The refund as it stands once a verdict is booked."""
    waits = verdict.status in {Status.IN_DOUBT, Status.SUBMITTED}
    began = standing.waiting_since if verdict.status is standing.status else now
    return replace(
        standing,
        status=verdict.status,
        attempts_counted=standing.attempts_counted + verdict.counted,
        last_counted_at=standing.claimed_at if verdict.counted else standing.last_counted_at,
        key_sent_at=None if verdict.new_key else standing.key_sent_at,
        deferrals=verdict.deferrals,
        look_ups=verdict.look_ups,
        waiting_since=began if waits else None,
        absent_at=verdict.absent_at,
    )
