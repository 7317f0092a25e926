"""A scripted gateway in memory: the Gateway port with grades A to D, every fault, and books of its own."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from refunds.domain.abilities import Abilities, Grade
from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.ports import Call
from tests.guarantees.simulation.calls import Until
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.desk import Desk
from tests.guarantees.simulation.ledger import Asked, Ledger, Payment
from tests.guarantees.simulation.steps import PAY, Act, Fault, Step

Tap = Callable[[str], None]
"""Told of every step of the outside before it is taken; it may raise."""


class BrokenAnswerError(Exception):
    """The adapter breaks on an answer."""


@dataclass(frozen=True, slots=True)
class Weather:
    """From then until then (elapsed seconds) every request meets this step, look-ups and checks too."""

    begins: float
    ends: float
    step: Step


class Bank:
    """One gateway. Payments are put in with the steps their money requests will meet, one after another.

    When the steps of a payment are used up the last one repeats. Every request passes `tap` with a word:
    "gateway.send", "gateway.done", "gateway.receive", "gateway.ask", "gateway.told".
    """

    def __init__(
        self,
        clock: VirtualClock,
        *,
        grade: Grade = Grade.KEY_AND_LOOK_UP,
        seed: int = 0,
        key_life: timedelta = timedelta(hours=24),
        settling: timedelta = timedelta(minutes=10),
        call_limit: timedelta = timedelta(seconds=20),
        duplicate_filter: timedelta | None = None,
        look_up_trouble: float = 0.0,
    ) -> None:
        has_key = grade in {Grade.KEY_AND_LOOK_UP, Grade.KEY}
        self.abilities = Abilities(
            key_life=key_life if has_key else None,
            look_up=grade in {Grade.KEY_AND_LOOK_UP, Grade.LOOK_UP},
            settling=settling,
            final_within=timedelta(days=7),
        )
        self.desk = Desk(clock, key_life=self.abilities.key_life, duplicate_filter=duplicate_filter)
        self.weather: list[Weather] = []
        self.probes: list[float] = []
        """When something asked during bad weather (elapsed)."""
        self.tap: Tap = lambda _: None
        self._clock = clock
        self._chance = random.Random(seed)
        self._call_limit = call_limit.total_seconds()
        self._look_up_trouble = look_up_trouble
        self._steps: dict[str, deque[Step]] = {}

    # The judge's side

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self.desk.ledger

    def put_payment(self, transaction_id: str, captured_minor: int, steps: Iterable[Step] = ()) -> None:
        """The bank knows this payment."""
        self.ledger.payments[transaction_id] = Payment(captured_minor)
        self._steps[transaction_id] = deque(steps)

    def dispute(self, transaction_id: str) -> None:
        """The customer's bank opens a dispute."""
        self.ledger.payments[transaction_id].disputed_from = self._clock.elapsed()

    # The port

    async def pay(self, call: Call) -> Answer:
        """One money request."""
        step = self._weather_step() or self._next_step(call)
        if step.act is Act.NOT_REACHED:
            await self._passes(step.latency_seconds)
            self._used(call, step)
            return Answer(Outcome.UNAVAILABLE, "not_reached", sent=False)
        if not call.may_send():
            self.ledger.counts["refused at the gate"] += 1
            return Answer(Outcome.UNAVAILABLE, "handed_back", sent=False)
        self._used(call, step)
        if step.gate_seconds:
            self.ledger.counts["frozen at the gate"] += 1
            await Until(self._clock.elapsed() + step.gate_seconds, at_the_gate=True)
        self.tap("gateway.send")
        self.desk.settle_down()
        answer = self.desk.meet(call, step)
        self.tap("gateway.done")
        await self._passes(self._call_limit if step.fault is Fault.TIMEOUT else step.latency_seconds)
        self.tap("gateway.receive")
        if step.fault is Fault.RAISES and answer.outcome is Outcome.UNKNOWN:
            raise BrokenAnswerError
        return answer

    async def look_up(self, call: Call) -> LookUpAnswer:
        """One look-up."""
        self.tap("gateway.ask")
        self.desk.settle_down()
        found = self._look(call)
        asked = Asked("look_up", self._clock.elapsed(), self._clock.now(), call.key, finding=found.finding)
        self.ledger.asked[call.reference].append(asked)
        self.ledger.counts["look-ups"] += 1
        if found.finding is Finding.REFUNDED:
            self.ledger.counts["look-ups that found a payment"] += 1
        slow = found.code == "timeout"
        await self._passes(self._call_limit if slow else 0.05)
        self.tap("gateway.told")
        return found

    async def check(self) -> str | None:
        """A harmless read."""
        self.tap("gateway.ask")
        step = self._weather_step()
        self.ledger.counts["checks"] += 1
        await self._passes(self._call_limit if step and step.fault is Fault.TIMEOUT else 0.05)
        return None if step is None else f"answered {step.act}"

    async def close(self) -> None:
        """Nothing is open."""

    # What happens inside

    async def _passes(self, seconds: float) -> None:
        await Until(self._clock.elapsed() + seconds)

    def _weather_step(self) -> Step | None:
        elapsed = self._clock.elapsed()
        for weather in self.weather:
            if weather.begins <= elapsed < weather.ends:
                self.probes.append(elapsed)
                return weather.step
        return None

    def _next_step(self, call: Call) -> Step:
        waiting = self._steps[call.transaction_id]
        return waiting[0] if waiting else PAY

    def _used(self, call: Call, step: Step) -> None:
        waiting = self._steps[call.transaction_id]
        if len(waiting) > 1 and waiting[0] is step:
            waiting.popleft()

    def _look(self, call: Call) -> LookUpAnswer:
        step = self._weather_step()
        if step is not None or self._chance.random() < self._look_up_trouble:
            slow = step.fault is Fault.TIMEOUT if step else self._chance.random() < 0.3
            return LookUpAnswer(Finding.UNCLEAR, "timeout" if slow else "not_reached")
        payment = self.ledger.payments[call.transaction_id]
        disputed = payment.disputed_from is not None
        if disputed:
            self.ledger.told_disputed.add(call.reference)
        ours = self.ledger.movements.get(call.reference, [])
        for state, finding in (("succeeded", Finding.REFUNDED), ("pending", Finding.ACCEPTED)):
            for made in ours:
                if made.state == state:
                    return LookUpAnswer(finding, reference=made.id, disputed=disputed)
        for made in ours:
            if made.state in {"failed", "taken_back"} and (
                made.key == call.key or made.id == call.accepted_reference
            ):
                return LookUpAnswer(Finding.DECLINED, made.code, reason=made.reason, disputed=disputed)
        refunded = sum(
            made.amount_minor
            for movements in self.ledger.movements.values()
            for made in movements
            if made.transaction_id == call.transaction_id and made.state in {"succeeded", "pending"}
        )
        shown: dict[str, object] = {"refunds": len(ours)}
        return LookUpAnswer(Finding.ABSENT, disputed=disputed, refunded_minor=refunded, snapshot=shown)
