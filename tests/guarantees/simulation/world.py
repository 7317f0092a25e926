"""A small world around the real flow: processes in one thread, one virtual clock, chance picks who goes next.

`World` holds one database, its outside (banks, mailbox) and any number of `Worker`s. `live` lets it run: as
long as somebody could do something, a seeded pick does one step of one of them; then the clock jumps to the
next moment at which anything falls due. Whoever builds crash points on it throws `Died` from a statement, a
tap of a bank or the mailbox: the process that was at it is dropped, with its memory, and a new one begins.
"""

import heapq
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from refunds.flow.parts import GatewayPart, MailPart, Parts
from refunds.store.database import Database, DatabaseUnavailableError
from scheduler.ticks import TICKS, Tick, run_tick
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.lookout import Lookout
from tests.guarantees.simulation.mailbox import Mailbox
from tests.guarantees.simulation.process import Lane, Worker
from tests.guarantees.simulation.wishes import Wishes

UNPAID_EVERY_SECONDS = 6 * 3600
"""How often the world looks for what is long unpaid; the product does every minute."""

RING_SHARE = 0.3

LONG_SHARE = 0.25
"""So many freezes last for days, until what was proven absent has been sent again."""


class Died(BaseException):
    """The process that is at work dies here and now."""


class World:
    """One life. All that happens is in the order in which `chance` picks it."""

    def __init__(
        self,
        database: Database,
        clock: VirtualClock,
        banks: Mapping[str, Bank],
        mailbox: Mailbox,
        *,
        chance: random.Random,
        wishes: Wishes | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.banks = dict(banks)
        self.mailbox = mailbox
        self.chance = chance
        self.wishes = wishes or Wishes()
        self.counts: Counter[str] = Counter()
        self.workers: list[Worker] = []
        self._names = itertools.count(1)
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._event_numbers = itertools.count()
        self.breaches: list[str] = []
        self._ticks: set[tuple[int, str]] = set()
        self._lookout = Lookout(database, clock, chance, pace_seconds=self.wishes.pace_seconds)
        self._unpaid_at = 0.0
        self._nobody_stops = threading.Event()
        if self.wishes.deaths_outside:
            mailbox.tap = self._perhaps_die
            for bank in self.banks.values():
                bank.tap = self._perhaps_die
        self.web = self.parts("web")
        self.schedulers = [self.parts("scheduler") for _ in range(self.wishes.schedulers)]
        for _ in range(self.wishes.workers):
            self.start_worker()

    # Furnishing

    def parts(self, role: str) -> Parts:
        """The parts of one more process."""
        wishes = self.wishes
        return Parts(
            database=self.database,
            gateways={name: GatewayPart(bank, wishes.places) for name, bank in self.banks.items()},
            wakeup=_Rings(self),
            channel=self.mailbox,
            mail=MailPart(wishes.notify_emails, "moneyback@shop.test", "shop.test", "test", "0"),
            worker=f"{role}-{next(self._names)}",
            default_gateway=next(iter(self.banks)),
            lease=wishes.lease,
            call_limit=wishes.call_limit,
            watch=wishes.watch,
            elapsed=self.clock.elapsed,
            chance=self.chance.random,
        )

    def start_worker(self) -> Worker:
        """A new worker process, its lanes not yet looked at."""
        lanes = [(self.wishes.account, gateway) for gateway in self.banks]
        worker = Worker(self.parts("worker"), self.clock, lanes)
        self.workers.append(worker)
        return worker

    def at(self, elapsed: float, act: Callable[[], object]) -> None:
        """Have something happen at a moment: intake, a kill, a pause, a clock that is set."""
        heapq.heappush(self._events, (elapsed, next(self._event_numbers), act))

    # Blows

    def kill(self, worker: Worker, *, replace: bool = True) -> None:
        """Its memory is gone; what it had sent stays sent. A new process takes its place."""
        self.counts["kills"] += 1
        worker.calls.close()
        self.workers.remove(worker)
        if replace:
            self.start_worker()

    def freeze(self, worker: Worker, seconds: float) -> None:
        """It does nothing for so long; others see nothing of it."""
        self.counts["freezes"] += 1
        self.counts["claims frozen"] += worker.holds
        worker.frozen_until = self.clock.elapsed() + seconds

    def ring(self, account: str, gateway: str) -> None:
        """Wake one worker, unless the ring is lost."""
        if self.chance.random() < self.wishes.lose_rings:
            self.counts["rings lost"] += 1
            return
        awake = self.awake()
        if awake:
            self.chance.choice(awake).stale.add((account, gateway))

    # Life

    def live(self, *, until: float, ends: Callable[[], bool] = lambda: False) -> None:
        """Go on until this moment (elapsed seconds), or until nothing will ever fall due again."""
        while self.clock.elapsed() < until and not ends():
            while self._events and self._events[0][0] <= self.clock.elapsed():
                heapq.heappop(self._events)[2]()
                self._lookout.changed()
            if self._act():
                continue
            moment = self._next_moment()
            if moment is None:
                return
            self.clock.move_to(min(moment, until))
            self._wake_up()

    def _act(self) -> bool:
        """One step of one process, picked by chance; False if nobody has anything to do now."""
        choices: list[Callable[[], bool]] = []
        for worker in self.awake():
            if worker.calls.ready:
                choices += [partial(self._let_call, worker)] * 3
            choices += [partial(self._turn, worker, lane) for lane in worker.restless()]
        choices += [partial(self._tick, index, name) for index, name in sorted(self._ticks)]
        if not choices:
            return False
        self._strike()
        try:
            if self.chance.choice(choices)():
                self._lookout.changed()
        except DatabaseUnavailableError as error:
            self.counts["database away"] += 1
            self.breaches.append(f"database away: {error}")
        self.clock.advance(self.chance.random() * 0.01)
        return True

    def _strike(self) -> None:
        """Perhaps a worker is killed or frozen now."""
        luck = self.chance.random()
        if not self.awake():
            return
        if luck < self.wishes.kills:  # a zombie is to wake up one day
            self.kill(self.chance.choice(self.awake()))
        elif luck < self.wishes.kills + self._freezing():
            lease = self.wishes.lease.total_seconds()
            worker = max(self.awake(), key=lambda worker: (worker.calls.not_begun, self.chance.random()))
            # Past the gate only the gateway's key stands against a second payout, and keys live for a day.
            long = self.chance.random() < LONG_SHARE and not worker.calls.at_the_gate
            days = self.chance.uniform(1, 3) if long else 0.0
            self.freeze(worker, lease * self.chance.uniform(1.2, 20) + days * 86_400)

    def _freezing(self) -> float:
        """Freezes are likelier where calls are about to be sent: there a zombie can do harm."""
        awake = self.awake()
        if len(awake) < 2:  # somebody must go on
            return 0.0
        return self.wishes.freezes * (3 if any(worker.calls.not_begun for worker in awake) else 1)

    def _perhaps_die(self, point: str) -> None:
        if self.chance.random() < self.wishes.deaths_outside:
            self.counts[f"deaths at {point}"] += 1
            raise Died

    def _let_call(self, worker: Worker) -> bool:
        if worker not in self.awake():
            return True
        try:
            worker.calls.step(self.chance, at_most=self.chance.choice((1, 5, 1000, 1000)))
        except Died:
            self.kill(worker)
        return True

    def _turn(self, worker: Worker, lane: Lane) -> bool:
        if worker not in self.awake():
            return True
        try:
            return worker.turn(lane)
        except Died:
            self.kill(worker)
        except DatabaseUnavailableError:
            worker.stale.add(lane)
            raise
        except Exception as error:  # noqa: BLE001 - the real pump logs it and goes on; here it is a find
            self.breaches.append(f"the pump of {lane} failed: {type(error).__name__}: {error}")
        return True

    def _tick(self, index: int, name: str) -> bool:
        self._ticks.discard((index, name))
        before = self.counts["done by ticks"]
        try:
            run_tick(self.schedulers[index], self._duty(name), self._nobody_stops)
        except Died:
            self.counts["kills"] += 1
            self.counts["scheduler deaths"] += 1
            self.schedulers[index] = self.parts("scheduler")
        return self.counts["done by ticks"] > before

    def _duty(self, name: str) -> Tick:
        """The product's own duty, counted."""
        tick = _TICKS[name]

        def duty(parts: Parts, stopping: threading.Event) -> int:
            done = tick.duty(parts, stopping)
            if name != "ring":
                self.counts["done by ticks"] += done
            self.counts[f"{name} did"] += done
            return done

        return Tick(name, tick.every_seconds, duty)

    def awake(self) -> list[Worker]:
        """Workers that are not frozen."""
        elapsed = self.clock.elapsed()
        return [worker for worker in self.workers if worker.frozen_until <= elapsed]

    # Time

    def _next_moment(self) -> float | None:
        """When to go on: the next call's answer, the next event, or the next look at what falls due."""
        elapsed = self.clock.elapsed()
        moments = [event[0] for event in self._events[:1]]
        moments += [worker.frozen_until for worker in self.workers if worker.frozen_until > elapsed]
        for worker in self.awake():
            wakes = worker.calls.wakes_at()
            moments += [] if wakes is None else [wakes]
        look = self._lookout.next_look()
        moments += [] if look is None else [look]
        return min(moments, default=None)

    def _wake_up(self) -> None:
        elapsed = self.clock.elapsed()
        for worker in self.awake():
            if worker.frozen_until:
                worker.frozen_until = 0.0
                worker.stale.update(worker.pumps)
        looks_for = self._lookout.looks_for()
        if not looks_for:
            return
        if "pumps" in looks_for:
            for worker in self.awake():
                worker.stale.update(worker.pumps)
        for index in range(len(self.schedulers)):
            self._ticks |= {(index, name) for name in ("sweep", "notices") if name in looks_for}
            if self.chance.random() < RING_SHARE:
                self._ticks.add((index, "ring"))
            if elapsed >= self._unpaid_at:
                self._ticks.add((index, "unpaid"))
        if elapsed >= self._unpaid_at:
            self._unpaid_at = elapsed + UNPAID_EVERY_SECONDS


_TICKS = {tick.name: tick for tick in TICKS}


@dataclass(frozen=True, slots=True)
class _Rings:
    """Wake-ups: they carry no truth and may be lost."""

    world: World

    def ring(self, account: str, gateway: str) -> None:
        self.world.ring(account, gateway)
