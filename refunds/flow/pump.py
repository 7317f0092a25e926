"""A pump: one lane of one process, claiming in batches, calling on the event loop, settling in groups.

The pump's thread does all the SQL, the loop's thread all the waiting. A wake-up only shortens the wait: the
pump looks by itself every few seconds, so work goes on without a broker (design.md 7).
"""

import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from refunds.domain.abilities import Abilities
from refunds.domain.outcome import Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import (
    Attempted,
    Looked,
    Resolved,
    look_first,
    needs_look_up,
    pay,
    suspended_clock,
)
from refunds.flow.calls import CallLoop
from refunds.flow.parts import Parts
from refunds.flow.resolve import resolve
from refunds.flow.settle import Learned, settle
from refunds.store import claims, lanes
from refunds.store.claims import Claim
from refunds.store.database import DatabaseUnavailableError, Tx, clocks

log = structlog.get_logger(__name__)

Arrival = Attempted | Looked | Resolved

GATHER_SECONDS = 0.004
GATHER_TIMES = 3
"""Under load a pump waits so long and so often for a quarter of its calls to end, so that groups grow."""

REST_SECONDS = 0.25
"""While first attempts fill every place, a queue or look-ups found empty are not asked for again so soon."""

_EVERY_ATTEMPT = 2**31 - 1


