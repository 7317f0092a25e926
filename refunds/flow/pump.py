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

from refunds.domain.outcome import Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import (
    Attempted,
    Looked,
    Probed,
    Resolved,
    cannot_be_asked,
    for_a_person,
    needs_look_up,
)
from refunds.flow.breaker import probed
from refunds.flow.calls import CallLoop
from refunds.flow.claim import Claimer, Held
from refunds.flow.errands import Arrival, Errands
from refunds.flow.parts import Parts
from refunds.flow.rate import Rate
from refunds.flow.settle import Learned, settle
from refunds.store.claim import Claim
from refunds.store.database import DatabaseUnavailableError
from refunds.store.lanes import Lane

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.004
GATHER_TIMES = 3
"""Under load a pump waits so long and so often for a quarter of its calls to end, so that groups grow."""

AHEAD_SECONDS = 5
"""A lane with a limit per second claims no further ahead, so that no lease runs out in the waiting."""

SHUT_SECONDS = 1.0
"""How soon a pump that holds claims learns that its lane was paused or closed."""

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
    _shut: bool = False
    _closed: bool = False
    _shut_known_at: float = float("-inf")
    _thread: threading.Thread | None = None
    _claims: Claimer = field(init=False)
    _errands: Errands = field(init=False)
    _rate: Rate = field(init=False)

    def __post_init__(self) -> None:
        """Claims and places are this lane's own."""
        self._claims = Claimer(self.parts, self.account, self.gateway)
        self._errands = Errands(
            self.parts,
            self.gateway,
            self.calls,
            places=asyncio.Semaphore(self._places),
            arrive=self._arrive,
            held_back=lambda: self._stopping.is_set() or self._shut,
        )
        per_second = self.parts.gateways[self.gateway].calls_per_second
        self._rate = Rate(per_second, self.parts.elapsed)

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
                self._bell.wait(min(waits, SHUT_SECONDS) if self._held else waits)
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
        self._look_whether_shut()
        well, begun = self._refill()
        few = len(self._unsettled) * 2 < self._places
        if self._unsettled and not (begun and few):
            self._owing = True  # nothing new until this has succeeded
            settle(self.parts, self._unsettled)
            for item in self._unsettled:
                self._forget(item.claim)
            self._unsettled.clear()
            self._owing = False
        if self._waiting and (self._stopping.is_set() or self._shut or not (well or self._is_open())):
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
            match arrival:
                case Looked():
                    self._looked.append(arrival)
                case Probed():
                    probed(self.parts, self.account, self.gateway, wrong=arrival.wrong)
                case Attempted() | Resolved():
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
        limited = self._rate.per_second is not None
        if self._rate.per_second is not None:
            room = min(room, max(1, int(self._rate.per_second * AHEAD_SECONDS)) - len(self._waiting))
        if self._stopping.is_set() or room < (1 if limited else max(1, self._places // 4)):
            return False
        busy, self._backlog = self._backlog, False
        claimed = self._claims.claim(room, under_way=taken_up, busy=busy)
        if claimed.probes:
            self._calling += 1
            self._errands.probe()
        self._know(claimed.lane)
        for held in claimed.held:
            self._held[held.claim.refund_id] = held
            if cannot_be_asked(self.parts, held.claim) and held.claim.status is Status.ATTEMPTING:
                self._unsettled.append(for_a_person(held.claim))
            else:
                self._waiting.append(held)
        self._backlog = 0 < room <= len(claimed.held)
        return self._backlog

    def _begin(self) -> int:
        """Fill free places: what was looked up is sent first, then what waits; returns how many began."""
        # With work waiting a few are made ready to go, so that a free place need not wait for the database.
        ahead = self._places // 2 if self._backlog and self._rate.per_second is None else 0
        free = max(self._places + ahead - self._calling, 0)
        free = self._rate.take(free, at_most=len(self._looked) + len(self._waiting))
        ready = [self._looked.popleft() for _ in range(min(free, len(self._looked)))]
        fresh = [self._waiting.popleft() for _ in range(min(free - len(ready), len(self._waiting)))]
        ready += [Looked(held.claim, None) for held in fresh if self._goes_straight(held.claim)]
        asked = [held for held in fresh if not self._goes_straight(held.claim)]
        self._calling += len(asked)
        self._errands.ask(asked)
        if ready:
            self._send(ready)
        return len(ready)

    def _look_whether_shut(self) -> None:
        """While calls wait for their places, a pause holds them back too."""
        now = self.parts.elapsed()
        if self._held and now - self._shut_known_at >= SHUT_SECONDS:
            self._is_open()

    def _is_open(self) -> bool:
        self._know(self._claims.lane())
        return not self._shut

    def _know(self, lane: Lane | None) -> None:
        self._shut_known_at = self.parts.elapsed()
        self._shut = lane is None or not lane.is_open
        self._closed = lane is None or lane.closed_until is not None

    def _goes_straight(self, claim: Claim) -> bool:
        return claim.status is Status.ATTEMPTING and not needs_look_up(self.parts, claim)

    def _hand_back_waiting(self) -> None:
        """Claims made ahead go back unsent. Look-ups go on in a paused lane; else leases hand them on."""
        waiting, self._waiting = list(self._waiting), deque()
        attempts = [held for held in waiting if held.claim.status is Status.ATTEMPTING]
        look_ups = [held for held in waiting if held.claim.status is not Status.ATTEMPTING]
        dropped = look_ups if self._closed or self._stopping.is_set() else []
        self._waiting.extend(held for held in look_ups if held not in dropped)
        for held in (*attempts, *dropped):
            self._forget(held.claim)
        self._claims.hand_back([held.claim for held in attempts])

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
        self._calling += len(marked)
        self._errands.pay([self._held[refund_id] for refund_id in marked])

    def _forget(self, claim: Claim) -> None:
        """Its place is free, unless the same refund has been claimed anew meanwhile."""
        held = self._held.get(claim.refund_id)
        if held is not None and held.claim.fence == claim.fence:
            del self._held[claim.refund_id]

    @property
    def _places(self) -> int:
        return self.parts.gateways[self.gateway].max_in_flight

    def _arrive(self, arrival: Arrival) -> None:
        self._arrived.append(arrival)
        self._bell.set()
