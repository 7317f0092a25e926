"""How long an outage defers, and how the waits between look-ups grow."""

import math
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refunds.domain.schedule import (
    DOUBT_STEPS,
    FIRST_DEFERRAL,
    LONGEST_DEFERRAL,
    SUBMITTED_STEPS,
    deferral,
    step,
)

_DAY = timedelta(days=1)
_times = st.integers(0, 10_000)
_jitters = st.floats(0, 1)


@given(times=_times, jitter=_jitters, wish=st.none() | st.floats())
@example(times=0, jitter=0.0, wish=math.nan)
@example(times=0, jitter=0.0, wish=math.inf)
@example(times=10_000, jitter=1.0, wish=-math.inf)
def test_a_deferral_is_bounded_and_never_negative_whatever_the_gateway_wishes(
    times: int, jitter: float, wish: float | None
) -> None:
    wait = deferral(times, jitter=jitter, wish_seconds=wish)

    assert FIRST_DEFERRAL / 2 <= wait <= _DAY


@given(times=_times, jitter=_jitters)
def test_half_of_a_deferral_is_chance_and_it_never_passes_an_hour(times: int, jitter: float) -> None:
    most = deferral(times, jitter=1.0)

    assert most / 2 <= deferral(times, jitter=jitter) <= most <= LONGEST_DEFERRAL


@given(times=_times, more=_times, jitter=_jitters)
def test_deferrals_never_shrink_from_one_outage_to_the_next(times: int, more: int, jitter: float) -> None:
    assert deferral(times, jitter=jitter) <= deferral(times + more, jitter=jitter)


@given(times=_times, jitter=_jitters, wish=st.floats(0, 86_400))
def test_a_gateways_wish_is_never_undercut(times: int, jitter: float, wish: float) -> None:
    wait = deferral(times, jitter=jitter, wish_seconds=wish)

    assert wait == max(timedelta(seconds=wish), deferral(times, jitter=jitter))


@pytest.mark.parametrize("wish", [86_400.0, 86_401.0, 1e300, math.inf])
def test_a_wish_is_honoured_up_to_a_day(wish: float) -> None:
    assert deferral(0, jitter=0.0, wish_seconds=wish) == _DAY


@pytest.mark.parametrize("wish", [0.0, -1.0, -math.inf, math.nan])
def test_a_wish_that_is_no_wait_changes_nothing(wish: float) -> None:
    assert deferral(3, jitter=0.5, wish_seconds=wish) == deferral(3, jitter=0.5)


def test_deferrals_double_from_a_quarter_of_a_minute_to_an_hour() -> None:
    seconds = [deferral(times, jitter=1.0).total_seconds() for times in range(10)]

    assert seconds == [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]


@pytest.mark.parametrize("steps", [DOUBT_STEPS, SUBMITTED_STEPS])
def test_waits_between_look_ups_grow_and_the_last_one_repeats(steps: tuple[timedelta, ...]) -> None:
    waits = [step(steps, done) for done in range(len(steps) + 3)]

    assert waits == [*steps, *[steps[-1]] * 3]
    assert waits == sorted(waits)


def test_no_deferral_of_ours_is_longer_than_an_hour_and_the_first_is_a_quarter_of_a_minute() -> None:
    assert (deferral(0, jitter=1.0), deferral(99, jitter=1.0)) == (timedelta(seconds=15), timedelta(hours=1))
