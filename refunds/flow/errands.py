"""Errands: the calls of one lane on the event loop, each in a place of its own; no SQL."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from refunds.domain.outcome import HANDED_BACK, Answer, Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import (
    Attempted,
    Looked,
    Probed,
    Resolved,
    look_first,
    pay,
    probe,
)
from refunds.flow.calls import Call, CallLoop
from refunds.flow.claim import Held
from refunds.flow.parts import Parts
from refunds.flow.resolve import resolve

Arrival = Attempted | Looked | Resolved | Probed


@dataclass(frozen=True, slots=True)
class Errands:
    """What a lane may have done, begun in groups; what each learned is handed to `arrive`.

    `places` holds so many calls at once; the others wait on the loop. `held_back` is asked once more when a
    call gets its place: true, and a payment is given back unsent.
    """

    parts: Parts
    gateway: str
    calls: CallLoop
    places: asyncio.Semaphore
    arrive: Callable[[Arrival], None]
    held_back: Callable[[], bool]

    def pay(self, held: Sequence[Held]) -> None:
        """Send these; each was recorded as about to be sent."""
        self._start([self._paying(each) for each in held])

    def ask(self, held: Sequence[Held]) -> None:
        """Look these up: before an attempt, or to learn what became of one."""
        self._start([self._asking(each) for each in held])

    def probe(self) -> None:
        """Ask whether the gateway is well again."""

        async def call() -> None:
            self.arrive(await probe(self.parts, self.gateway))

        self._start([call])

    def _paying(self, held: Held) -> Call:
        async def call() -> None:
            if self.held_back():
                unsent = Answer(Outcome.UNAVAILABLE, HANDED_BACK, "stopped or paused first", sent=False)
                self.arrive(Attempted(held.claim, unsent))
                return
            self.arrive(await pay(self.parts, held.claim, until=held.until))

        return call

    def _asking(self, held: Held) -> Call:
        async def call() -> None:
            if held.claim.status is Status.ATTEMPTING:
                self.arrive(await look_first(self.parts, held.claim))
                return
            key_lives = held.key_lives and not self.held_back()
            self.arrive(await resolve(self.parts, held.claim, key_lives=key_lives, until=held.until))

        return call

    def _start(self, calls: Sequence[Call]) -> None:
        self.calls.start_all([self._in_its_place(call) for call in calls])

    def _in_its_place(self, call: Call) -> Call:
        async def placed() -> None:
            async with self.places:
                await call()

        return placed
