"""Claiming for one lane: what may be worked on, what is about to be sent, what goes back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from refunds.domain.status import Status
from refunds.flow.attempt import Looked
from refunds.flow.breaker import take_probe
from refunds.flow.parts import Parts
from refunds.flow.restore import is_remembered
from refunds.store import claims, lanes, leases
from refunds.store.claim import Claim
from refunds.store.database import Tx, clocks

log = structlog.get_logger(__name__)


def _looked_up_first(claim: Claim) -> Claim:
    """After a restored backup even what was taken in since may have been paid before, under another id.

    Not what a person has had sent again.
    """
    return replace(claim, look_first=claim.look_first or (claim.number == 1 and claim.generation == 1))


REST_SECONDS = 0.25
"""While first attempts fill every place, a queue or look-ups found empty are not asked for again so soon."""


@dataclass(slots=True)
class Held:
    """A claim of ours: after `until` (suspended clock) nothing of it may begin to be sent."""

    claim: Claim
    until: float
    key_lives: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim brought; `probes`: nothing, but this process is to ask whether the gateway is well."""

    held: list[Held]
    lane: lanes.Lane | None
    probes: bool = False


@dataclass(slots=True)
class Claimer:
    """The claims of one lane in one process. All calls raise DatabaseUnavailableError."""

    parts: Parts
    account: str
    gateway: str
    _queue_rests_until: float = 0.0
    _look_ups_rest_until: float = 0.0

    def claim(self, room: int, *, under_way: int, busy: bool) -> "Claimed":
        """Claim up to `room` refunds and look-ups, if the lane is open; `under_way` others are held already.

        A closed lane is probed by one process at a time, and gives nothing before that went well. One that
        opens again gives a few. In a paused lane look-ups go on: they move no money. `busy`: the claim before
        came back full.
        """
        began = self.parts.elapsed()
        with self.parts.database.begin() as tx:
            real, now = clocks(tx)
            lane = lanes.get(tx, self.account, self.gateway)
            if lane is None:
                return Claimed([], None)
            if lane.closed_until is not None:
                return Claimed([], lane, probes=take_probe(tx, lane, real=real))
            if lane.reopening is not None:
                room = min(room, lane.reopening - under_way)
            asked = self._look_ups(tx, lane, room=room, now=now, real=real, rests=busy)
            taken = [] if lane.paused else self._due(tx, room=room - len(asked), now=now, real=real)
            if taken and is_remembered(tx):
                taken = [_looked_up_first(claim) for claim in taken]
        until = began + (self.parts.lease - self.parts.call_limit).total_seconds()
        return Claimed([Held(claim, until, self._key_lives(claim, now)) for claim in (*asked, *taken)], lane)

    def mark_sending(self, looked: Sequence[Looked], *, none: bool) -> dict[str, Claim]:
        """Record that these are about to be sent and return those that may be; the others go back unsent.

        `none`: send nothing, hand all of them back.
        """
        with self.parts.database.begin() as tx:
            real, now = clocks(tx)
            marked = claims.mark_sending(
                tx,
                [
                    (item.claim, dict(item.found.snapshot) if item.found else None)
                    for item in (() if none else looked)
                ],
                now=now,
                lease_beyond=real + self.parts.call_limit,
            )
            late = [item.claim for item in looked if (item.claim.refund_id, item.claim.fence) not in marked]
            if late:
                leases.hand_back(tx, late, worker=self.parts.worker, now=now)
        for claim in late:
            log.warning("attempt.handed_back", refund_id=claim.refund_id, attempt=claim.number)
        return {
            item.claim.refund_id: item.claim.sent(now)
            for item in looked
            if (item.claim.refund_id, item.claim.fence) in marked
        }

    def hand_back(self, unsent: Sequence[Claim]) -> None:
        """As if these had never been claimed; they are due at once."""
        if unsent:
            with self.parts.database.begin() as tx:
                leases.hand_back(tx, unsent, worker=self.parts.worker, now=clocks(tx)[1])

    def lane(self) -> lanes.Lane | None:
        """The lane as it stands now."""
        with self.parts.database.read() as tx:
            return lanes.get(tx, self.account, self.gateway)

    def _look_ups(
        self, tx: Tx, lane: lanes.Lane, *, room: int, now: datetime, real: datetime, rests: bool
    ) -> list[Claim]:
        harmless = not lane.paused or self.parts.gateways[self.gateway].gateway.abilities.look_up
        began = self.parts.elapsed()
        if room <= 0 or not harmless or (rests and began < self._look_ups_rest_until):
            return []
        asked = claims.claim_look_ups(
            tx,
            account=self.account,
            gateway=self.gateway,
            limit=max(1, room // 2),
            now=now,
            real=real,
            lease_until=real + self.parts.lease,
        )
        if not asked:
            self._look_ups_rest_until = began + REST_SECONDS
        return asked

    def _due(self, tx: Tx, *, room: int, now: datetime, real: datetime) -> list[Claim]:
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
        began = self.parts.elapsed()
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

    def _key_lives(self, claim: Claim, now: datetime) -> bool:
        """Whether the very same key may still be sent again: it surely lives until this lease ends."""
        life = self.parts.gateways[self.gateway].gateway.abilities.key_life
        return life is not None and now + self.parts.lease < (claim.key_sent_at or claim.claimed_at) + life
