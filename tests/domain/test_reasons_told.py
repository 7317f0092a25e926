"""What a verdict says of itself, for the history and for people."""

from itertools import product

import pytest

from refunds.domain.abilities import Grade
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from tests.domain.standings import FIRST, attempted, standings


def test_an_unknown_outcome_of_what_was_never_sent_goes_to_a_person_with_its_words() -> None:
    """It may have been paid before this database's memory: there is no call whose end could be waited for."""
    for standing, grade in product(standings(), Grade):
        answer = Answer(Outcome.UNKNOWN, "restored_backup", "an old backup was restored", sent=False)
        verdict = attempted(standing, answer, grade=grade)
        assert (verdict.status, verdict.why) == (Status.NEEDS_REVIEW, "an old backup was restored")
        assert verdict.notices == (NoticeKind.OUTCOME_UNKNOWN,)
        assert (verdict.free_slot, verdict.counted) == (False, False)


@pytest.mark.parametrize(("code", "why"), [("timeout", "timeout"), ("", "no answer")])
def test_a_doubt_says_what_was_seen_of_the_answer(code: str, why: str) -> None:
    assert attempted(FIRST, Answer(Outcome.UNKNOWN, code)).why == why


@pytest.mark.parametrize(("code", "why"), [("not_reached", "not_reached"), ("", "unavailable")])
def test_an_outage_says_what_was_seen_of_it(code: str, why: str) -> None:
    assert attempted(FIRST, Answer(Outcome.UNAVAILABLE, code)).why == why
