"""A stage: one life in one hall, with a process that may die at any operation and another that goes on.

The world's own `live` lets chance pick among many processes; here one process does what is due, in order, so
that a life has few operations and the same ones each time. Polls that could find nothing are jumped over.
"""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from refunds.domain.status import Status
from refunds.flow.notify import deliver_due
from refunds.flow.parts import Parts
from refunds.flow.sweep import sweep
from refunds.store.database import DatabaseUnavailableError
from refunds.store.refunds import Refund
from tests.guarantees.crashes.halls import Hall
from tests.guarantees.crashes.moments import Due, due_in
from tests.guarantees.crashes.outside import WiredBank, WiredMailbox
from tests.guarantees.crashes.wire import Kind, RingLostError, Wire
from tests.guarantees.simulation.bank import Weather
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.steps import Act, Step
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import Died, World

Doing = Callable[[], object]

POLL_SECONDS = 2.0
IN_VAIN = 3
"""After so many looks that found nothing to do, what is overdue waits for something else to change."""

MENDED_AFTER: Mapping[Kind, float] = {
    "statement": 100.0,
    "commit": 100.0,
    "ring": 86_400.0 * 30,
    "gateway": 1200.0,
    "mail": 1200.0,
}
"""Seconds for which a kind of thing fails: the database longer than a lease; Redis never comes back."""

CLIENT_TRIES_AGAIN = 5.0

_OVER = {Status.REFUNDED, Status.VOIDED, Status.CANCELLED, Status.REFUNDED_EXTERNALLY}


