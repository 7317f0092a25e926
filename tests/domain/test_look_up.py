"""What a look-up means for a refund in doubt or submitted: only knowledge ends doubt, never time."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refunds.domain.abilities import Grade
from refunds.domain.judge import Reservation, Standing, Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Finding, LookUpAnswer, Reason
from refunds.domain.schedule import DOUBT_STEPS, SUBMITTED_STEPS, next_run
from refunds.domain.status import TRANSITIONS, Kind, Status, Wait
from tests.domain.standings import (
    CLAIMED,
    DAY,
    EXTRA_AFTER_FAILED,
    EXTRA_WHILE_QUEUED,
    FINDINGS,
    FIRST,
    FOURTH,
    KEY_LIFE,
    NOW,
    PLACES,
    POLICY,
    SECOND,
    SENT,
    SETTLING,
    TICK,
    after,
    looked_up,
    standings,
    waiting,
)

_WAITING = (Status.IN_DOUBT, Status.SUBMITTED)
_ABSENT_BEFORE = NOW - SETTLING
_IN_DOUBT = waiting(FIRST, Status.IN_DOUBT, since=SENT)
_SUBMITTED = waiting(FIRST, Status.SUBMITTED, since=SENT)
_ABSENT_ONCE = replace(_IN_DOUBT, absent_at=_ABSENT_BEFORE, look_ups=1)
_DAYS = st.timedeltas(timedelta(0), 30 * DAY)


def test_every_verdict_on_a_look_up_is_a_legal_move_that_hangs_together() -> None:
    absences = (None, NOW - TICK, _ABSENT_BEFORE)
    for place, status, found, grade, absent_at in product(standings(), _WAITING, FINDINGS, Grade, absences):
        standing = waiting(place, status, since=SENT, absent_at=absent_at)

        verdict = looked_up(standing, found, grade=grade)

        case = (standing, found, grade, verdict)
        assert verdict.status is status or verdict.status in TRANSITIONS[status], case
        assert (verdict.due_at is None) == (verdict.status not in {*_WAITING, Status.QUEUED}), case
        assert verdict.due_at is None or verdict.due_at >= NOW, case
        assert (verdict.reservation is Reservation.RELEASE) == (verdict.status is Status.FAILED), case
        paid = verdict.status in {Status.REFUNDED, Status.VOIDED}
        assert (verdict.reservation is Reservation.BOOK) == paid == (found.finding is Finding.REFUNDED), case
        assert not (verdict.counted and standing.extra), case
        assert not verdict.free_slot or verdict.status is not Status.IN_DOUBT, case


@pytest.mark.parametrize("status", _WAITING)
@pytest.mark.parametrize("place", PLACES)
def test_found_refunded_is_booked_from_every_place(place: Standing, status: Status) -> None:
    verdict = looked_up(waiting(place, status, since=SENT), Finding.REFUNDED)
    told = (NoticeKind.RESOLVED,) if place.prior is Status.FAILED else ()

    expected = Verdict(Status.REFUNDED, "found by a look-up", reservation=Reservation.BOOK, notices=told)
    assert verdict == expected


def test_a_void_that_is_found_is_voided() -> None:
    assert looked_up(replace(_IN_DOUBT, kind=Kind.VOID), Finding.REFUNDED).status is Status.VOIDED


def test_found_accepted_in_doubt_is_submitted_and_its_absence_is_forgotten() -> None:
    verdict = looked_up(_ABSENT_ONCE, Finding.ACCEPTED)

    assert (verdict.status, verdict.absent_at, verdict.look_ups) == (Status.SUBMITTED, None, 0)


def test_the_first_absence_proves_nothing_and_is_asked_again_after_the_settling_time() -> None:
    verdict = looked_up(_IN_DOUBT, Finding.ABSENT)

    assert (verdict.status, verdict.absent_at) == (Status.IN_DOUBT, NOW)
    assert verdict.due_at == NOW + SETTLING
    assert not verdict.counted
    assert not verdict.free_slot


def test_absence_is_proven_by_two_look_ups_the_settling_time_apart_and_not_before() -> None:
    early = looked_up(_ABSENT_ONCE, Finding.ABSENT, now=NOW - TICK)

    assert (early.status, early.counted, early.absent_at) == (Status.IN_DOUBT, False, _ABSENT_BEFORE)
    for now in (NOW, NOW + TICK):
        proven = looked_up(_ABSENT_ONCE, Finding.ABSENT, now=now)
        assert (proven.status, proven.why, proven.counted) == (Status.QUEUED, "proven_absent", True)


def test_an_early_second_look_up_is_followed_by_one_when_the_settling_time_is_over() -> None:
    for look_ups in range(5):
        standing = replace(_ABSENT_ONCE, look_ups=look_ups)
        now = NOW - timedelta(seconds=30)
        verdict = looked_up(standing, Finding.ABSENT, now=now)
        assert verdict.due_at == NOW


def test_an_unclear_look_up_between_two_absences_neither_proves_nor_forgets() -> None:
    verdict = looked_up(_ABSENT_ONCE, Finding.UNCLEAR)

    assert (verdict.status, verdict.absent_at) == (Status.IN_DOUBT, _ABSENT_BEFORE)
    assert verdict.due_at == NOW + timedelta(seconds=1), "overdue, but never at once again"


def test_in_doubt_proven_absent_returns_to_the_daily_run() -> None:
    now = NOW + 2 * DAY
    verdict = looked_up(_ABSENT_ONCE, Finding.ABSENT, now=now)

    assert (verdict.status, verdict.wait) == (Status.QUEUED, Wait.DAILY)
    assert verdict.due_at == next_run(CLAIMED, POLICY, now) == now


def test_the_key_moves_on_proven_absence_only_when_its_life_is_over() -> None:
    moved = {}
    for name, left in {"alive": TICK, "over": timedelta(0), "long over": -DAY}.items():
        standing = replace(_ABSENT_ONCE, key_sent_at=NOW - 9 * DAY, sending_at=NOW - KEY_LIFE + left)
        moved[name] = looked_up(standing, Finding.ABSENT).new_key

    assert moved == {"alive": False, "over": True, "long over": True}
    assert looked_up(_ABSENT_ONCE, Finding.ABSENT, grade=Grade.LOOK_UP).new_key, "it takes no key at all"
    assert not looked_up(_IN_DOUBT, Finding.ABSENT).new_key, "one absence proves nothing"


@pytest.mark.parametrize("status", _WAITING)
def test_a_refusal_found_by_a_look_up_counts_and_moves_the_key(status: Status) -> None:
    verdict = looked_up(waiting(SECOND, status, since=SENT), LookUpAnswer(Finding.DECLINED, "no_funds"))

    assert (verdict.status, verdict.why) == (Status.QUEUED, "no_funds")
    assert verdict.counted
    assert verdict.new_key


@pytest.mark.parametrize("status", _WAITING)
def test_a_refusal_of_the_last_counted_attempt_found_late_fails_and_tells(status: Status) -> None:
    verdict = looked_up(waiting(FOURTH, status, since=SENT), Finding.DECLINED)

    assert (verdict.status, verdict.notices) == (Status.FAILED, (NoticeKind.FAILED,))
    assert verdict.reservation is Reservation.RELEASE


@pytest.mark.parametrize("status", _WAITING)
@pytest.mark.parametrize("reason", [Reason.DISPUTED, Reason.REFUNDED_ELSEWHERE])
@pytest.mark.parametrize("place", PLACES)
def test_a_dispute_found_by_a_look_up_goes_to_a_person(
    place: Standing, reason: Reason, status: Status
) -> None:
    verdict = looked_up(waiting(place, status, since=SENT), LookUpAnswer(Finding.DECLINED, reason=reason))

    assert (verdict.status, verdict.notices) == (Status.NEEDS_REVIEW, (NoticeKind.NEEDS_REVIEW,))
    assert verdict.reservation is Reservation.KEEP


@pytest.mark.parametrize("finding", [Finding.DECLINED, Finding.ABSENT])
def test_an_extra_try_cleared_up_late_returns_to_where_it_came_from_uncounted(finding: Finding) -> None:
    ends = {}
    for place in (EXTRA_WHILE_QUEUED, EXTRA_AFTER_FAILED):
        doubted = waiting(place, Status.IN_DOUBT, since=SENT, absent_at=_ABSENT_BEFORE)
        verdict = looked_up(doubted, finding)
        assert not verdict.counted
        assert verdict.notices == ((NoticeKind.FAILED,) if place is EXTRA_AFTER_FAILED else ())
        ends[place.prior] = verdict.status

    assert ends == {Status.QUEUED: Status.QUEUED, Status.FAILED: Status.FAILED}


@pytest.mark.parametrize("finding", [Finding.ACCEPTED, Finding.ABSENT, Finding.UNCLEAR])
def test_submitted_is_asked_again_and_again_whatever_is_not_final(finding: Finding) -> None:
    standing, waits = _SUBMITTED, []
    for _ in range(5):
        verdict = looked_up(standing, finding)
        assert verdict.status is Status.SUBMITTED
        assert verdict.due_at is not None
        waits.append(verdict.due_at - NOW)
        standing = after(standing, verdict, now=NOW)

    assert waits == [*SUBMITTED_STEPS, SUBMITTED_STEPS[-1]]


def test_doubt_is_asked_about_again_and_again() -> None:
    standing, waits = _IN_DOUBT, []
    for _ in range(5):
        verdict = looked_up(standing, Finding.UNCLEAR)
        assert verdict.due_at is not None
        waits.append(verdict.due_at - NOW)
        standing = after(standing, verdict, now=NOW)

    assert waits == [*DOUBT_STEPS, DOUBT_STEPS[-1]]


def test_doubt_about_a_gateway_without_look_up_goes_to_a_person_as_soon_as_its_key_is_over() -> None:
    """The key cannot be sent again and there is no look-up: nothing is left to ask (design.md 6.4)."""
    for left, status in ((TICK, Status.IN_DOUBT), (timedelta(0), Status.NEEDS_REVIEW)):
        standing = replace(_IN_DOUBT, key_sent_at=NOW - KEY_LIFE + left)
        assert looked_up(standing, Finding.UNCLEAR, grade=Grade.KEY).status is status
        assert looked_up(standing, Finding.UNCLEAR, grade=Grade.LOOK_UP).status is Status.IN_DOUBT


@settings(max_examples=200)
@given(
    place=st.sampled_from(PLACES),
    grade=st.sampled_from(Grade),
    steps=st.lists(st.tuples(st.sampled_from(FINDINGS), _DAYS), min_size=1, max_size=12),
)
def test_time_alone_never_turns_in_doubt_into_failed(
    place: Standing, grade: Grade, steps: list[tuple[LookUpAnswer, timedelta]]
) -> None:
    standing, now = waiting(place, Status.IN_DOUBT, since=SENT), NOW
    absences = []
    for found, pause in steps:
        now += pause
        if standing.status is Status.IN_DOUBT and found.finding is Finding.ABSENT:
            absences.append(now)
        was = standing.status
        verdict = looked_up(standing, found, grade=grade, now=now)
        standing = after(standing, verdict, now=now)
        if verdict.status not in _WAITING:
            break
        assert verdict.reservation is Reservation.KEEP
        assert verdict.notices == ()
    else:
        return
    proven = was is Status.IN_DOUBT and len(absences) > 1 and absences[-1] - absences[0] >= SETTLING
    if verdict.status in {Status.FAILED, Status.QUEUED}:
        assert found.finding is Finding.DECLINED or (found.finding is Finding.ABSENT and proven)
    elif verdict.status is Status.NEEDS_REVIEW and found.finding is not Finding.DECLINED:
        assert verdict.notices == (NoticeKind.OUTCOME_UNKNOWN,)
        assert not verdict.free_slot
    if found.finding not in {Finding.DECLINED, Finding.ABSENT}:
        assert not verdict.counted
        assert not verdict.new_key


@pytest.mark.parametrize(
    ("standing", "why"),
    [(_IN_DOUBT, "nobody can tell"), (_SUBMITTED, "not final in time")],
)
def test_what_took_too_long_goes_to_a_person_with_the_reason(standing: Standing, why: str) -> None:
    verdict = looked_up(replace(standing, waiting_since=NOW - 30 * DAY), Finding.UNCLEAR)
    assert (verdict.status, verdict.why) == (Status.NEEDS_REVIEW, why)


@pytest.mark.parametrize("grade", [Grade.KEY, Grade.NEITHER])
def test_what_a_gateway_has_accepted_waits_for_its_final_word_even_where_no_key_lives(grade: Grade) -> None:
    standing = replace(_SUBMITTED, key_sent_at=NOW - 2 * KEY_LIFE)
    assert looked_up(standing, Finding.UNCLEAR, grade=grade).status is Status.SUBMITTED


def test_the_first_absence_counts_as_one_more_look_up() -> None:
    assert looked_up(replace(_IN_DOUBT, look_ups=3), Finding.ABSENT).look_ups == 4


def test_proven_absence_of_a_first_try_alarms_nobody() -> None:
    assert looked_up(_ABSENT_ONCE, Finding.ABSENT).notices == ()


@pytest.mark.parametrize(
    ("key_sent_at", "new_key"),
    [(SENT, False), (NOW - KEY_LIFE, True), (NOW - KEY_LIFE + TICK, False), (None, True)],
)
def test_a_key_whose_last_sending_is_unknown_is_as_old_as_its_first(
    key_sent_at: datetime | None, new_key: bool
) -> None:
    standing = replace(_ABSENT_ONCE, sending_at=None, key_sent_at=key_sent_at)
    assert looked_up(standing, Finding.ABSENT).new_key is new_key
