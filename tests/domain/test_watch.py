"""What a look-up means for a refund that was at its end: only the gateway's clear word moves it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from refunds.domain.judge import Reservation, Standing, Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import NO_LOOK_UP, SEVERAL_REFUNDS, Finding, LookUpAnswer, Reason
from refunds.domain.status import Kind, Status, Wait
from refunds.domain.watch import UNCLEAR_AGAIN, UNCLEAR_LIMIT, WATCH_STEPS, WATCHED, judge_watch, watched
from tests.domain.standings import DAY, FOURTH, GRADES, NOW, POLICY

UNTIL = NOW + 14 * DAY


def standing(status: Status, **more: Any) -> Standing:
    return replace(FOURTH, status=status, watch_until=UNTIL, **more)


def judged(status: Status, finding: Finding, **more: Any) -> Verdict:
    return judge_watch(standing(status), LookUpAnswer(finding, **more), policy=POLICY, now=NOW)


@pytest.mark.parametrize("finding", [Finding.REFUNDED, Finding.ACCEPTED, Finding.ABSENT, Finding.UNCLEAR])
def test_a_paid_refund_stays_paid_unless_the_gateway_says_that_ours_failed(finding: Finding) -> None:
    verdict = judged(Status.REFUNDED, finding)

    assert (verdict.status, verdict.unmoved, verdict.reservation) == (Status.REFUNDED, True, Reservation.KEEP)
    assert (verdict.notices, verdict.free_slot, verdict.counted, verdict.new_key) == ((), False, False, False)


def test_taken_back_is_owed_again_from_the_next_local_date_in_a_new_episode() -> None:
    verdict = judged(Status.REFUNDED, Finding.DECLINED, code="bank_returned")

    assert (verdict.status, verdict.wait, verdict.new_episode) == (Status.QUEUED, Wait.DAILY, True)
    assert (verdict.reservation, verdict.new_key) == (Reservation.TAKE_BACK, True)
    assert verdict.due_at is not None
    assert verdict.due_at.date() == NOW.date() + DAY
    assert verdict.notices == (NoticeKind.TAKEN_BACK,)
    assert "bank_returned" in verdict.why
    assert judged(Status.REFUNDED, Finding.DECLINED).why == "the gateway took it back: no reason given"


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.PASSING])
def test_taken_back_for_good_is_for_a_person(reason: Reason) -> None:
    verdict = judged(Status.REFUNDED, Finding.DECLINED, reason=reason)

    assert (verdict.status, verdict.due_at, verdict.new_episode) == (Status.NEEDS_REVIEW, None, False)
    assert (verdict.reservation, verdict.notices) == (Reservation.TAKE_BACK, (NoticeKind.TAKEN_BACK,))
    assert verdict.new_key


@pytest.mark.parametrize(
    ("status", "reservation", "notice"),
    [
        (Status.FAILED, Reservation.BOOK_LATE, NoticeKind.RESOLVED),
        (Status.NEEDS_REVIEW, Reservation.BOOK, NoticeKind.RESOLVED),
        (Status.CANCELLED, Reservation.BOOK_LATE, NoticeKind.PAID_ANYWAY),
        (Status.REFUNDED_EXTERNALLY, Reservation.BOOK_EXTERNAL, NoticeKind.PAID_ANYWAY),
    ],
)
@pytest.mark.parametrize("kind", Kind)
def test_what_was_thought_unpaid_and_is_found_paid_is_booked_and_told(
    status: Status, reservation: Reservation, notice: NoticeKind, kind: Kind
) -> None:
    found = LookUpAnswer(Finding.REFUNDED, reference="sre_1")
    verdict = judge_watch(standing(status, kind=kind), found, policy=POLICY, now=NOW)

    assert verdict.status is (Status.VOIDED if kind is Kind.VOID else Status.REFUNDED)
    assert (verdict.reservation, verdict.notices, verdict.unmoved) == (reservation, (notice,), False)


@pytest.mark.parametrize("finding", [each for each in Finding if each is not Finding.REFUNDED])
@pytest.mark.parametrize(
    "status", [Status.FAILED, Status.NEEDS_REVIEW, Status.CANCELLED, Status.REFUNDED_EXTERNALLY]
)
def test_nothing_but_found_paid_moves_what_was_thought_unpaid(status: Status, finding: Finding) -> None:
    verdict = judged(status, finding)

    assert (verdict.status, verdict.unmoved, verdict.notices) == (status, True, ())


@pytest.mark.parametrize("status", sorted(WATCHED))
def test_several_refunds_of_ours_are_told_once_and_asked_about_no_more(status: Status) -> None:
    verdict = judged(status, Finding.UNCLEAR, code=SEVERAL_REFUNDS)

    assert (verdict.unmoved, verdict.watch_at, verdict.notices) == (True, None, (NoticeKind.PAID_ANYWAY,))


def test_the_waits_grow_and_the_last_look_up_is_at_the_end_of_the_watch() -> None:
    asked, at, look_ups = [], NOW, 0
    while True:
        seen = replace(standing(Status.REFUNDED), look_ups=look_ups)
        verdict = judge_watch(seen, LookUpAnswer(Finding.REFUNDED), policy=POLICY, now=at)
        if verdict.watch_at is None:
            break
        asked.append(verdict.watch_at - NOW)
        at, look_ups = verdict.watch_at, verdict.look_ups

    assert asked == [2 * DAY, 6 * DAY, 13 * DAY, 14 * DAY]


def test_an_unclear_answer_ends_no_watch_and_is_no_look_up() -> None:
    """Money taken back on the last day of the watch would not be seen, because that look-up timed out."""
    seen = standing(Status.REFUNDED, look_ups=3)
    unclear = LookUpAnswer(Finding.UNCLEAR, "timeout")

    verdict = judge_watch(seen, unclear, policy=POLICY, now=UNTIL)

    assert (verdict.unmoved, verdict.look_ups, verdict.watch_at) == (True, 3, UNTIL + UNCLEAR_AGAIN)


def test_a_gateway_that_says_nothing_clear_for_long_is_asked_no_more() -> None:
    seen = standing(Status.REFUNDED)
    unclear = LookUpAnswer(Finding.UNCLEAR, "timeout")

    assert judge_watch(seen, unclear, policy=POLICY, now=UNTIL + UNCLEAR_LIMIT).watch_at is None


def test_a_watch_that_nobody_asked_for_ends_with_its_first_answer() -> None:
    seen = replace(standing(Status.CANCELLED), watch_until=None)

    assert judge_watch(seen, LookUpAnswer(Finding.ABSENT), policy=POLICY, now=NOW).watch_at is None


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("grade", "days"), [("A", 14), ("B", 1), ("C", 14), ("D", 14), ("A", 0)])
def test_an_end_is_watched_where_the_gateway_can_be_asked_and_that_is_wanted(
    status: Status, grade: str, days: int
) -> None:
    abilities = next(can for each, can in GRADES.items() if each.value == grade)
    watch = timedelta(days=days)
    verdict = watched(Verdict(status, "x"), abilities=abilities, watch=watch, now=NOW)

    if status in WATCHED and grade in {"A", "B"} and days:
        assert (verdict.watch_at, verdict.watch_until) == (NOW + WATCH_STEPS[0], NOW + watch)
    else:
        assert (verdict.watch_at, verdict.watch_until) == (None, None)


def test_paid_failed_and_under_review_are_the_ends_that_are_watched() -> None:
    assert {Status.REFUNDED, Status.FAILED, Status.NEEDS_REVIEW} == WATCHED


def test_a_gateway_that_has_no_look_up_is_not_asked_again_soon() -> None:
    verdict = judged(Status.REFUNDED, Finding.UNCLEAR, code=NO_LOOK_UP)

    assert verdict.look_ups == standing(Status.REFUNDED).look_ups + 1


@pytest.mark.parametrize("status", [Status.VOIDED, Status.QUEUED, Status.HELD])
def test_a_refund_that_waits_for_no_late_truth_is_not_moved_by_one(status: Status) -> None:
    assert judged(status, Finding.REFUNDED).unmoved


def test_an_unclear_answer_to_a_look_up_that_nobody_asked_for_is_asked_again() -> None:
    seen = replace(standing(Status.CANCELLED), watch_until=None)

    assert (
        judge_watch(seen, LookUpAnswer(Finding.UNCLEAR), policy=POLICY, now=NOW).watch_at
        == NOW + UNCLEAR_AGAIN
    )
