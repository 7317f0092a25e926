"""The machine: Hypothesis picks what happens next, and the oracle looks after every step (G2, G3, G4, G6)."""

from collections import Counter
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from refunds.domain.abilities import Grade
from refunds.domain.status import Kind, Status
from refunds.flow.audit import audit_sums
from refunds.flow.decide import resolve_as, start_over
from refunds.flow.intake import Accepted, Asked
from refunds.flow.notify import deliver_due
from refunds.flow.operate import cancel, retry_now
from refunds.flow.pauses import pause, resume
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.restore import note_restored
from refunds.flow.sweep import ring_due, sweep
from refunds.flow.unpaid import tell_long_unpaid
from tests.guarantees.machine.drawn import DECISIONS, FATES, ONE_FATE_OR_TWO, SECONDS, WHICH
from tests.guarantees.machine.life import ADDRESSES, Life
from tests.guarantees.machine.oracle import BAD_NEWS, Oracle
from tests.guarantees.machine.place import Place
from tests.guarantees.machine.quiet import come_to_an_end
from tests.guarantees.simulation.logs import counted_logs
from tests.guarantees.simulation.mailbox import GOOD, Manners
from tests.guarantees.simulation.steps import PAY, Step, declined
from tests.guarantees.simulation.unclear import blind_resends

WHO = {"actor": "an operator", "reason": "a test of ours"}


