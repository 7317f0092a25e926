"""Every limit of the rules just before, at, and just after it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from refunds.domain.abilities import Grade
from refunds.domain.judge import Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Answer, Finding, Outcome, Reason
from refunds.domain.schedule import DOUBT_LIMIT
from refunds.domain.status import Status
from tests.domain.standings import (
    CALL_LIMIT,
    FINAL_WITHIN,
    FIRST,
    KEY_LIFE,
    NOW,
    POLICY,
    SETTLING,
    TICK,
    attempted,
    looked_up,
    waiting,
)

_AROUND = (-TICK, timedelta(0), TICK)


@pytest.mark.parametrize("retry_days", range(6))
def test_every_limit_at_n_minus_one_n_and_n_plus_one(retry_days: int) -> None:
    """The attempt that is number n of n fails; one less is queued; one more, were it ever made, fails too."""
    policy = replace(POLICY, retry_days=retry_days)
    last = 1 + retry_days
    assert policy.most_counted == last

    for number in range(1, last + 2):
        standing = replace(FIRST, attempts_counted=number - 1)
        verdict = attempted(standing, Outcome.DECLINED, policy=policy)
        ended = number >= last
        assert verdict.status is (Status.FAILED if ended else Status.QUEUED), number
        assert verdict.notices == ((NoticeKind.FAILED,) if ended else ()), number
        assert verdict.counted


@pytest.mark.parametrize("retry_days", range(6))
def test_proven_absence_ends_an_episode_at_the_same_limit_as_a_decline(retry_days: int) -> None:
    policy = replace(POLICY, retry_days=retry_days)
    for number in range(1, retry_days + 3):
        doubted = waiting(FIRST, Status.IN_DOUBT, since=NOW, absent_at=NOW - SETTLING)
        standing = replace(doubted, attempts_counted=number - 1)
        ended = number >= policy.most_counted
        verdict = looked_up(standing, Finding.ABSENT, policy=policy)
        assert verdict.status is (Status.FAILED if ended else Status.QUEUED), number


@pytest.mark.parametrize("retry_days", [0, 1])
def test_a_hopeless_refusal_is_told_early_only_where_a_retry_follows(retry_days: int) -> None:
    hopeless = Answer(Outcome.DECLINED, reason=Reason.PERMANENT)
    verdict = attempted(FIRST, hopeless, policy=replace(POLICY, retry_days=retry_days))

    told = NoticeKind.REFUSED_EARLY if retry_days else NoticeKind.FAILED
    assert verdict.notices == (told,)


def _doubt(waited: timedelta) -> Verdict:
    return looked_up(waiting(FIRST, Status.IN_DOUBT, since=NOW - waited), Finding.UNCLEAR)


def _submitted(waited: timedelta) -> Verdict:
    return looked_up(waiting(FIRST, Status.SUBMITTED, since=NOW - waited), Finding.ACCEPTED)


@pytest.mark.parametrize(
    ("asked_after", "limit"), [(_doubt, DOUBT_LIMIT), (_submitted, FINAL_WITHIN)], ids=["doubt", "submitted"]
)
def test_waiting_for_a_final_word_ends_with_a_person_at_its_limit_and_not_before(
    asked_after: Callable[[timedelta], Verdict], limit: timedelta
) -> None:
    before, at, past = (asked_after(limit + tick) for tick in _AROUND)

    assert before.status in {Status.IN_DOUBT, Status.SUBMITTED}
    for verdict in (at, past):
        assert verdict.status is Status.NEEDS_REVIEW
        assert verdict.notices == (NoticeKind.OUTCOME_UNKNOWN,)
        assert not verdict.free_slot


def test_without_a_recorded_beginning_waiting_counts_from_the_claim() -> None:
    for tick, status in zip(
        _AROUND, (Status.IN_DOUBT, Status.NEEDS_REVIEW, Status.NEEDS_REVIEW), strict=True
    ):
        standing = replace(
            FIRST, status=Status.IN_DOUBT, claimed_at=NOW - DOUBT_LIMIT - tick, key_sent_at=NOW
        )
        assert looked_up(standing, Finding.UNCLEAR).status is status


def test_absence_found_after_the_limit_of_doubt_still_gets_its_second_look_up() -> None:
    standing = waiting(FIRST, Status.IN_DOUBT, since=NOW - 2 * DOUBT_LIMIT)

    assert looked_up(standing, Finding.ABSENT).status is Status.IN_DOUBT


def test_the_settling_time_is_over_at_its_very_end() -> None:
    ends = []
    for tick in _AROUND:
        standing = waiting(FIRST, Status.IN_DOUBT, since=NOW, absent_at=NOW - SETTLING - tick)
        ends.append(looked_up(standing, Finding.ABSENT).counted)

    assert ends == [False, True, True]


def test_a_key_is_over_at_the_very_end_of_its_life() -> None:
    moved, reviewed = [], []
    for tick in _AROUND:
        sent_at = NOW - KEY_LIFE - tick
        standing = waiting(FIRST, Status.IN_DOUBT, since=NOW, key_sent_at=sent_at, sending_at=sent_at)
        absent = replace(standing, absent_at=NOW - SETTLING)
        moved.append(looked_up(absent, Finding.ABSENT).new_key)
        asked = looked_up(standing, Finding.UNCLEAR, grade=Grade.KEY)
        reviewed.append(asked.status is Status.NEEDS_REVIEW)

    assert moved == reviewed == [False, True, True]


def test_no_look_up_comes_before_the_call_must_be_over() -> None:
    dues = []
    for tick in _AROUND:
        standing = replace(FIRST, sending_at=NOW - CALL_LIMIT - tick)
        dues.append(attempted(standing, Outcome.UNKNOWN).due_at)

    assert dues == [NOW + TICK, NOW, NOW]
