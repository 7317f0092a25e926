"""Days on which a zone's clocks change, and an independent word on when a daily run is due."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONES = (
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Beirut",
    "Atlantic/Azores",
    "Pacific/Chatham",
    "America/Santiago",
    "America/St_Johns",
    "Africa/Casablanca",
)
"""Zones that change by an hour or half of one, at night, at midnight and over it."""

RUN_HOURS = (time(9), time(2, 30), time(0), time(0, 30), time(1, 30), time(3), time(12), time(23, 59))


def changes(zone: str, year: int) -> Iterator[date]:
    """Local dates of the year on which the clocks change."""
    tz = ZoneInfo(zone)
    day = date(year, 1, 2)
    while day.year == year:
        before, after = (datetime.combine(day + timedelta(days=n), time(12), tz).utcoffset() for n in (-1, 0))
        if before != after:
            yield day
        day += timedelta(days=1)


def run_of(day: date, run_at: time, zone: str) -> datetime:
    """The first minute of a local date whose wall clock has come to the run hour.

    Walked minute by minute in UTC, so that it shares no reasoning with the product.
    """
    tz = ZoneInfo(zone)
    instant = datetime.combine(day, run_at, tz).astimezone(UTC) - timedelta(hours=3)
    wanted = datetime.combine(day, run_at)
    for _ in range(8 * 60):
        if instant.astimezone(tz).replace(tzinfo=None) >= wanted:
            return instant
        instant += timedelta(minutes=1)
    raise AssertionError(f"{day} never comes to {run_at} in {zone}")


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which nobody could work, on the clock of the database."""

    begins: datetime
    ends: datetime

    def excuses(self, due: datetime, done: datetime) -> bool:
        """Whether it explains why something due was done late."""
        return self.begins <= done and due <= self.ends