class Stage(World):
    """One life. `until` bounds it in virtual seconds."""

    banks: dict[str, WiredBank]  # type: ignore[assignment]  # this world's banks are on the wire

    def __init__(
        self,
        hall: Hall,
        clock: VirtualClock,
        wire: Wire,
        banks: Mapping[str, WiredBank],
        *,
        chance: random.Random,
        watch: timedelta = timedelta(),
        stops_server: bool = False,
    ) -> None:
        self.hall = hall
        self.wire = wire
        self.watch = watch
        self.stops_server = stops_server
        self.server_stops = 0
        self.restarts_after = 1.0
        self.ids: dict[str, str] = {}
        """The refund that each key stands for, as clients were told."""
        self.messages_ended: list[str] = []
        """Keys of messages whose actor ended: they are acknowledged, and never come again."""
        self.high_water: Path | None = None
        self.spoiled: set[str] = set()
        """Transactions whose sums somebody has spoilt in the database."""
        self.told_by_person: set[str] = set()
        """Refunds that a person decided about: on their word, and nobody has to tell them."""
        self._mends_at: float | None = None
        self._vain = 0
        mailbox = WiredMailbox(clock, random.Random(chance.random())).on(wire)
        wishes = Wishes(workers=1, schedulers=1, places=4)
        super().__init__(hall.database, clock, banks, mailbox, chance=chance, wishes=wishes)
        self.shop = Shop(self)
        for bank in banks.values():
            bank.watchers.append(self._sees_no_open_transaction)

    # Furnishing

    def parts(self, role: str) -> Parts:
        """As in any world; ends are watched only where the life is about that."""
        return replace(super().parts(role), watch=self.watch, high_water=self.high_water)

    def ring(self, account: str, gateway: str) -> None:
        """Every lane of every process that is awake looks at once, unless Redis is away."""
        try:
            self.wire.begins("ring", "ring")
        except RingLostError:
            self.counts["rings lost"] += 1
            return
        if self.wishes.lose_rings:
            self.counts["rings lost"] += 1
            return
        for worker in self.awake():
            worker.stale.add((account, gateway))
        self.wire.ended()

    def act(self, seconds: float, doing: Doing) -> None:
        """Have a client or a person do something then; who is not answered does it again."""
        self.at(seconds, lambda: self._insist(doing))

    def comes_back(self, refund: Refund | None) -> bool:
        """Whether it is worth a person's while to look at it again."""
        return refund is None or refund.status not in _OVER

    # Life

    def play(self, *, until: float) -> None:
        """Live until nothing falls due any more, or until then."""
        self.wire.live = True
        while self.clock.elapsed() < until:
            try:
                if not self._go_on():
                    break
            except Died:
                self.die()
            except DatabaseUnavailableError:
                self.counts["database away"] += 1
                self.clock.advance(5.0)
            self._mend()
        self.wire.live = False

    def die(self) -> None:
        """The process is gone with its memory, connections and transaction; a new one begins later."""
        self.counts["kills"] += 1
        with self.wire.muted():
            for worker in list(self.workers):
                worker.calls.close()
            if self.stops_server and self.hall.stop():
                self.server_stops += 1
            else:
                self.hall.drop()
            self.clock.advance(self.restarts_after)
            self.start_anew()

    def start_anew(self) -> None:
        """New processes, and none of the old ones."""
        self.workers.clear()
        self.web, self.schedulers = self.parts("web"), [self.parts("scheduler")]
        self.start_worker()
        self._vain = 0

    def _go_on(self) -> bool:
        if self._events and self._events[0][0] <= self.clock.elapsed():
            heapq.heappop(self._events)[2]()
            self._vain = 0
            return True
        for worker in self.awake():
            if worker.calls.ready:
                worker.calls.step(self.chance, at_most=1000)
                return True
            if worker.restless():
                lane = worker.restless()[0]
                try:
                    changed = worker.turn(lane)
                except DatabaseUnavailableError:
                    worker.stale.add(lane)
                    raise
                except Exception as error:  # noqa: BLE001 - the pump logs it and goes on; here it is a find
                    self.breaches.append(f"G8 the pump failed: {type(error).__name__}: {error}")
                    changed = False
                self._vain = 0 if changed else self._vain
                return True
        return self._wait()

    def _wait(self) -> bool:
        """Do a duty that is due, else let time pass until something falls due; False: nothing ever will."""
        with self.wire.muted(), self.database.read() as tx:
            due = due_in(tx)
        elapsed, now = self.clock.elapsed(), self.clock.now()
        if self._do_duties(due):
            return True
        if due.looks and due.looks[0] <= now and self._vain < IN_VAIN:
            self.clock.advance(POLL_SECONDS * 4**self._vain)
            self._vain += 1
            self._all_look()
            return True
        moments = [self.clock.until(at) + 0.001 for at in due.after(now)]
        moments += [event[0] for event in self._events[:1]]
        moments += [worker.frozen_until for worker in self.workers if worker.frozen_until > elapsed]
        wakes = [worker.calls.wakes_at() for worker in self.awake()]
        moments += [at for at in wakes if at is not None]
        if not moments:
            return self._bank_comes_to_rest()
        self.clock.move_to(max(min(moments), elapsed + 0.0001))
        if any(now < at <= self.clock.now() for at in due.looks):
            self._vain = 0
            self._all_look()
        for worker in self.workers:
            if 0 < worker.frozen_until <= self.clock.elapsed():
                worker.frozen_until = 0.0
                worker.stale.update(worker.pumps)
        return True

    def _bank_comes_to_rest(self) -> bool:
        """Whatever is still on its way at the bank happens; False: nothing is."""
        rests_at = [bank.desk.at_rest() for bank in self.banks.values()]
        last = max((at for at in rests_at if at is not None), default=0.0)
        if last <= self.clock.elapsed():
            return False
        self.clock.move_to(last + 0.001)
        for bank in self.banks.values():
            bank.desk.settle_down()
        self._vain = 0
        return True

    def _do_duties(self, due: Due) -> bool:
        """What a scheduler's ticks would find."""
        now, scheduler = self.clock.now(), self.schedulers[0]
        if due.sweep is not None and due.sweep < now:
            if sweep(scheduler):
                self.counts["taken over"] += 1
                self._vain = 0
            else:
                self.clock.advance(1.0)
            return True
        if due.mail is not None and due.mail <= now:
            if not deliver_due(scheduler):
                self.clock.advance(1.0)
            return True
        return False

    def _insist(self, doing: Doing) -> None:
        """Until it is done: a client or a person tries again."""
        again = self.clock.elapsed() + CLIENT_TRIES_AGAIN
        try:
            doing()
        except (Died, DatabaseUnavailableError):
            self.act(again + self.restarts_after, doing)
            raise
        except Exception as error:  # noqa: BLE001 - who asks in good order gets an answer, never this
            self.breaches.append(f"G3 an act failed: {type(error).__name__}: {str(error)[:100]}")

    def _mend(self) -> None:
        """What failed is well again after its time."""
        failing = self.wire.failing
        if failing is None:
            return
        elapsed = self.clock.elapsed()
        if self._mends_at is None:
            self._mends_at = elapsed + MENDED_AFTER[failing]
            if failing == "gateway":
                away = Weather(elapsed, self._mends_at, Step(Act.NOT_REACHED))
                for bank in self.banks.values():
                    bank.weather.append(away)
        if failing == "gateway":  # the weather says so from here on, in the words of an adapter
            self.wire.failing = None
        elif elapsed >= self._mends_at:
            self.wire.failing = None
            self._vain = 0

    def _all_look(self) -> None:
        for worker in self.awake():
            worker.stale.update(worker.pumps)

    def _sees_no_open_transaction(self) -> None:
        """Asked while money is about to be sent: no connection may be in use."""
        pool = self.database.engine.pool
        if pool.checkedout():  # type: ignore[attr-defined]  # every pool here is a QueuePool
            self.breaches.append("G2 money was asked for while a transaction was open")
