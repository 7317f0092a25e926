"""One clock that a simulation moves: it stands for the database's, the process's and the gateway's."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import ulid


class VirtualClock:
    """Stands still until it is moved. `elapsed` never jumps, as a clock that counts suspension does not."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._set_by = timedelta()

    def elapsed(self) -> float:
        """Seconds since the beginning: `Parts.elapsed`, and the time that the outside world lives in."""
        return self._elapsed

    def now(self) -> datetime:
        """The database's real clock: `Database(clock=…)`."""
        return self._start + self._set_by + timedelta(seconds=self._elapsed)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed += max(seconds, 0.0)

    def move_to(self, elapsed: float) -> None:
        """Let time pass until then; what is past already is now."""
        self._elapsed = max(self._elapsed, elapsed)

    def set_by(self, delta: timedelta) -> None:
        """Somebody sets the machine's clock, forward or back: no time passes."""
        self._set_by += delta

    def until(self, instant: datetime) -> float:
        """The `elapsed` at which `now` will be this instant."""
        return (instant - self._start - self._set_by).total_seconds()


@contextmanager
def seeded_ids(clock: VirtualClock, chance: random.Random) -> Iterator[None]:
    """Ids that the product makes meanwhile come from this clock and this chance: a seed gives one life."""
    before = ulid.default_generator
    ulid.default_generator = ulid.ULIDGenerator(
        clock=lambda: int(clock.now().timestamp() * 1000),
        randomness=lambda _: chance.randbytes(10),
    )
    try:
        yield
    finally:
        ulid.default_generator = before
