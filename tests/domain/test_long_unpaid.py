"""When people are told that a refund waits without a counted attempt: dates of its zone, then weeks."""

from datetime import UTC, datetime, time, timedelta

import pytest

from refunds.domain.schedule import TELL_AGAIN, Policy, is_long_unpaid

POLICY = Policy("Europe/Berlin", time(9), 3)
SINCE = datetime(2026, 3, 10, 22, 30, tzinfo=UTC)
"""Half an hour before midnight in Berlin."""
MIDNIGHT = datetime(2026, 3, 12, 23, 0, tzinfo=UTC)
"""The third local date after it begins."""
TICK = timedelta(microseconds=1)


def test_three_local_dates_are_counted_by_midnights_of_the_zone() -> None:
    assert not is_long_unpaid(SINCE, told_at=None, policy=POLICY, now=MIDNIGHT - TICK)
    assert is_long_unpaid(SINCE, told_at=None, policy=POLICY, now=MIDNIGHT)


@pytest.mark.parametrize(("after", "again"), [(TELL_AGAIN - TICK, False), (TELL_AGAIN, True)])
def test_what_was_told_is_told_again_after_a_week_and_not_before(after: timedelta, again: bool) -> None:
    assert is_long_unpaid(SINCE, told_at=MIDNIGHT, policy=POLICY, now=MIDNIGHT + after) is again