class Machine(RuleBasedStateMachine):
    """Subclasses say where it lives."""

    place: ClassVar[Place]

    def __init__(self) -> None:
        super().__init__()
        self._logging = counted_logs()
        self.logs = self._logging.__enter__()
        self.steps = 0
        self.life: Life | None = None

    @initialize(
        grade=st.sampled_from(Grade), last=st.sampled_from((PAY, declined())), captured=st.just(10_001)
    )
    def begin(self, grade: Grade, last: Step, captured: int) -> None:
        self.here = self.life = Life(self.place, grade)
        self.oracle = Oracle(self.here)
        self.last = last
        self.here.buy(captured, only_authorized=False)
        self.here.ask({"transaction_id": self.here.payments[0], "amount_minor": 4_001}, Kind.REFUND)

    # The shop

    @rule(captured=st.integers(100, 20_000), only_authorized=st.booleans())
    def buy(self, captured: int, only_authorized: bool) -> None:
        if len(self.here.payments) < 4:
            self.here.buy(captured, only_authorized=only_authorized)

    @rule(which=WHICH, amount=st.one_of(st.none(), st.sampled_from((1, 2_500, 6_000, 50_000))))
    def ask(self, which: int, amount: int | None) -> None:
        if len(self.here.refunds) < 8:
            document: dict[str, object] = {"transaction_id": self._payment(which)}
            if amount is not None:
                document["amount_minor"] = amount
            self.here.ask(document, Kind.REFUND)

    @rule(which=WHICH)
    def ask_for_a_void(self, which: int) -> None:
        self.here.ask({"transaction_id": self._payment(which)}, Kind.VOID)

    @rule(which=WHICH, changed=st.booleans())
    def ask_again(self, which: int, changed: bool) -> None:
        asked, before = self.here.asked[which % len(self.here.asked)]
        document = {**asked.document, "reason": "another one"} if changed else asked.document
        taken = self.here.post(Asked(asked.key, document, asked.kind))
        if isinstance(before, Accepted) and changed and document != asked.document:
            assert isinstance(taken, Refusal), "another request was taken under the same key"
            assert taken.cause is Cause.KEY_REUSED
        elif isinstance(before, Accepted):
            assert isinstance(taken, Accepted)
            assert taken.refund.id == before.refund.id
        del self.here.asked[12:]

    # Workers and what they call

    @rule(which=WHICH, rings=st.booleans())
    def take_a_turn(self, which: int, rings: bool) -> None:
        worker = self.here.worker(which)
        if self.here.is_awake(worker):
            worker.stale.update(worker.pumps if rings else ())
            worker.turn(self.here.lane)

    @rule(which=WHICH, fate=FATES)
    def let_a_call_go_on(self, which: int, fate: Step) -> None:
        worker = self.here.worker(which)
        if self.here.is_awake(worker) and worker.calls.in_flight:
            if not worker.calls.ready:
                self.here.clock.move_to(worker.calls.wakes_at() or 0.0)
            self.here.bank.fate = fate
            worker.calls.step(self.here.world.chance, at_most=1)

    @rule(fates=ONE_FATE_OR_TWO)
    def work(self, fates: list[Step]) -> None:
        awake = [worker for worker in self.here.world.workers if self.here.is_awake(worker)]
        for worker in awake:
            worker.stale.update(worker.pumps)
        self.here.work(awake, fates)

    @rule(which=WHICH, amount=st.sampled_from((700, 1_300)), fates=ONE_FATE_OR_TWO)
    def ask_and_work(self, which: int, amount: int, fates: list[Step]) -> None:
        self.ask(which, amount)
        self.work(fates)

    @rule(fates=ONE_FATE_OR_TWO)
    def go_on(self, fates: list[Step]) -> None:
        self.go_on_for_some_days(fates, 1)

    @rule(fates=ONE_FATE_OR_TWO, times=st.integers(2, 5))
    def go_on_for_some_days(self, fates: list[Step], times: int) -> None:
        for _ in range(times):
            if self.here.jump():
                sweep(self.here.world.schedulers[0])
                self.work(fates)

    @rule(which=WHICH)
    def kill(self, which: int) -> None:
        self.here.world.kill(self.here.worker(which))

    @rule(which=WHICH, seconds=SECONDS)
    def freeze(self, which: int, seconds: float) -> None:
        if len(self.here.world.awake()) > 1:  # somebody must go on
            self.here.world.freeze(self.here.worker(which), seconds)

    @rule(which=WHICH)
    def thaw(self, which: int) -> None:
        self.here.worker(which).frozen_until = 0.0

    @rule(fails=st.booleans())
    def look_ups_fail(self, fails: bool) -> None:
        self.here.bank.look_ups_fail = fails

    @rule(which=WHICH)
    def dispute(self, which: int) -> None:
        if self.here.nothing_on_its_way():
            self.here.bank.dispute(self._payment(which))

    # Ticks and time

    @rule(duty=st.sampled_from((sweep, sweep, audit_sums, tell_long_unpaid, ring_due)))
    def tick(self, duty: "object") -> None:
        assert callable(duty)
        duty(self.here.world.schedulers[0])

    @rule(
        manners=st.sampled_from((GOOD, Manners(refuses_for_now=1), Manners(refuses_for_good=0.5))),
        drop=st.booleans(),
    )
    def deliver(self, manners: Manners, drop: bool) -> None:
        self.here.mailbox.manners[ADDRESSES[0]] = Manners(drops_after_accepting=1) if drop else manners
        deliver_due(self.here.world.schedulers[0])
        self.here.mailbox.manners.clear()

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.here.clock.advance(seconds)

    @rule(hours=st.sampled_from((25, -25)))
    def set_the_clock(self, hours: int) -> None:
        """Absence is proven, and a key's life measured, by this clock: what is open stays out of it."""
        if self.here.nothing_unclear():
            self.here.clock.set_by(timedelta(hours=hours))

    # People

    @rule(gateway=st.sampled_from(("*", "bank")), fates=ONE_FATE_OR_TWO, stays=st.booleans())
    def pause(self, gateway: str, fates: list[Step], stays: bool) -> None:
        pause(self.here.world.web, gateway, **WHO)
        self.work(fates)
        if not stays:
            resume(self.here.world.web, gateway, actor="an operator")

    @rule()
    def resume(self) -> None:
        for gateway in ("*", "bank"):
            resume(self.here.world.web, gateway, actor="an operator")

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        refund_id = self._refund(which)
        if not isinstance(cancel(self.here.world.web, refund_id, **WHO), Refusal):
            assert not self.here.paid(refund_id), f"{refund_id} was cancelled although it is paid"

    @rule(which=WHICH)
    def try_now(self, which: int) -> None:
        retry_now(self.here.world.web, self._refund(which), **WHO)

    @rule(which=WHICH)
    def start_over(self, which: int) -> None:
        start_over(self.here.world.web, self._refund(which), **WHO)

    @rule(which=WHICH, decision=DECISIONS)
    def resolve(self, which: int, decision: Status) -> None:
        """People look at the bank before they say anything, and wait for what is on its way."""
        refund = self.here.get(self._refund(which))
        if refund.status is not Status.NEEDS_REVIEW or not self.here.nothing_on_its_way():
            return
        if self.here.paid(refund.id):
            decision = Status.VOIDED if refund.kind is Kind.VOID else Status.REFUNDED
        proved = decision in {Status.VOIDED, Status.REFUNDED, Status.REFUNDED_EXTERNALLY}
        reference = "seen at the bank" if proved else None
        said = resolve_as(self.here.world.web, refund.id, new=decision, reference=reference, **WHO)
        if not isinstance(said, Refusal):
            self.here.decided.add(refund.id)
            self.here.forced.add(refund.id)

    @rule()
    def restore(self) -> None:
        note_restored(self.here.world.web, by="an operator", why="a test of ours")

    # The judge

    @invariant()
    def holds(self) -> None:
        self.steps += 1
        found = list(self.oracle.breaches())
        assert not found, "; ".join(found)

    def teardown(self) -> None:
        try:
            if self.life is not None:
                self._end(self.life)
        finally:
            self._logging.__exit__(None, None, None)

    def _end(self, life: Life) -> None:
        try:
            found = list(come_to_an_end(life, fate=self.last))
            found += self.oracle.breaches()
            found += [line for line in blind_resends(life.bank) if line.split()[0] not in life.decided]
            found += [f"logged: {name}" for name in BAD_NEWS if self.logs[name]]
            assert not found, "; ".join(found)
        finally:
            self._count(life)
            life.close()

    def _count(self, life: Life) -> None:
        ledger = life.bank.ledger.counts
        unclear = sum(ledger[name] for name in ledger if name.startswith("faults"))
        self.place.counts += Counter(
            {
                "examples": 1,
                "steps": self.steps,
                "refunds": len(life.refunds),
                "unclear outcomes": unclear,
                "faults after the money moved": ledger["faults after the money moved"],
                "look-ups that found a payment": ledger["look-ups that found a payment"],
                "money requests": ledger["money requests"],
                "doubled": ledger["doubled"],
                "kills": life.world.counts["kills"],
                "freezes": life.world.counts["freezes"],
                "fencing refusals": self.logs["refund.fenced_off"],
                "decisions": len(life.decided),
            }
        )

    def _payment(self, which: int) -> str:
        return self.here.payments[which % len(self.here.payments)]

    def _refund(self, which: int) -> str:
        return self.here.refunds[which % len(self.here.refunds)]


def machine_at(place: Place) -> type[Machine]:
    """The machine, living there."""
    return type(f"MachineOn{place.name.capitalize()}", (Machine,), {"place": place})
