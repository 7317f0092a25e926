from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome, Reason


def test_an_answer_that_says_no_more_was_sent_and_may_be_refused_for_a_while() -> None:
    answer = Answer(Outcome.DECLINED)

    assert (answer.sent, answer.found_by_look_up, answer.reason) == (True, False, Reason.PASSING)
    assert (answer.reference, answer.retry_after_seconds, answer.duration_ms) == (None, None, 0)


def test_a_finding_that_says_no_more_shows_neither_a_dispute_nor_any_money() -> None:
    found = LookUpAnswer(Finding.ABSENT)

    assert (found.disputed, found.reason, found.reference) == (False, Reason.PASSING, None)
    assert (found.refundable_minor, found.refunded_minor, found.duration_ms) == (None, None, 0)