@dataclass(slots=True)
class _Held:
    """A claim of ours: after `until` (suspended clock) nothing of it may begin to be sent."""

    claim: Claim
    until: float


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
    _held: dict[str, _Held] = field(default_factory=dict)
    _unsettled: list[Learned] = field(default_factory=list)
    _looked: list[Looked] = field(default_factory=list)
    _owing: bool = False
    _backlog: bool = False
    _queue_rests_until: float = 0.0
    _look_ups_rest_until: float = 0.0
    _thread: threading.Thread | None = None

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
                self._bell.wait(self.parts.poll.total_seconds())
            self._bell.clear()
            for _ in range(GATHER_TIMES):
                if len(self._held) - len(self._unsettled) <= len(self._arrived) * 4 + 4:
                    break
                self._stopping.wait(GATHER_SECONDS)

    def _turn(self) -> bool:
        """Settle what arrived, send what was looked up, claim more; True if a claim came back full.

        With work waiting, places whose call went well are filled again before their outcomes are settled,
        a small group of them in the next turn: the gateway is busy meanwhile. Trouble is settled first,
        because it may close the lane.
        """
        while self._arrived:
            arrival = self._arrived.popleft()
            if isinstance(arrival, Looked):
                self._looked.append(arrival)
            else:
                self._unsettled.append(arrival)
        filled = self._backlog and not self._owing and self._all_well() and self._claim_more()
        few = len(self._unsettled) * 2 < self.parts.gateways[self.gateway].max_in_flight
        if self._unsettled and not (filled and few):
            self._owing = True  # nothing new until this has succeeded
            settle(self.parts, self._unsettled)
            for item in self._unsettled:
                self._forget(item.claim)
            self._unsettled.clear()
            self._owing = False
        if self._looked:
            looked, self._looked = self._looked, []
            self._send(looked)
        return filled or self._claim_more()

    def _all_well(self) -> bool:
        well = {Outcome.REFUNDED, Outcome.ACCEPTED, Outcome.DECLINED}
        return all(isinstance(item, Attempted) and item.answer.outcome in well for item in self._unsettled)

    def _claim_more(self) -> bool:
        in_flight = len(self._held) - len(self._unsettled)
        room = self.parts.gateways[self.gateway].max_in_flight - in_flight
        if self._stopping.is_set() or room < max(1, self.parts.gateways[self.gateway].max_in_flight // 4):
            return False
        busy, self._backlog = self._backlog, False
        began = suspended_clock()
        with self.parts.database.begin() as tx:
            real, now = clocks(tx)
            lane = lanes.get(tx, self.account, self.gateway)
            if lane is None or (lane.closed_until is not None and lane.closed_until > real):
                return False
            if lane.closed_until is not None:
                room = 0 if in_flight else 1  # a lane that was closed is probed by one
            asks = room > 0 and (lane.paused_by is None or self._abilities.look_up)
            if busy and began < self._look_ups_rest_until:
                asks = False
            asked = self._claim_look_ups(tx, room=room, now=now, real=real) if asks else []
            if asks and not asked:
                self._look_ups_rest_until = began + REST_SECONDS
            pays = lane.paused_by is None
            taken = self._claim_due(tx, room=room - len(asked), now=now, real=real) if pays else []
        until = began + (self.parts.lease - self.parts.call_limit).total_seconds()
        held = {claim.refund_id: _Held(claim, until) for claim in (*asked, *taken)}
        self._held.update(held)
        self.calls.start_all([self._resolving(held[claim.refund_id], now) for claim in asked])
        self._begin_attempts([held[claim.refund_id] for claim in taken])
        self._backlog = 0 < room <= len(held)
        return self._backlog

    def _begin_attempts(self, taken: Sequence[_Held]) -> None:
        """Without a look-up the claim itself has recorded that they are about to be sent."""
        self.calls.start_all(
            [
                self._looking(held.claim) if needs_look_up(self.parts, held.claim) else self._paying(held)
                for held in taken
            ],
        )

    def _claim_look_ups(self, tx: Tx, *, room: int, now: datetime, real: datetime) -> list[Claim]:
        return claims.claim_look_ups(
            tx,
            account=self.account,
            gateway=self.gateway,
            limit=max(1, room // 2),
            now=now,
            real=real,
            lease_until=real + self.parts.lease,
        )

    def _claim_due(self, tx: Tx, *, room: int, now: datetime, real: datetime) -> list[Claim]:
        """Half the places for first attempts, half for the queue, spare places shared."""

        def claim(first: int, again: int) -> list[Claim]:
            return claims.claim_due(
                tx,
                account=self.account,
                gateway=self.gateway,
                first=first,
                again=again,
                worker=self.parts.worker,
                now=now,
                lease_until=real + self.parts.lease,
                sent_below=1 if self._abilities.look_up else _EVERY_ATTEMPT,
            )

        if room <= 0:
            return []
        began = suspended_clock()
        first, again = (room, 0) if began < self._queue_rests_until else ((room + 1) // 2, room // 2)
        taken = claim(first, again)
        firsts = sum(item.prior is Status.REQUESTED for item in taken)
        queued, spare = len(taken) - firsts, room - len(taken)
        if again and not queued and firsts == first:
            self._queue_rests_until = began + REST_SECONDS
        if spare and firsts == first:
            taken += claim(spare, 0)
        elif spare and queued == again:
            taken += claim(0, spare)
        return taken

    def _send(self, looked: Sequence[Looked]) -> None:
        """Record that these are about to be sent, then send them; what may not be sent is handed back."""
        marked: set[str] = set()
        try:
            marked = self._mark(looked)
        finally:  # what is not marked is never sent: were it not handed back, the sweep would free it
            for item in looked:
                if item.claim.refund_id not in marked:
                    self._forget(item.claim)
        self.calls.start_all([self._paying(self._held[refund_id]) for refund_id in marked])

    def _mark(self, looked: Sequence[Looked]) -> set[str]:
        """Nothing is sent any more once we are to stop: a look-up and a call would take too long."""
        with self.parts.database.begin() as tx:
            real, now = clocks(tx)
            ready = [] if self._stopping.is_set() else looked
            marked = claims.mark_sending(
                tx,
                [(item.claim, dict(item.found.snapshot) if item.found else None) for item in ready],
                now=now,
                lease_beyond=real + self.parts.call_limit,
            )
            late = [item.claim for item in looked if item.claim.refund_id not in marked]
            if late:
                claims.hand_back(tx, late, worker=self.parts.worker, now=now)
        for claim in late:
            log.warning("attempt.handed_back", refund_id=claim.refund_id, attempt=claim.number)
        for refund_id in marked:
            held = self._held[refund_id]
            held.claim = held.claim.sent(now)
        return marked

    def _forget(self, claim: Claim) -> None:
        """Its place is free, unless the same refund has been claimed anew meanwhile."""
        held = self._held.get(claim.refund_id)
        if held is not None and held.claim.fence == claim.fence:
            del self._held[claim.refund_id]

    def _paying(self, held: _Held) -> Callable[[], Coroutine[Any, Any, None]]:
        async def call() -> None:
            self._arrive(await pay(self.parts, held.claim, until=held.until))

        return call

    def _looking(self, claim: Claim) -> Callable[[], Coroutine[Any, Any, None]]:
        async def call() -> None:
            self._arrive(await look_first(self.parts, claim))

        return call

    def _resolving(self, held: _Held, now: datetime) -> Callable[[], Coroutine[Any, Any, None]]:
        claim = held.claim
        life = self._abilities.key_life
        sent_at = claim.key_sent_at or claim.claimed_at
        key_lives = life is not None and now + self.parts.lease < sent_at + life

        async def call() -> None:
            self._arrive(await resolve(self.parts, claim, key_lives=key_lives, until=held.until))

        return call

    @property
    def _abilities(self) -> Abilities:
        return self.parts.gateways[self.gateway].gateway.abilities

    def _arrive(self, arrival: Arrival) -> None:
        self._arrived.append(arrival)
        self._bell.set()
