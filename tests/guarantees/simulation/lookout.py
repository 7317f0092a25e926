"""When the processes of a world look again by themselves: polls that could find nothing are jumped over."""

import random
from typing import Literal

from refunds.store.database import Database
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.due import next_moments

Kind = Literal["pumps", "sweep", "notices"]

LONGEST_SECONDS = 1800.0
"""While something is overdue and looks find nothing to do, they become as rare as this."""

_ALL: tuple[Kind, ...] = ("pumps", "sweep", "notices")


class Lookout:
    """A due moment is looked at up to `pace_seconds` late, as by a poll; what is due by then goes with it."""

    def __init__(
        self, database: Database, clock: VirtualClock, chance: random.Random, *, pace_seconds: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._chance = chance
        self._pace = pace_seconds
        self._at = 0.0
        self._for: set[Kind] = set(_ALL)
        self._restless = True
        self._in_vain = 0

    def changed(self) -> None:
        """Something came of a step: everybody looks again soon."""
        self._restless = True
        self._in_vain = 0

    def next_look(self) -> float | None:
        """The next moment (elapsed) at which there may be something; None if never again by itself."""
        if self._at > self._clock.elapsed():
            return self._at
        with self._database.read() as tx:
            due = next_moments(tx, now=self._clock.now())
        kinds: tuple[Kind, ...] = ("pumps", "pumps", "pumps", "sweep", "notices", "notices")
        moments = (due.refund, due.watch, due.lane, due.lease, due.notice, due.notice_lease)
        looks = [
            (self._clock.until(moment) + 0.001 + self._chance.random() * self._pace, kind)
            for moment, kind in zip(moments, kinds, strict=True)
            if moment is not None
        ]
        if due.overdue or self._restless:
            wait = min(self._pace * 2 ** min(self._in_vain, 20), LONGEST_SECONDS)
            looks += [(self._clock.elapsed() + wait, kind) for kind in _ALL]
        if not looks:
            return None
        self._at = min(look for look, _ in looks)
        self._for = {kind for look, kind in looks if look <= self._at + self._pace}
        return self._at

    def looks_for(self) -> set[Kind]:
        """What to look for now; nothing if the moment has not come."""
        if self._clock.elapsed() < self._at:
            return set()
        self._restless = False
        self._in_vain += 1
        return self._for
