"""One life: a world, what has been asked of it, and what a person, a worker or the weather does to it."""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import event

from refunds.domain.abilities import Grade
from refunds.domain.status import Kind, Status
from refunds.flow.intake import Accepted, Asked, Taken, take_in
from refunds.flow.payments import Registered, register
from refunds.store import refunds
from refunds.store.refunds import Refund
from tests.guarantees.machine.counter import Counter as Bank
from tests.guarantees.machine.place import Place
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.due import next_moments
from tests.guarantees.simulation.mailbox import Mailbox
from tests.guarantees.simulation.process import Worker
from tests.guarantees.simulation.steps import Step
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World

ADDRESSES = ("oncall@shop.test", "finance@shop.test")
ROUNDS = 60
"""More rounds than this no work takes; whoever needs more goes round in circles."""


OVERDUE_SECONDS = 600.0
"""What is due and is not done yet waits for somebody's lease, pause or probe."""


@dataclass(slots=True)
class Life:
    """Begins on a spring day, two days before the clocks go forward."""

    place: Place
    grade: Grade
    clock: VirtualClock = field(init=False)
    bank: Bank = field(init=False)
    world: World = field(init=False)
    mailbox: Mailbox = field(init=False)
    payments: list[str] = field(default_factory=list)
    voidable: set[str] = field(default_factory=set)
    asked: list[tuple[Asked, Taken]] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)
    """Refunds that a person has resolved: what is said of them is that person's word."""
    forced: set[str] = field(default_factory=set)
    """Refunds that a person had sent again under a new key, in this step."""
    commits: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Furnish it."""
        self.clock = VirtualClock(datetime(2026, 3, 27, 7, 30, tzinfo=UTC))
        self.bank = Bank(self.clock, grade=self.grade)
        chance = random.Random(0)
        self.mailbox = Mailbox(self.clock, chance)
        database = self.place.furnished(self.clock)
        event.listen(database.engine, "commit", self._committed)
        wishes = Wishes(workers=2, places=4, notify_emails=ADDRESSES, lose_rings=1.0)
        self.world = World(
            database, self.clock, {"bank": self.bank}, self.mailbox, chance=chance, wishes=wishes
        )

    def close(self) -> None:
        """It is over."""
        event.remove(self.world.database.engine, "commit", self._committed)
        self.place.done(self.world.database)

    def _committed(self, _connection: object) -> None:
        self.commits += 1

    # Asking

    def buy(self, captured_minor: int, *, only_authorized: bool) -> None:
        """One more payment, known to both."""
        transaction_id = f"tx-{next(self._numbers)}"
        pounds = f"{captured_minor // 100}.{captured_minor % 100:02d}"
        form = {
            "order_id": f"order-{transaction_id}",
            "transaction_id": transaction_id,
            "captured_amount": "0" if only_authorized else pounds,
            "currency": "GBP",
            "gateway": "bank",
        }
        if only_authorized:
            form |= {"authorized_amount": pounds, "status": "authorized"}
            self.voidable.add(transaction_id)
        self.bank.put_payment(transaction_id, captured_minor)
        [registered] = register(self.world.web, [form])
        assert isinstance(registered, Registered), registered
        self.payments.append(transaction_id)

    def ask(self, document: Mapping[str, Any], kind: Kind) -> None:
        """A request under a key of its own."""
        self.post(Asked(f"key-{next(self._numbers)}", document, kind))

    def post(self, asked: Asked) -> Taken:
        """A request; what was answered is remembered."""
        [taken] = take_in(self.world.web, [asked], caller="shop", source="api")
        self.asked.append((asked, taken))
        if isinstance(taken, Accepted) and taken.refund.id not in self.refunds:
            self.refunds.append(taken.refund.id)
        return taken

    # Working

    @property
    def lane(self) -> tuple[str, str]:
        """The only lane there is."""
        return self.world.wishes.account, "bank"

    def worker(self, which: int) -> Worker:
        """One of the workers, awake or not."""
        return self.world.workers[which % len(self.world.workers)]

    def is_awake(self, worker: Worker) -> bool:
        """It is not frozen."""
        return worker.frozen_until <= self.clock.elapsed()

    def work(self, workers: Sequence[Worker], fates: Sequence[Step]) -> None:
        """Let these workers work until there is nothing to do now; calls are waited for."""
        next_fate = itertools.cycle(fates)
        for _ in range(ROUNDS):
            came = [worker.turn(self.lane) for worker in workers if worker.restless() or self._stale(worker)]
            self.bank.fate = next(next_fate)
            going = [worker.calls for worker in workers if worker.calls.in_flight]
            for calls in going:
                if not calls.ready:
                    self.clock.move_to(calls.wakes_at() or 0.0)
                calls.step(self.world.chance, at_most=100)
            if not any(came) and not going:
                return
        raise AssertionError("a worker goes round in circles")

    def _stale(self, worker: Worker) -> bool:
        """Its pump looks by itself."""
        return worker.holds > 0

    def ring(self) -> None:
        """Everybody looks again."""
        for worker in self.world.workers:
            worker.stale.update(worker.pumps)

    def jump(self) -> bool:
        """Move the clock to the next moment at which anything falls due; False: nothing will."""
        with self.world.database.read() as tx:
            due = next_moments(tx, now=self.clock.now())
        moments = [due.refund, due.lease, due.notice, due.notice_lease, due.lane]
        known = [self.clock.until(moment) for moment in moments if moment is not None]
        if due.overdue:
            known.append(self.clock.elapsed() + OVERDUE_SECONDS)
        if known:
            self.clock.move_to(min(known) + 0.001)
        return bool(known)

    # Looking

    def get(self, refund_id: str) -> Refund:
        """The refund as it stands."""
        with self.world.database.read() as tx:
            refund = refunds.get(tx, refund_id)
        assert refund is not None
        return refund

    def all(self) -> list[Refund]:
        """Every refund as it stands."""
        with self.world.database.read() as tx:
            return list(refunds.get_many(tx, self.refunds).values())

    def paid(self, refund_id: str) -> int:
        """How often the bank has paid or promised it and not taken it back."""
        self.bank.desk.settle_down()
        return self.bank.ledger.times_paid(refund_id)

    def nothing_on_its_way(self) -> bool:
        """Neither in the bank nor in any process is a request still under way."""
        idle = all(not worker.holds and not worker.calls.in_flight for worker in self.world.workers)
        return idle and self.bank.takes_nothing_more()

    def nothing_unclear(self) -> bool:
        """No outcome is open: nobody measures by the clock whether something may still come."""
        open_ones = {Status.ATTEMPTING, Status.IN_DOUBT, Status.SUBMITTED}
        statuses = {refund.status for refund in self.all()}
        return self.nothing_on_its_way() and not statuses & open_ones
