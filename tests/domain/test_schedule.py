"""The next run: once a local date, never the same one twice, never in the past, late or not."""

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refunds.domain.schedule import Policy, local_date, next_run, run_instant
from tests.domain.zones import ZONES, Change, changes, offset, run_hours, zoned_instants

_BERLIN = Policy("Europe/Berlin", time(9), 3)
_DAY = timedelta(days=1)
_SIMULATED = {"first_year": 2024, "last_year": 2026}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_an_attempt_just_before_midnight_is_retried_at_the_run_hour_of_the_next_date() -> None:
    claimed = _at("2026-06-10T23:59:00+02:00")

    assert next_run(claimed, _BERLIN, claimed) == _at("2026-06-11T09:00:00+02:00")


def test_an_attempt_just_after_midnight_waits_for_the_run_hour_of_the_date_after() -> None:
    claimed = _at("2026-06-10T00:01:00+02:00")

    assert next_run(claimed, _BERLIN, claimed) == _at("2026-06-11T09:00:00+02:00")


def test_the_next_run_is_due_until_the_very_instant_and_now_from_then_on() -> None:
    claimed, due = _at("2026-06-10T12:00:00+02:00"), _at("2026-06-11T09:00:00+02:00")
    tick = timedelta(microseconds=1)

    assert next_run(claimed, _BERLIN, due - tick) == due
    assert next_run(claimed, _BERLIN, due) == due
    assert next_run(claimed, _BERLIN, due + tick) == due + tick


def test_missed_days_give_one_run_now_and_the_schedule_goes_on_from_there() -> None:
    claimed, now = _at("2026-06-10T12:00:00+02:00"), _at("2026-06-15T14:30:00+02:00")

    caught_up = next_run(claimed, _BERLIN, now)

    assert caught_up == now
    assert next_run(caught_up, _BERLIN, now) == _at("2026-06-16T09:00:00+02:00")


def test_a_run_hour_missed_by_minutes_is_made_up_on_the_same_date() -> None:
    claimed, now = _at("2026-06-10T12:00:00+02:00"), _at("2026-06-11T09:05:00+02:00")

    assert next_run(claimed, _BERLIN, now) == now


@pytest.mark.parametrize("now", ["2026-06-09T23:50:00+02:00", "2026-06-08T09:00:00+02:00"])
def test_a_clock_set_back_over_midnight_gives_no_second_run(now: str) -> None:
    claimed = _at("2026-06-10T00:10:00+02:00")

    assert next_run(claimed, _BERLIN, _at(now)) == _at("2026-06-11T09:00:00+02:00")


@pytest.mark.parametrize("run_at", [time(0, 0), time(0, 0, 30), time(9)])
@pytest.mark.parametrize("counted", ["23:30", "12:00", "00:00"])
def test_a_date_that_clocks_leave_again_is_waited_for_until_it_stays(run_at: time, counted: str) -> None:
    """St John's turned 00:01 of the 29th back to 23:01 of the 28th: a late claim was on the 28th again."""
    policy = Policy("America/St_Johns", run_at, 3)
    claimed = _at(f"2006-10-28T{counted}:00-02:30")

    for minutes in range(0, 36 * 60, 5):
        due = next_run(claimed, policy, claimed + timedelta(minutes=minutes))
        late = [due + timedelta(seconds=seconds) for seconds in (0, 1, 45, 90, 900, 3_600, 5_400)]
        assert min(local_date(instant, policy.zone) for instant in late) == local_date(due, policy.zone)
        assert local_date(due, policy.zone) > date(2006, 10, 28)


@pytest.mark.parametrize("claimed", ["2026-10-31T12:00:00-04:00", "2026-10-31T23:59:00-04:00"])
def test_clocks_that_go_back_to_midnight_repeat_an_hour_and_put_off_no_run(claimed: str) -> None:
    """Havana turns 01:00 of 1 November back to 00:00 of the same date: 00:30 comes at once, and once more."""
    counted = _at(claimed)

    due = next_run(counted, Policy("America/Havana", time(0, 30), 3), counted)

    assert due == _at("2026-11-01T00:30:00-04:00")


@settings(max_examples=200)
@given(
    zoned=zoned_instants(),
    run_at=run_hours,
    later=st.timedeltas(timedelta(0), 6 * _DAY),
    late=st.timedeltas(timedelta(0), timedelta(hours=30)),
)
def test_the_next_run_is_never_past_and_however_late_it_is_claimed_never_on_the_same_date(
    zoned: tuple[str, datetime], run_at: time, later: timedelta, late: timedelta
) -> None:
    zone, claimed = zoned
    now = claimed + later

    due = next_run(claimed, Policy(zone, run_at, 3), now)

    assert due >= now
    assert local_date(due, zone) > local_date(claimed, zone)
    assert local_date(due + late, zone) > local_date(claimed, zone)
    assert due == now or due - claimed <= 3 * _DAY, "a date later than the next that exists"


