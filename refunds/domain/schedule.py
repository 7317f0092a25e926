"""When the next try is due: once a day at the run hour, in the account's own zone.

L is the local date on which the last counted attempt was claimed. The next is due at the run hour of L+1.
What is due is a stored instant; being late moves nothing but the moment. A run hour that a clock change
skips happens at the end of the gap, one that a clock change repeats happens once, at its first pass.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

FIRST_DEFERRAL = timedelta(seconds=15)
LONGEST_DEFERRAL = timedelta(hours=1)

DOUBT_STEPS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
"""Waits between look-ups of a refund in doubt; the last one repeats."""

DOUBT_LIMIT = timedelta(days=7)
"""After this long in doubt a person is asked."""

TELL_AFTER = timedelta(days=3)
"""Local dates without a counted attempt after which people are told that a refund is still unpaid."""

TELL_AGAIN = timedelta(days=7)

SUBMITTED_STEPS = (timedelta(seconds=30), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""Waits between look-ups of an accepted refund; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Policy:
    """An account's schedule and manner. `retry_days` retries follow the first attempt, one a day."""

    zone: str
    run_at: time
    retry_days: int
    permanent_failures: Literal["notify", "retry"] = "notify"

    @property
    def most_counted(self) -> int:
        """Counted attempts that end an episode."""
        return 1 + self.retry_days


def local_date(instant: datetime, zone: str) -> date:
    """The calendar date of an instant in a zone."""
    return instant.astimezone(ZoneInfo(zone)).date()


def run_instant(day: date, run_at: time, zone: str, *, fold: Literal[0, 1] = 0) -> datetime:
    """The UTC instant of the run hour on a local date.

    Skipped by a clock change: the end of the gap. Repeated: the first pass (`fold=1`: the second). A date
    that the zone skipped altogether (Samoa, 30 December 2011): the first instant of the next that exists.
    """
    tz = ZoneInfo(zone)
    wall = datetime.combine(day, run_at)
    instant = wall.replace(tzinfo=tz, fold=fold).astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) == wall:
        return instant
    return _end_of_gap(instant, tz)


def next_run(last_counted_at: datetime, policy: Policy, now: datetime) -> datetime:
    """When the attempt after the last counted one is due; never on the same local date, never in the past.

    However late it is claimed then, the local date is past L.
    """
    following = local_date(last_counted_at, policy.zone) + timedelta(days=1)
    return max(run_instant(following, policy.run_at, policy.zone), _beginning(following, policy.zone), now)


def _beginning(day: date, zone: str) -> datetime:
    """From here on the date before is over.

    Clocks that go back over midnight begin a date twice, and only the second beginning stays. Clocks that go
    back to midnight, inside the new date, repeat an hour of it and nothing else.
    """
    again = run_instant(day, time.min, zone, fold=1)
    left = local_date(again - timedelta(microseconds=1), zone) < day
    return again if left else run_instant(day, time.min, zone)


def is_long_unpaid(since: datetime, *, told_at: datetime | None, policy: Policy, now: datetime) -> bool:
    """Three local dates without a counted attempt: people are told once, and weekly from then on."""
    if told_at is not None and now - told_at < TELL_AGAIN:
        return False
    return local_date(now, policy.zone) - local_date(since, policy.zone) >= TELL_AFTER


def deferral(times_before: int, *, jitter: float, wish_seconds: float | None = None) -> timedelta:
    """How long an outage defers: doubling from 15 s to an hour, half of it by chance (`jitter` in 0..1).

    A gateway's own wish (Retry-After) is honoured up to a day, and never undercut.
    """
    full = min(FIRST_DEFERRAL * (1 << min(times_before, 12)), LONGEST_DEFERRAL)
    ours = full / 2 + full / 2 * jitter
    if wish_seconds is None:
        return ours
    # max() keeps its first argument against NaN.
    return max(ours, timedelta(seconds=min(max(0.0, wish_seconds), 86_400.0)))


def step(steps: tuple[timedelta, ...], done: int) -> timedelta:
    """The wait after `done` look-ups; the last step repeats."""
    return steps[min(done, len(steps) - 1)]


def _end_of_gap(inside: datetime, tz: ZoneInfo) -> datetime:
    """First instant after the clock change around `inside`, to the second, by halving two days."""
    low, high = inside - timedelta(days=1), inside + timedelta(days=1)
    after = high.astimezone(tz).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (low, middle) if middle.astimezone(tz).utcoffset() == after else (middle, high)
    return high.replace(microsecond=0)
