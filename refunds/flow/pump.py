"""A pump: one lane of one process, claiming in batches, calling on the event loop, settling in groups.

The pump's thread does all the SQL, the loop's thread all the waiting. A wake-up only shortens the wait: the
pump looks by itself every few seconds, so work goes on without a broker (design.md 7).
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import (
    HANDED_BACK,
    Attempted,
    Looked,
    Resolved,
    look_first,
    needs_look_up,
    pay,
)
from refunds.flow.calls import Call, CallLoop
from refunds.flow.claim import Claimer, Held
from refunds.flow.parts import Parts
from refunds.flow.resolve import resolve
from refunds.flow.settle import Learned, settle
from refunds.store.claim import Claim
from refunds.store.database import DatabaseUnavailableError

log = structlog.get_logger(__name__)

Arrival = Attempted | Looked | Resolved

GATHER_SECONDS = 0.004
GATHER_TIMES = 3
"""Under load a pump waits so long and so often for a quarter of its calls to end, so that groups grow."""

AHEAD_SECONDS = 5
"""A lane with a limit per second claims no further ahead, so that no lease runs out in the waiting."""

LIMITED_SECONDS = 0.05
"""How soon a pump looks again whose claims wait for a free place or for their turn under calls_per_second."""


@dataclass(slots=True)
class Pump:
    """Works one lane of one process until it is stopped; then drains what is in flight."""

    parts: Parts
    calls: CallLoop
    account: str
    gateway: str
    _bell: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _arrived: deque[Arrival] = field(default_factory=deque)
    _held: dict[str, Held] = field(default_factory=dict)
    _unsettled: list[Learned] = field(default_factory=list)
    _waiting: deque[Held] = field(default_factory=deque)
    _looked: deque[Looked] = field(default_factory=deque)
    _calling: int = 0
    _owing: bool = False
    _backlog: bool = False
    _saved: float = 1.0
    _saved_at: float = field(init=False)
    _thread: threading.Thread | None = None
    _claims: Claimer = field(init=False)
    _free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Claims and places are this lane's own."""
        self._claims = Claimer(self.parts, self.account, self.gateway)
        self._free = asyncio.Semaphore(self._places)
        self._saved_at = self.parts.elapsed()

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(
            target=self._run, name=f"pump-{self.account}-{self.gateway}", daemon=True
        )
        self._thread.start()

    def ring(self) -> None:
        """Look for work now."""
        self._bell.set()

    def stop(self) -> None:
        """Claim no more; what is in flight is waited for and settled."""
        self._stopping.set()
        self._bell.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end; True if everything in flight was settled."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        while not self._stopping.is_set() or self._held:
            try:
                more = self._turn()
            except DatabaseUnavailableError as error:
                log.warning(
                    "pump.database_away", account=self.account, gateway=self.gateway, error=str(error)
                )
                more = False
                self._stopping.wait(0.5)
            except Exception:  # the lane must go on; what it held is taken over when its lease ends
                log.exception("pump.failed", account=self.account, gateway=self.gateway)
                more = False
                self._stopping.wait(0.5)
            if not more:
                waits = LIMITED_SECONDS if self._waiting or self._looked else self.parts.poll.total_seconds()
                self._bell.wait(waits)
            self._bell.clear()
            for _ in range(GATHER_TIMES):
                if self._calling <= len(self._arrived) * 4 + 4:
                    break
                self._stopping.wait(GATHER_SECONDS)

    def _turn(self) -> bool:
        """Begin what waits, settle what arrived, claim more; True if a claim came back full.

        With work waiting, free places are filled from claims made ahead before outcomes are settled, a small
        group of them in the next turn: the gateway is busy meanwhile. Trouble is settled first, because it
        may close the lane.
        """
        well, begun = self._refill()
        few = len(self._unsettled) * 2 < self._places
        if self._unsettled and not (begun and few):
            self._owing = True  # nothing new until this has succeeded
            settle(self.parts, self._unsettled)
            for item in self._unsettled:
                self._forget(item.claim)
            self._unsettled.clear()
            self._owing = False
        if self._waiting and (self._stopping.is_set() or not (well or self._claims.lane_is_open())):
            self._hand_back_waiting()
        self._refill()
        full = self._claim_more()
        self._refill()
        return full

    def _refill(self) -> tuple[bool, int]:
        """Take what arrived and fill its places; tells whether all went well and how many calls began."""
        while self._arrived:
            arrival = self._arrived.popleft()
            self._calling -= 1
            if isinstance(arrival, Looked):
                self._looked.append(arrival)
            else:
                self._unsettled.append(arrival)
        well = not self._owing and self._all_well()
        begins = well or not self._unsettled
        return well, self._begin() if begins else 0

    def _all_well(self) -> bool:
        well = {Outcome.REFUNDED, Outcome.ACCEPTED, Outcome.DECLINED}
        return all(isinstance(item, Attempted) and item.answer.outcome in well for item in self._unsettled)

    def _claim_more(self) -> bool:
        """Claim for every free place and, while claims come back full, as many ahead."""
        taken_up = len(self._held) - len(self._unsettled)
        room = self._places + (self._places if self._backlog else 0) - taken_up
        if self._rate is not None:
            room = min(room, max(1, int(self._rate * AHEAD_SECONDS)) - len(self._waiting))
        if self._stopping.is_set() or room < (1 if self._rate else max(1, self._places // 4)):
            return False
        busy, self._backlog = self._backlog, False
        claimed = self._claims.claim(room, probing=taken_up == 0, busy=busy)
        self._held.update((held.claim.refund_id, held) for held in claimed)
        self._waiting.extend(claimed)
        self._backlog = 0 < room <= len(claimed)
        return self._backlog

    def _begin(self) -> int:
        """Fill free places: what was looked up is sent first, then what waits; returns how many began."""
        # With work waiting a few are made ready to go, so that a free place need not wait for the database.
        ahead = self._places // 2 if self._backlog and self._rate is None else 0
        free = self._allowed(max(self._places + ahead - self._calling, 0))
        ready = [self._looked.popleft() for _ in range(min(free, len(self._looked)))]
        fresh = [self._waiting.popleft() for _ in range(min(free - len(ready), len(self._waiting)))]
        ready += [Looked(held.claim, None) for held in fresh if self._goes_straight(held.claim)]
        self._start([self._asking(held) for held in fresh if not self._goes_straight(held.claim)])
        if ready:
            self._send(ready)
        return len(ready)

    def _allowed(self, free: int) -> int:
        """No more calls than the lane may make in a second; what was not used is saved up for one second."""
        rate = self._rate
        if rate is None:
            return free
        now = self.parts.elapsed()
        self._saved = min(self._saved + (now - self._saved_at) * rate, max(rate, 1.0))
        self._saved_at = now
        allowed = min(free, int(self._saved), len(self._looked) + len(self._waiting))
        self._saved -= allowed
        return allowed

    def _goes_straight(self, claim: Claim) -> bool:
        return claim.status is Status.ATTEMPTING and not needs_look_up(self.parts, claim)

    def _asking(self, held: Held) -> Call:
        return self._looking(held.claim) if held.claim.status is Status.ATTEMPTING else self._resolving(held)

    def _start(self, calls: Sequence[Call]) -> None:
        self._calling += len(calls)
        self.calls.start_all([self._in_its_place(call) for call in calls])

    def _in_its_place(self, call: Call) -> Call:
        async def placed() -> None:
            async with self._free:
                await call()

        return placed

    def _hand_back_waiting(self) -> None:
        """Claims made ahead go back unsent; look-ups that wait are taken up again when their lease ends."""
        waiting, self._waiting = list(self._waiting), deque()
        for held in waiting:
            self._forget(held.claim)
        self._claims.hand_back([held.claim for held in waiting if held.claim.status is Status.ATTEMPTING])

    def _send(self, looked: Sequence[Looked]) -> None:
        """Record that these are about to be sent, then send them; what may not be sent is handed back.

        Nothing is sent any more once we are to stop: a look-up and a call would take too long.
        """
        marked: dict[str, Claim] = {}
        try:
            marked = self._claims.mark_sending(looked, none=self._stopping.is_set())
        finally:  # what is not marked is never sent: were it not handed back, the sweep would free it
            for item in looked:
                if item.claim.refund_id not in marked:
                    self._forget(item.claim)
        for refund_id, claim in marked.items():
            self._held[refund_id].claim = claim
        self._start([self._paying(self._held[refund_id]) for refund_id in marked])

    def _forget(self, claim: Claim) -> None:
        """Its place is free, unless the same refund has been claimed anew meanwhile."""
        held = self._held.get(claim.refund_id)
        if held is not None and held.claim.fence == claim.fence:
            del self._held[claim.refund_id]

    def _paying(self, held: Held) -> Call:
        async def call() -> None:
            if self._stopping.is_set():  # it waited for its place: nothing was sent
                unsent = Answer(Outcome.UNAVAILABLE, HANDED_BACK, "the worker stopped first", sent=False)
                self._arrive(Attempted(held.claim, unsent))
                return
            self._arrive(await pay(self.parts, held.claim, until=held.until))

        return call

    def _looking(self, claim: Claim) -> Call:
        async def call() -> None:
            self._arrive(await look_first(self.parts, claim))

        return call

    def _resolving(self, held: Held) -> Call:
        claim = held.claim

        async def call() -> None:
            self._arrive(await resolve(self.parts, claim, key_lives=held.key_lives, until=held.until))

        return call

    @property
    def _places(self) -> int:
        return self.parts.gateways[self.gateway].max_in_flight

    @property
    def _rate(self) -> float | None:
        return self.parts.gateways[self.gateway].calls_per_second

    def _arrive(self, arrival: Arrival) -> None:
        self._arrived.append(arrival)
        self._bell.set()
