"""The run hour of a date, in every zone and over every kind of clock change."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given, settings

from refunds.domain.schedule import local_date, run_instant
from tests.domain.zones import changes, expected_run, run_hours, zoned_instants

_SKIPPED = [
    ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00"),
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30"),
    ("America/St_Johns", "2006-04-02", "00:30", "2006-04-02T03:31"),
    ("Africa/Cairo", "2026-04-24", "00:30", "2026-04-23T22:00"),
    ("Asia/Beirut", "2026-03-29", "00:00", "2026-03-28T22:00"),
    ("America/Havana", "2026-03-08", "00:30", "2026-03-08T05:00"),
    ("Africa/Casablanca", "2024-04-14", "02:30", "2024-04-14T02:00"),
    ("Africa/El_Aaiun", "2024-04-14", "02:59", "2024-04-14T02:00"),
    ("Antarctica/Troll", "2026-03-29", "02:59", "2026-03-29T01:00"),
    ("Antarctica/Casey", "2011-10-28", "03:00", "2011-10-27T18:00"),
]
"""Zone, date, run hour that no clock shows on it, and the end of the gap in UTC."""

_SKIPPED_TO_THE_NEXT_DATE = [
    ("America/Nuuk", "2024-03-30", "23:30", "2024-03-31T01:00"),
    ("Asia/Pyongyang", "2018-05-04", "23:45", "2018-05-04T15:00"),
    ("Pacific/Apia", "2011-12-30", "00:00", "2011-12-30T10:00"),
    ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30T10:00"),
    ("Pacific/Apia", "2011-12-30", "23:59", "2011-12-30T10:00"),
    ("Pacific/Fakaofo", "2011-12-30", "09:00", "2011-12-30T11:00"),
    ("Pacific/Kwajalein", "1993-08-21", "09:00", "1993-08-21T12:00"),
    ("Pacific/Kiritimati", "1994-12-31", "09:00", "1994-12-31T10:00"),
]

_REPEATED = [
    ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30", "2026-10-25T01:30"),
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45", "2026-04-04T15:15"),
    ("America/St_Johns", "2006-10-28", "23:30", "2006-10-29T02:00", "2006-10-29T03:00"),
    ("America/St_Johns", "2006-10-29", "00:00", "2006-10-29T02:30", "2006-10-29T03:30"),
    ("Africa/Cairo", "2026-10-29", "23:30", "2026-10-29T20:30", "2026-10-29T21:30"),
    ("Asia/Beirut", "2026-10-24", "23:30", "2026-10-24T20:30", "2026-10-24T21:30"),
    ("America/Havana", "2026-11-01", "00:30", "2026-11-01T04:30", "2026-11-01T05:30"),
    ("Africa/Casablanca", "2024-03-10", "02:30", "2024-03-10T01:30", "2024-03-10T02:30"),
    ("Africa/El_Aaiun", "2024-03-10", "02:00", "2024-03-10T01:00", "2024-03-10T02:00"),
    ("Antarctica/Troll", "2026-10-25", "02:00", "2026-10-25T00:00", "2026-10-25T02:00"),
]
"""Zone, date, run hour that clocks show twice on it, and both passes in UTC."""


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "day", "run_at", "end_of_gap"), _SKIPPED)
def test_a_skipped_run_hour_happens_at_the_end_of_the_gap(
    zone: str, day: str, run_at: str, end_of_gap: str
) -> None:
    instant = run_instant(date.fromisoformat(day), time.fromisoformat(run_at), zone)

    assert instant == _utc(end_of_gap)
    assert local_date(instant, zone) == date.fromisoformat(day)


@pytest.mark.parametrize(("zone", "day", "run_at", "end_of_gap"), _SKIPPED_TO_THE_NEXT_DATE)
def test_a_gap_that_swallows_the_rest_of_a_date_ends_on_the_next_that_exists(
    zone: str, day: str, run_at: str, end_of_gap: str
) -> None:
    instant = run_instant(date.fromisoformat(day), time.fromisoformat(run_at), zone)

    assert instant == _utc(end_of_gap)
    assert local_date(instant, zone) > date.fromisoformat(day)


@pytest.mark.parametrize(("zone", "day", "run_at", "first", "second"), _REPEATED)
def test_a_repeated_run_hour_is_its_first_pass_unless_the_second_is_asked_for(
    zone: str, day: str, run_at: str, first: str, second: str
) -> None:
    when = date.fromisoformat(day), time.fromisoformat(run_at)

    assert run_instant(*when, zone) == _utc(first)
    assert run_instant(*when, zone, fold=1) == _utc(second)


@settings(max_examples=200)
@given(zoned=zoned_instants(), run_at=run_hours)
def test_the_run_hour_is_the_first_instant_that_shows_it_or_ends_the_gap_in_every_zone(
    zoned: tuple[str, datetime], run_at: time
) -> None:
    zone, about = zoned
    day = local_date(about, zone)

    instant = run_instant(day, run_at, zone)

    assert instant == expected_run(day, run_at, zone)
    assert instant.tzinfo is UTC


@pytest.mark.parametrize("fold", [0, 1])
def test_both_passes_of_a_skipped_hour_are_the_end_of_the_gap(fold: int) -> None:
    instant = run_instant(date(2026, 3, 29), time(2, 30), "Europe/Berlin", fold=1 if fold else 0)

    assert instant == _utc("2026-03-29T01:00")


def test_the_oracle_knows_the_clock_changes_by_heart() -> None:
    berlin = [change.at.isoformat() for change in changes("Europe/Berlin", first_year=2026, last_year=2026)]

    assert berlin == ["2026-03-29T01:00:00+00:00", "2026-10-25T01:00:00+00:00"]
    assert changes("UTC") == ()
