"""What an attempt's answer means: every outcome of every grade in every place of the schedule."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import product

import pytest

from refunds.domain.abilities import Grade
from refunds.domain.judge import Reservation, Standing, Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Answer, Outcome, Reason
from refunds.domain.schedule import FIRST_DEFERRAL, SUBMITTED_STEPS, local_date, next_run
from refunds.domain.status import TRANSITIONS, Kind, Status, Wait
from tests.domain.standings import (
    ANSWERS,
    CALL_LIMIT,
    CLAIMED,
    COUNTED_PLACES,
    DAY,
    EXTRA_AFTER_FAILED,
    EXTRA_BEFORE_ANY_COUNTED,
    EXTRA_PLACES,
    EXTRA_WHILE_QUEUED,
    FIRST,
    FOURTH,
    NOW,
    PLACES,
    POLICY,
    SECOND,
    SENT,
    after,
    attempted,
    standings,
)

_PERSON = {Reason.DISPUTED, Reason.REFUNDED_ELSEWHERE}
_RETRIED = (Reason.PASSING, Reason.PERMANENT)
_CAN_BE_ASKED = (Grade.KEY_AND_LOOK_UP, Grade.LOOK_UP, Grade.KEY)


def _verdicts(*outcomes: Outcome) -> Iterator[tuple[Standing, Answer, Grade, Verdict]]:
    for standing, answer, grade in product(standings(), ANSWERS, Grade):
        if answer.outcome in outcomes:
            yield standing, answer, grade, attempted(standing, answer, grade=grade)


def test_every_verdict_on_an_attempt_is_a_legal_move_that_hangs_together() -> None:
    for standing, answer, grade, verdict in _verdicts(*Outcome):
        case = (standing, answer, grade, verdict)
        assert verdict.status in TRANSITIONS[standing.status], case
        assert verdict.why, case
        waits = verdict.status in {Status.QUEUED, Status.IN_DOUBT, Status.SUBMITTED}
        assert (verdict.due_at is not None) == waits, case
        assert verdict.due_at is None or verdict.due_at >= NOW, case
        assert (verdict.wait is not None) == (verdict.status is Status.QUEUED), case
        booked = verdict.status in {Status.REFUNDED, Status.VOIDED}
        assert (verdict.reservation is Reservation.BOOK) == booked, case
        assert (verdict.reservation is Reservation.RELEASE) == (verdict.status is Status.FAILED), case


def test_only_a_declined_attempt_that_is_no_extra_counts_and_only_a_declined_one_moves_the_key() -> None:
    for standing, answer, grade, verdict in _verdicts(*Outcome):
        declined = answer.outcome is Outcome.DECLINED
        assert verdict.counted == (declined and not standing.extra), (standing, answer, grade)
        assert verdict.new_key == declined, (standing, answer, grade)


def test_refunded_books_the_amount_and_frees_the_slot() -> None:
    for standing, answer, _, verdict in _verdicts(Outcome.REFUNDED):
        status = Status.VOIDED if standing.kind is Kind.VOID else Status.REFUNDED
        alarmed = standing.prior is Status.FAILED
        told = (NoticeKind.RESOLVED,) if alarmed else ()
        expected = Verdict(status, "the gateway paid", reservation=Reservation.BOOK, notices=told)
        assert verdict == expected, (standing, answer)


def test_a_payment_found_before_sending_says_so() -> None:
    verdict = attempted(SECOND, Answer(Outcome.REFUNDED, found_by_look_up=True))

    assert (verdict.status, verdict.why) == (Status.REFUNDED, "found by a look-up")


def test_accepted_is_neither_paid_nor_failed_and_is_asked_about_soon() -> None:
    for *case, verdict in _verdicts(Outcome.ACCEPTED):
        assert verdict.status is Status.SUBMITTED, case
        assert verdict.reservation is Reservation.KEEP, case
        assert verdict.due_at == NOW + SUBMITTED_STEPS[0], case


def test_an_outage_is_no_try_keeps_the_key_and_backs_off() -> None:
    for standing, answer, _, verdict in _verdicts(Outcome.UNAVAILABLE):
        if not standing.extra:
            assert (verdict.status, verdict.wait) == (Status.QUEUED, Wait.OUTAGE), (standing, answer)
            assert verdict.due_at == NOW + FIRST_DEFERRAL * 3 / 4, "half, and half of the other half"
        assert not verdict.counted
        assert not verdict.new_key
        assert verdict.reservation is (
            Reservation.RELEASE if standing.prior is Status.FAILED else Reservation.KEEP
        )
        assert verdict.notices == ()


def test_one_outage_after_another_waits_longer_and_another_answer_ends_the_series() -> None:
    standing, waits = SECOND, []
    for _ in range(4):
        verdict = attempted(standing, Outcome.UNAVAILABLE)
        assert verdict.due_at is not None
        waits.append(verdict.due_at - NOW)
        standing = replace(after(standing, verdict, now=NOW), status=Status.ATTEMPTING)

    assert waits == [waits[0], waits[0] * 2, waits[0] * 4, waits[0] * 8]
    assert standing.deferrals == 4
    assert attempted(standing, Outcome.DECLINED).deferrals == 0


def test_an_outage_waits_as_long_as_the_gateway_wishes() -> None:
    verdict = attempted(FIRST, Answer(Outcome.UNAVAILABLE, retry_after_seconds=7_200.0))

    assert verdict.due_at == NOW + DAY / 12


def test_a_wish_that_is_no_number_breaks_no_verdict() -> None:
    verdict = attempted(FIRST, Answer(Outcome.UNAVAILABLE, retry_after_seconds=float("nan")))

    assert verdict == attempted(FIRST, Outcome.UNAVAILABLE)


def test_an_unknown_outcome_keeps_reservation_slot_place_and_key() -> None:
    for *case, verdict in _verdicts(Outcome.UNKNOWN):
        assert verdict.reservation is Reservation.KEEP, case
        assert not verdict.free_slot, case
        assert not verdict.counted, case
        assert not verdict.new_key, case


@pytest.mark.parametrize("grade", _CAN_BE_ASKED)
@pytest.mark.parametrize("place", PLACES)
def test_an_unknown_outcome_is_asked_about_once_the_call_must_be_over(grade: Grade, place: Standing) -> None:
    verdict = attempted(place, Outcome.UNKNOWN, grade=grade)

    assert verdict.status is Status.IN_DOUBT
    assert verdict.due_at == SENT + CALL_LIMIT
    assert verdict.notices == ()


@pytest.mark.parametrize("sent", [SENT - DAY, SENT - CALL_LIMIT])
def test_a_call_that_is_over_already_is_asked_about_now(sent: datetime) -> None:
    assert attempted(replace(FIRST, sending_at=sent), Outcome.UNKNOWN).due_at == NOW


def test_without_a_recorded_sending_the_call_counts_from_the_claim() -> None:
    assert attempted(replace(FIRST, sending_at=None), Outcome.UNKNOWN).due_at == CLAIMED + CALL_LIMIT


@pytest.mark.parametrize("place", PLACES)
def test_an_unknown_outcome_that_cannot_be_asked_about_goes_to_a_person_at_once(place: Standing) -> None:
    verdict = attempted(place, Outcome.UNKNOWN, grade=Grade.NEITHER)

    assert verdict.status is Status.NEEDS_REVIEW
    assert verdict.notices == (NoticeKind.OUTCOME_UNKNOWN,)
    assert not verdict.free_slot
    assert verdict.reservation is Reservation.KEEP


def test_a_dispute_or_a_refund_made_elsewhere_is_never_retried() -> None:
    for standing, answer, grade, verdict in _verdicts(Outcome.DECLINED):
        if answer.reason in _PERSON:
            case = (standing, answer, grade)
            assert verdict.status is Status.NEEDS_REVIEW, case
            assert verdict.notices == (NoticeKind.NEEDS_REVIEW,), case
            assert verdict.reservation is Reservation.KEEP, case
            assert verdict.due_at is None, case


@pytest.mark.parametrize("reason", _RETRIED)
@pytest.mark.parametrize("place", [FIRST, SECOND])
def test_a_decline_waits_for_the_daily_run_of_the_next_date(place: Standing, reason: Reason) -> None:
    verdict = attempted(place, Answer(Outcome.DECLINED, reason=reason))

    assert (verdict.status, verdict.wait) == (Status.QUEUED, Wait.DAILY)
    assert verdict.due_at == next_run(CLAIMED, POLICY, NOW)
    assert verdict.due_at is not None
    assert local_date(verdict.due_at, POLICY.zone) > local_date(CLAIMED, POLICY.zone)


@pytest.mark.parametrize("reason", _RETRIED)
@pytest.mark.parametrize("grade", Grade)
def test_the_fourth_counted_decline_fails_releases_and_tells_exactly_once(
    grade: Grade, reason: Reason
) -> None:
    verdict = attempted(FOURTH, Answer(Outcome.DECLINED, "card_closed", reason=reason), grade=grade)

    assert verdict == Verdict(
        Status.FAILED,
        "card_closed",
        counted=True,
        new_key=True,
        reservation=Reservation.RELEASE,
        notices=(NoticeKind.FAILED,),
    )


def test_a_hopeless_refusal_is_told_on_day_0_once_and_still_retried_to_the_end() -> None:
    answer, standing, told = Answer(Outcome.DECLINED, reason=Reason.PERMANENT), FIRST, []
    for _ in range(4):
        verdict = attempted(standing, answer)
        told.append(verdict.notices)
        standing = replace(after(standing, verdict, now=NOW), status=Status.ATTEMPTING)

    assert told == [(NoticeKind.REFUSED_EARLY,), (), (), (NoticeKind.FAILED,)]
    assert standing.attempts_counted == 4


def test_a_hopeless_refusal_is_silent_until_the_end_where_the_account_wants_that() -> None:
    answer = Answer(Outcome.DECLINED, reason=Reason.PERMANENT)

    verdict = attempted(FIRST, answer, policy=replace(POLICY, permanent_failures="retry"))

    assert (verdict.status, verdict.notices) == (Status.QUEUED, ())


def test_a_passing_refusal_is_not_told_before_the_end() -> None:
    for place in (FIRST, SECOND):
        assert attempted(place, Answer(Outcome.DECLINED, reason=Reason.PASSING)).notices == ()


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.UNAVAILABLE])
def test_an_extra_try_that_did_not_pay_leaves_the_schedule_as_it_was(outcome: Outcome) -> None:
    verdict = attempted(EXTRA_WHILE_QUEUED, outcome)

    assert (verdict.status, verdict.wait) == (Status.QUEUED, Wait.DAILY)
    assert verdict.due_at == next_run(CLAIMED - DAY, POLICY, NOW)
    assert verdict.notices == ()
    assert attempted(EXTRA_BEFORE_ANY_COUNTED, outcome).due_at == NOW, "the first try is still owed"


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.UNAVAILABLE])
def test_an_extra_try_of_a_failed_refund_that_did_not_pay_is_failed_again_without_another_alarm(
    outcome: Outcome,
) -> None:
    verdict = attempted(EXTRA_AFTER_FAILED, outcome)

    assert (verdict.status, verdict.due_at, verdict.notices) == (Status.FAILED, None, ())
    assert verdict.reservation is Reservation.RELEASE


def test_the_slot_stays_taken_exactly_while_the_money_may_have_moved() -> None:
    for *case, answer, _, verdict in _verdicts(*Outcome):
        assert verdict.free_slot == (answer.outcome is not Outcome.UNKNOWN), case


def test_the_places_cover_every_way_into_an_attempt() -> None:
    assert {(place.prior, place.extra) for place in COUNTED_PLACES + EXTRA_PLACES} == {
        (Status.REQUESTED, False),
        (Status.QUEUED, False),
        (Status.QUEUED, True),
        (Status.FAILED, True),
    }