@given(zoned=zoned_instants(), run_at=run_hours, other=st.sampled_from(ZONES))
def test_a_zone_moved_between_two_runs_gives_no_run_on_the_date_of_the_last(
    zoned: tuple[str, datetime], run_at: time, other: str
) -> None:
    _, claimed = zoned

    due = next_run(claimed, Policy(other, run_at, 3), claimed)

    assert local_date(due, other) > local_date(claimed, other)


def _claims(policy: Policy, start: datetime, outages: Sequence[tuple[datetime, datetime]]) -> list[datetime]:
    """When four counted attempts are claimed, with nobody there to claim during the outages."""

    def awake(instant: datetime) -> datetime:
        for begin, end in sorted(outages):
            if begin <= instant < end:
                instant = end
        return instant

    claims = [awake(start)]
    while len(claims) < policy.most_counted:
        settled = claims[-1] + timedelta(seconds=2)
        claims.append(awake(next_run(claims[-1], policy, settled)))
    return claims


def test_four_attempts_land_on_four_dates_in_every_zone_whatever_the_scheduler_misses() -> None:
    for zone in ZONES:
        dice = random.Random(zone)  # the same days for a zone in each run
        starts = [change.at - dice.random() * 4 * _DAY for change in changes(zone, **_SIMULATED)]
        starts += [datetime(2026, 1, 1, tzinfo=UTC) + dice.random() * 300 * _DAY for _ in range(2)]
        for start in starts:
            policy = Policy(zone, time(dice.randrange(24), dice.randrange(60)), 3)
            begins = [start + dice.random() * 10 * _DAY for _ in range(dice.randrange(5))]
            outages = [(begin, begin + dice.random() * 2 * _DAY) for begin in begins]

            claims = _claims(policy, start, outages)

            dates = [local_date(claim, zone) for claim in claims]
            assert len(set(dates)) == 4, (policy, start, outages)
            assert claims == sorted(claims)
            assert claims[-1] - start < 14 * _DAY


def test_without_an_outage_four_attempts_land_on_four_dates_in_a_row() -> None:
    claims = _claims(_BERLIN, _at("2026-03-27T15:00:00+01:00"), [])

    assert [str(local_date(claim, _BERLIN.zone)) for claim in claims] == [
        "2026-03-27",
        "2026-03-28",
        "2026-03-29",
        "2026-03-30",
    ]


def test_each_local_date_runs_once_in_every_zone() -> None:
    """Zones whose clocks agree throughout the years are walked through once."""
    alike: dict[tuple[timedelta, tuple[Change, ...]], list[str]] = defaultdict(list)
    begin = int(datetime(_SIMULATED["first_year"], 1, 1, tzinfo=UTC).timestamp())
    for zone in ZONES:
        alike[offset(zone, begin), changes(zone, **_SIMULATED)].append(zone)

    for (_, found), (zone, *_) in alike.items():
        first, last = date(2024, 1, 1), date(2026, 12, 31)
        _assert_each_date_runs_once(zone, time(9), first, last)
        for change in found:
            around = local_date(change.at, zone)
            for run_at in (time(0), time(0, 30), time(1, 59), time(2, 30), time(23, 30)):
                _assert_each_date_runs_once(zone, run_at, around - 3 * _DAY, around + 3 * _DAY)


def _assert_each_date_runs_once(zone: str, run_at: time, first: date, last: date) -> None:
    """Only where a gap ends the day does its run fall on the next date, and that date has no other."""
    policy = Policy(zone, run_at, 3)
    days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    expected = [run_instant(day, run_at, zone) for day in days]
    assert all(earlier < later for earlier, later in itertools.pairwise(expected)), (
        zone,
        run_at,
    )

    ran = [expected[0]]
    while local_date(ran[-1], zone) < last:
        ran.append(next_run(ran[-1], policy, ran[-1]))

    dates = [local_date(instant, zone) for instant in ran]
    swallowed = {
        change.at.replace(tzinfo=None) + change.before
        for change in changes(zone, **_SIMULATED)
        if change.ends_the_day and change.skips(_wall_before(change, run_at))
    }
    missing = {wall.date() for wall in swallowed}
    assert dates == [day for day in days if day not in missing], (zone, run_at)


def _wall_before(change: Change, run_at: time) -> datetime:
    return datetime.combine((change.at.replace(tzinfo=None) + change.before).date(), run_at)
