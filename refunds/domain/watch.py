"""Late truth: what a gateway says about a refund that was at its end.

Paid is not the end: the bank may return the money days later. Nor is failed: what was taken for absent may
turn up. So the gateway is asked again for some days, and whatever it says then holds.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from refunds.domain.abilities import Abilities
from refunds.domain.judge import Reservation, Standing, Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import NO_LOOK_UP, SEVERAL_REFUNDS, Finding, LookUpAnswer, Reason
from refunds.domain.schedule import Policy, next_run, step
from refunds.domain.status import Kind, Status, Wait

WATCH_STEPS = (timedelta(days=1), timedelta(days=2), timedelta(days=4), timedelta(days=7))
"""Waits between look-ups of a refund that is at its end; the last one repeats."""

UNCLEAR_AGAIN = timedelta(hours=6)
UNCLEAR_LIMIT = timedelta(days=7)
"""An answer that says nothing clear does not end a watch: it is asked for so long beyond its end."""

WATCHED = frozenset({Status.REFUNDED, Status.FAILED, Status.NEEDS_REVIEW})
"""Ends after which the gateway is asked again by itself."""

_PAID_LATE = {
    Status.NEEDS_REVIEW: (Reservation.BOOK, NoticeKind.RESOLVED),
    Status.FAILED: (Reservation.BOOK_LATE, NoticeKind.RESOLVED),
    Status.CANCELLED: (Reservation.BOOK_LATE, NoticeKind.PAID_ANYWAY),
    Status.REFUNDED_EXTERNALLY: (Reservation.BOOK_EXTERNAL, NoticeKind.PAID_ANYWAY),
}
"""Where the money of a refund that was thought unpaid comes from, and what people are told of it."""


def watched(verdict: Verdict, *, abilities: Abilities, watch: timedelta, now: datetime) -> Verdict:
    """The verdict with its first look-up after the end, where the gateway can be asked and that is wanted."""
    if verdict.status not in WATCHED:
        return verdict
    begins = first_watch(abilities, watch=watch, now=now)
    return replace(verdict, watch_at=begins["watch_at"], watch_until=begins["watch_until"])


def first_watch(abilities: Abilities, *, watch: timedelta, now: datetime) -> dict[str, datetime | None]:
    """When a refund that a person has brought to an end is looked up, and until when; by column."""
    begins = abilities.look_up and watch >= WATCH_STEPS[0]
    return {
        "watch_at": now + WATCH_STEPS[0] if begins else None,
        "watch_until": now + watch if begins else None,
    }


def judge_watch(standing: Standing, found: LookUpAnswer, *, policy: Policy, now: datetime) -> Verdict:
    """What a look-up means for a refund that was at its end. Only a clear word of the gateway moves it."""
    if found.code == SEVERAL_REFUNDS:
        return replace(_keep(standing, now=now), watch_at=None, notices=(NoticeKind.PAID_ANYWAY,))
    pending = found.finding is Finding.ACCEPTED and standing.status is not Status.REFUNDED
    if pending or (found.finding is Finding.UNCLEAR and found.code != NO_LOOK_UP):
        return _ask_soon(standing, now=now)
    if standing.status is Status.REFUNDED:
        taken_back = found.finding is Finding.DECLINED
        return _taken_back(found, policy=policy, now=now) if taken_back else _keep(standing, now=now)
    if found.finding is Finding.REFUNDED and standing.status in _PAID_LATE:
        reservation, notice = _PAID_LATE[standing.status]
        status = Status.VOIDED if standing.kind is Kind.VOID else Status.REFUNDED
        return Verdict(status, "found by a look-up, late", reservation=reservation, notices=(notice,))
    return _keep(standing, now=now)


def _taken_back(found: LookUpAnswer, *, policy: Policy, now: datetime) -> Verdict:
    """The money is owed again: three new days, or a person where the same card cannot take it."""
    why = f"the gateway took it back: {found.code or 'no reason given'}"
    if found.reason is not Reason.PASSING:
        return Verdict(
            Status.NEEDS_REVIEW,
            why,
            new_key=True,
            reservation=Reservation.TAKE_BACK,
            notices=(NoticeKind.TAKEN_BACK,),
        )
    return Verdict(
        Status.QUEUED,
        why,
        due_at=next_run(now, policy, now),
        wait=Wait.DAILY,
        new_key=True,
        new_episode=True,
        reservation=Reservation.TAKE_BACK,
        notices=(NoticeKind.TAKEN_BACK,),
    )


def _ask_soon(standing: Standing, *, now: datetime) -> Verdict:
    """The gateway could not say: that look-up does not count as one."""
    goes_on = now < (standing.watch_until or now) + UNCLEAR_LIMIT
    again = now + UNCLEAR_AGAIN if goes_on else None
    return replace(_keep(standing, now=now), look_ups=standing.look_ups, watch_at=again)


def _keep(standing: Standing, *, now: datetime) -> Verdict:
    """Nothing new: asked again later, for the last time when the watch is over."""
    until = standing.watch_until or now
    again = min(now + step(WATCH_STEPS, standing.look_ups + 1), until)
    return Verdict(
        standing.status,
        "nothing new",
        unmoved=True,
        free_slot=False,
        look_ups=standing.look_ups + 1,
        watch_at=again if now < until else None,
    )
