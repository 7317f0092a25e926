"""Gateway calls without an event loop: they wait on the virtual clock, and the world lets each go on."""

import asyncio
import random
from collections.abc import Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from refunds.flow.calls import Call, CallLoop
from tests.guarantees.simulation.clock import VirtualClock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Until:
    """Awaited, it goes on at this moment (elapsed seconds).

    `at_the_gate`: the last check is passed and the first byte not written.
    """

    elapsed: float
    at_the_gate: bool = False

    def __await__(self) -> Generator["Until", None, None]:
        yield self


@dataclass(slots=True)
class _Going:
    """A call that was asked for; `coroutine` is None until it begins."""

    call: Call
    coroutine: Coroutine[Any, Any, None] | None = None
    waits_for: object = None

    def is_ready(self, elapsed: float) -> bool:
        match self.waits_for:
            case Until(elapsed=at):
                return at <= elapsed
            case asyncio.Future() as place:
                return place.done()
            case _:
                return True


class InlineCalls(CallLoop):
    """Stands for a process's call loop. Nothing runs until `step` lets one call go on."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._places = _Places()
        self._going: list[_Going] = []

    def start_all(self, calls: Sequence[Call]) -> None:
        """Keep these calls until they are let go on."""
        self._going += [_Going(call) for call in calls]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that waits for nothing."""
        try:
            work.send(None)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]
        raise RuntimeError("this one waits")

    def close(self) -> None:
        """The process is dead: nothing of it goes on."""
        going, self._going = self._going, []
        for one in going:
            if one.coroutine is not None:
                one.coroutine.close()

    @property
    def ready(self) -> int:
        """How many could go on now."""
        elapsed = self._clock.elapsed()
        return sum(one.is_ready(elapsed) for one in self._going)

    @property
    def not_begun(self) -> int:
        """How many are about to be sent: their first byte is not written yet."""
        return sum(one.coroutine is None for one in self._going)

    @property
    def at_the_gate(self) -> bool:
        """Whether one has passed its last check and will be sent whatever happens."""
        return any(isinstance(one.waits_for, Until) and one.waits_for.at_the_gate for one in self._going)

    @property
    def in_flight(self) -> int:
        """How many were asked for and have not ended."""
        return len(self._going)

    def wakes_at(self) -> float | None:
        """The next moment at which one can go on."""
        return min(
            (one.waits_for.elapsed for one in self._going if isinstance(one.waits_for, Until)), default=None
        )

    def step(self, chance: random.Random, *, at_most: int = 1) -> int:
        """Let up to so many ready calls go on, picked by chance; returns how many ended."""
        elapsed = self._clock.elapsed()
        ready = [one for one in self._going if one.is_ready(elapsed)]
        if at_most < len(ready):
            ready = chance.sample(ready, at_most)
        ended = 0
        for one in ready:
            if one.is_ready(elapsed):
                ended += self._go_on(one)
        return ended

    def _go_on(self, one: _Going) -> bool:
        if one.coroutine is None:
            one.coroutine = one.call()
        asyncio._set_running_loop(self._places)
        try:
            one.waits_for = one.coroutine.send(None)
        except StopIteration:
            self._going.remove(one)
            return True
        except BaseException:
            self._going.remove(one)
            raise
        finally:
            asyncio._set_running_loop(None)
        return False


class _Places(asyncio.BaseEventLoop):
    """Just enough of a loop for the places of a lane: a call without one waits for a future."""

    def __init__(self) -> None:
        super().__init__()
        self.close()  # nothing ever runs on it
