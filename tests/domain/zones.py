"""Clock changes of every zone, read from offsets alone: an oracle that shares nothing with the schedule."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

ZONES: Final = tuple(sorted(available_timezones()))

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Change:
    """`at` is the first instant of the offset `after`."""

    at: datetime
    before: timedelta
    after: timedelta

    def skips(self, wall: datetime) -> bool:
        """No clock of the zone ever shows this naive wall time, because of this change."""
        utc = self.at.replace(tzinfo=None)
        return utc + self.before <= wall < utc + self.after

    @property
    def ends_the_day(self) -> bool:
        """It skips the last moments of a date, or whole dates."""
        utc = self.at.replace(tzinfo=None)
        return self.after > self.before and (utc + self.before).date() < (utc + self.after).date()


def offset(zone: str, seconds: int) -> timedelta:
    """The zone's offset at a POSIX time."""
    found = datetime.fromtimestamp(seconds, ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


@cache
def changes(zone: str, *, first_year: int = 2005, last_year: int = 2035) -> tuple[Change, ...]:
    """Every change of the zone's offset in these years. Two within a day would count as one."""
    begin = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    found: list[Change] = []
    low, before = begin, offset(zone, begin)
    for high in range(begin, end + 1, _DAY):
        after = offset(zone, high)
        if after != before:
            at = _first_with(zone, after, low, high)
            found.append(Change(datetime.fromtimestamp(at, UTC), before, after))
        low, before = high, after
    return tuple(found)


def _first_with(zone: str, after: timedelta, low: int, high: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset(zone, middle) == after else (middle, high)
    return high


def expected_run(day: date, run_at: time, zone: str) -> datetime:
    """The first instant that shows this wall time; where none does, the first one after the gap."""
    wall = datetime.combine(day, run_at)
    roughly = wall.replace(tzinfo=UTC)
    near = [c for c in changes(zone) if abs(c.at - roughly) < timedelta(days=2)]
    offsets = {o for c in near for o in (c.before, c.after)} or {offset(zone, int(roughly.timestamp()))}
    candidates = [(roughly - o, o) for o in offsets]
    shown = [instant for instant, o in candidates if offset(zone, int(instant.timestamp())) == o]
    if shown:
        return min(shown)
    (gap,) = [c for c in near if c.skips(wall)]
    return gap.at


@st.composite
def zoned_instants(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant of 2005 to 2035, often within two days of a clock change."""
    zone = draw(st.sampled_from(ZONES))
    found = changes(zone)
    if draw(st.booleans()) and found:
        around = draw(st.integers(-2 * _DAY, 2 * _DAY))
        return zone, draw(st.sampled_from(found)).at + timedelta(seconds=around)
    naive = draw(st.datetimes(datetime(2005, 1, 3), datetime(2035, 12, 20)))  # noqa: DTZ001 - made aware below
    return zone, naive.replace(tzinfo=UTC)


run_hours = st.builds(time, st.integers(0, 23), st.integers(0, 59))
