"""Times that pages and people rely on: they are promises, so that a change of one is a change of its test."""

from datetime import timedelta

from refunds.domain.schedule import DOUBT_LIMIT, DOUBT_STEPS, SUBMITTED_STEPS, TELL_AFTER, TELL_AGAIN
from refunds.domain.watch import UNCLEAR_AGAIN, UNCLEAR_LIMIT, WATCH_STEPS

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


def test_what_is_in_doubt_is_asked_about_soon_then_daily_and_by_a_person_after_a_week() -> None:
    assert DOUBT_STEPS == (MINUTE, 5 * MINUTE, HOUR, DAY)
    assert DOUBT_LIMIT == 7 * DAY


def test_what_was_accepted_is_asked_about_soon_then_every_six_hours() -> None:
    assert SUBMITTED_STEPS == (30 * SECOND, 10 * MINUTE, HOUR, 6 * HOUR)


def test_what_is_long_unpaid_is_told_after_three_dates_and_weekly() -> None:
    assert (TELL_AFTER, TELL_AGAIN) == (3 * DAY, 7 * DAY)


def test_what_is_at_its_end_is_asked_about_on_the_first_day_then_ever_more_rarely() -> None:
    assert WATCH_STEPS == (DAY, 2 * DAY, 4 * DAY, 7 * DAY)
    assert (UNCLEAR_AGAIN, UNCLEAR_LIMIT) == (6 * HOUR, 7 * DAY)
