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
"""Under load a pump waits this long for more outcomes, so that groups grow."""


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
            if len(self._held) > len(self._arrived) + 4:
                self._stopping.wait(GATHER_SECONDS)

    def _turn(self) -> bool:
        """Settle what arrived, send what was looked up, claim more; True if a claim came back full."""
        looked: list[tuple[_Held, Looked]] = []
        while self._arrived:
            arrival = self._arrived.popleft()
            if isinstance(arrival, Looked):
                looked.append((self._held[arrival.claim.refund_id], arrival))
            else:
                self._unsettled.append(arrival)
        if self._unsettled:
            settle(self.parts, self._unsettled)
            for item in self._unsettled:
                self._held.pop(item.claim.refund_id, None)
            self._unsettled.clear()
        if looked:
            self._send([(held, dict(item.found.snapshot) if item.found else None) for held, item in looked])
        return not self._stopping.is_set() and self._claim_more()

    def _claim_more(self) -> bool:
        room = self.parts.gateways[self.gateway].max_in_flight - len(self._held)
        if room < max(1, self.parts.gateways[self.gateway].max_in_flight // 4):
            return False
        began = suspended_clock()
        with self.parts.database.begin() as tx:
            real, now = clocks(tx)
            lane = lanes.get(tx, self.account, self.gateway)
            if lane is None or (lane.closed_until is not None and lane.closed_until > real):
                return False
            if lane.closed_until is not None:
                room = 0 if self._held else 1  # a lane that was closed is probed by one
            asks = room > 0 and (lane.paused_by is None or self._abilities.look_up)
            asked = self._claim_look_ups(tx, room=room, now=now, real=real) if asks else []
            pays = lane.paused_by is None
            taken = self._claim_due(tx, room=room - len(asked), now=now, real=real) if pays else []
        until = began + (self.parts.lease - self.parts.call_limit).total_seconds()
        held = {claim.refund_id: _Held(claim, until) for claim in (*asked, *taken)}
        self._held.update(held)
        self.calls.start_all([self._resolving(held[claim.refund_id], now) for claim in asked])
        self._begin_attempts([held[claim.refund_id] for claim in taken])
        return 0 < room <= len(held)

    def _begin_attempts(self, taken: Sequence[_Held]) -> None:
        looking = [held for held in taken if needs_look_up(self.parts, held.claim)]
        self.calls.start_all([self._looking(held.claim) for held in looking])
        straight = [(held, None) for held in taken if not needs_look_up(self.parts, held.claim)]
        if straight:
            self._send(straight)

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
            )

        if room <= 0:
            return []
        first, again = (room + 1) // 2, room // 2
        taken = claim(first, again)
        firsts = sum(item.prior is Status.REQUESTED for item in taken)
        spare = room - len(taken)
        if spare and firsts == first:
            taken += claim(spare, 0)
        elif spare and again and len(taken) - firsts == again:
            taken += claim(0, spare)
        return taken

    def _send(self, ready: Sequence[tuple[_Held, dict[str, object] | None]]) -> None:
        """Record that these are about to be sent, then send them; what may not be sent is handed back."""
        try:
            marked = self._mark(ready)
        except DatabaseUnavailableError:
            for held, _ in ready:  # nothing will be sent; sweep frees them when their leases end
                self._held.pop(held.claim.refund_id, None)
            raise
        self.calls.start_all([self._paying(held) for held, _ in ready if held.claim.refund_id in marked])

    def _mark(self, ready: Sequence[tuple[_Held, dict[str, object] | None]]) -> set[str]:
        with self.parts.database.begin() as tx:
            real, now = clocks(tx)
            marked = claims.mark_sending(
                tx,
                [(held.claim, snapshot) for held, snapshot in ready],
                now=now,
                lease_beyond=real + self.parts.call_limit,
            )
            late = [held.claim for held, _ in ready if held.claim.refund_id not in marked]
            if late:
                claims.hand_back(tx, late, worker=self.parts.worker, now=now)
        for claim in late:
            self._held.pop(claim.refund_id, None)
            log.warning("attempt.handed_back", refund_id=claim.refund_id, attempt=claim.number)
        for held, _ in ready:
            held.claim = held.claim.sent(now)
        return marked

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
