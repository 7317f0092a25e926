"""A worker process without threads: pumps whose turns the world takes, calls that the world lets go on."""

from collections.abc import Sequence

from refunds.flow.parts import Parts
from refunds.flow.pump import Pump
from tests.guarantees.simulation.calls import InlineCalls
from tests.guarantees.simulation.clock import VirtualClock

Lane = tuple[str, str]


class Worker:
    """Its memory is this object: who drops it has killed the process."""

    def __init__(self, parts: Parts, clock: VirtualClock, lanes: Sequence[Lane]) -> None:
        self.parts = parts
        self.calls = InlineCalls(clock)
        self.pumps = {lane: Pump(parts, self.calls, *lane) for lane in lanes}
        self.frozen_until = 0.0
        self.stopping = False
        self.thaws = 0.0
        """When it was or will be awake again after it was last frozen."""
        self.stale: set[Lane] = set(lanes)
        """Lanes that were rung, or whose time to look has come."""

    def stop(self) -> None:
        """As a process does that is told to: claim no more, settle what is under way."""
        self.stopping = True
        for pump in self.pumps.values():
            pump.stop()
        self.stale.update(self.pumps)

    @property
    def holds(self) -> int:
        """Claims in its memory."""
        return sum(len(pump._held) for pump in self.pumps.values())

    def restless(self) -> list[Lane]:
        """Lanes in which a turn may do something."""
        return [lane for lane, pump in self.pumps.items() if lane in self.stale or pump._arrived]

    def turn(self, lane: Lane) -> bool:
        """One turn of one pump, as its thread would take it; True if anything came of it."""
        pump = self.pumps[lane]
        self.stale.discard(lane)
        before = (len(pump._arrived), len(pump._unsettled), set(pump._held))
        full = pump._turn()
        if full or pump._arrived or pump._unsettled:
            self.stale.add(lane)
        return full or before[0] > 0 or before[1] > 0 or set(pump._held) != before[2]

    @property
    def waits(self) -> bool:
        """Claims of it wait for a place or for a look: its pump looks again soon."""
        return any(pump._waiting or pump._looked or pump._unsettled for pump in self.pumps.values())
