"""Mutants that may live, each with the reason: nothing that can be seen changes, or nothing that matters."""

from collections.abc import Mapping

_JUDGE = "refunds/domain/judge.py"
_SCHEDULE = "refunds/domain/schedule.py"

ACCEPTED: Mapping[str, str] = {
    f"{_JUDGE} _ask_again: doubt and standing.absent_at is not None without doubt": (
        "a submitted refund has no absence: becoming submitted forgets it"
    ),
    f"{_SCHEDULE} _beginning: 1 + 1 (no. 2)": "two microseconds before midnight are on the same date as one",
    f"{_SCHEDULE} deferral: 12 - 1": "an hour is reached at the eighth doubling, long before the bound",
    f"{_SCHEDULE} deferral: 12 + 1": "an hour is reached at the eighth doubling, long before the bound",
    f"{_SCHEDULE} deferral: 0.0 + 1": "our own wait is never shorter than seven seconds",
    f"{_SCHEDULE} _end_of_gap: 1 + 1": "a search from a day earlier finds the same change of clocks",
    f"{_SCHEDULE} _end_of_gap: 1 + 1 (no. 2)": "a search to a day later finds the same change of clocks",
    f"{_SCHEDULE} _end_of_gap: high - low > timedelta(seconds=1) with GtE": (
        "one halving more, and the answer is cut to the second"
    ),
    f"{_SCHEDULE} _end_of_gap: 2 + 1": "a search by thirds finds the same second as one by halves",
}
