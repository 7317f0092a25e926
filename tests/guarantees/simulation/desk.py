"""What happens inside the scripted bank when a money request has come: keys, money, and what is told."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from refunds.domain.outcome import Answer, Outcome, Reason
from refunds.ports import Call
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.ledger import Asked, Fate, Ledger, Movement, Stored
from tests.guarantees.simulation.steps import Act, Fault, Moves, Step


class Desk:
    """Keeps the books and the keys of one bank. `key_life` None: it takes no keys."""

    def __init__(
        self, clock: VirtualClock, *, key_life: timedelta | None, duplicate_filter: timedelta | None
    ) -> None:
        self.ledger = Ledger()
        self._clock = clock
        self._key_life = key_life
        self._filter = duplicate_filter
        self._keys: dict[str, Stored] = {}
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._landing: float | None = None

    def settle_down(self) -> None:
        """What is due by now has happened."""
        while self._later and self._later[0][0] <= self._clock.elapsed():
            self._landing, _, what = heapq.heappop(self._later)
            what()
        self._landing = None

    @property
    def _elapsed(self) -> float:
        """Now; while something lands that was on its way, the moment at which it did."""
        return self._clock.elapsed() if self._landing is None else self._landing

    @property
    def _now(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.elapsed() - self._elapsed)

    def at_rest(self) -> float | None:
        """When the last thing that is still on its way will happen (elapsed), or None."""
        return max((due for due, _, _ in self._later), default=None)

    def meet(self, call: Call, step: Step) -> Answer:
        """The request has come: what the bank does, and what the caller is told."""
        before = self.ledger.times_paid(call.reference)
        stored = self._stored(call)
        lost = step.fault in {Fault.TIMEOUT, Fault.RESET} and step.moves is Moves.NEVER
        if step.act in {Act.TURN_AWAY, Act.CREDENTIALS} or lost or step.moves is Moves.LATE_ARRIVAL:
            stored = None
            answer = self._does_not_arrive(call, step)
        elif stored is not None:
            self.ledger.counts["answered by key"] += 1
            answer = self._again(stored)
        else:
            answer = self._carry_out(call, step)
        moved = self.ledger.times_paid(call.reference) > before
        self.ledger.counts["money requests"] += 1
        hidden = step.fault is not None and stored is None
        if hidden:
            when = (
                "after the money moved"
                if moved
                else "with the money late"
                if step.late_seconds
                else "with no money"
            )
            self.ledger.counts[f"faults {when}"] += 1
            self.ledger.counts["timeouts after the money moved"] += moved and step.fault is Fault.TIMEOUT
        if call.reference in self.ledger.told_disputed:
            self.ledger.breaches.append(f"{call.reference} was sent although a look-up had shown a dispute")
        self.ledger.asked[call.reference].append(
            Asked(
                "pay",
                self._elapsed,
                self._now,
                call.key,
                moved=moved,
                replayed=stored is not None,
                zombie=step.gate_seconds > 0,
                outcome=Outcome.UNKNOWN if hidden else answer.outcome,
            )
        )
        return answer

    def _does_not_arrive(self, call: Call, step: Step) -> Answer:
        if step.moves is Moves.LATE_ARRIVAL and step.fault is not None:
            self._do_later(step.late_seconds, lambda: self._arrives_late(call))
        match step.act:
            case Act.TURN_AWAY:
                wish = step.retry_after_seconds
                return Answer(Outcome.UNAVAILABLE, "unavailable", http_status=503, retry_after_seconds=wish)
            case Act.CREDENTIALS:
                return Answer(Outcome.UNAVAILABLE, "credentials_refused", http_status=401)
            case _:
                return _unclear(step.fault or Fault.TIMEOUT)

    def _arrives_late(self, call: Call) -> None:
        if self._stored(call) is None:
            self._store(call, "paid", self._move(call))

    def _carry_out(self, call: Call, step: Step) -> Answer:
        fault = step.fault
        if fault is not None and step.moves is Moves.NEVER:
            self._store(call, _STORED.get(fault, "error"))
            return _unclear(fault)
        if step.act is Act.DECLINE or self._looks_doubled(call):
            code, reason = (step.code, step.reason) if step.act is Act.DECLINE else _DUPLICATE
            self._store(call, "declined", code=code, reason=reason)
            return _unclear(fault) if fault else _declined(code, reason)
        if step.moves is Moves.LATE_COMMIT and fault is not None:
            stored = self._store(call, "running")
            self._do_later(step.late_seconds, lambda: self._commits_late(call, stored))
            return _unclear(fault)
        movement = self._move(call, pending=step.act is Act.ACCEPT)
        if step.act is Act.ACCEPT:
            self._store(call, "paid", movement)
            self._do_later(step.final_seconds, lambda: self._becomes_final(movement, step))
        else:
            self._store(call, "error" if fault is Fault.ERROR else "paid", movement)
        if step.taken_back_seconds is not None:
            self._do_later(step.taken_back_seconds, lambda: self._takes_back(movement, step))
        return _unclear(fault) if fault else _good(movement)

    def _commits_late(self, call: Call, stored: Stored) -> None:
        stored.movement, stored.fate = self._move(call), "paid"

    def _becomes_final(self, movement: Movement, step: Step) -> None:
        if movement.state == "pending" and step.final:
            movement.state = "succeeded"
        elif movement.state == "pending":
            movement.code, movement.reason = step.code, step.reason
            self.ledger.undo(movement, "failed")

    def _takes_back(self, movement: Movement, step: Step) -> None:
        movement.code, movement.reason = "returned_by_bank", step.reason
        self.ledger.undo(movement, "taken_back")
        self.ledger.counts["taken back"] += 1

    def _move(self, call: Call, *, pending: bool = False) -> Movement:
        return self.ledger.book(call, state="pending" if pending else "succeeded", at=self._now)

    def _looks_doubled(self, call: Call) -> bool:
        """The bank's own filter: the same amount of one payment again within a short while."""
        if self._filter is None:
            return False
        since = self._now - self._filter
        return any(
            made.at > since and made.amount_minor == call.amount_minor and made.reference != call.reference
            for made in self._of_payment(call.transaction_id)
        )

    def _of_payment(self, transaction_id: str) -> Sequence[Movement]:
        return self.ledger.of_payment.get(transaction_id, ())

    def _stored(self, call: Call) -> Stored | None:
        stored = self._keys.get(call.key) if self._key_life else None
        return stored if stored is not None and stored.lives(self._elapsed) else None

    def _store(
        self,
        call: Call,
        fate: Fate,
        movement: Movement | None = None,
        *,
        code: str = "",
        reason: Reason = Reason.PASSING,
    ) -> Stored:
        life = self._key_life or timedelta()
        stored = Stored(self._elapsed, life, fate, movement, code, reason)
        self._keys[call.key] = stored
        return stored

    def _again(self, stored: Stored) -> Answer:
        """The answer that is kept under the key; a movement is told as it stands now."""
        made = stored.movement
        match stored.fate:
            case "declined":
                return _declined(stored.code, stored.reason)
            case "paid" if made is not None:
                return _declined(made.code, made.reason) if made.state == "failed" else _good(made)
            case _:
                return Answer(Outcome.UNKNOWN, stored.fate, http_status=500)

    def _do_later(self, seconds: float, what: Callable[[], object]) -> None:
        due = self._elapsed + seconds
        heapq.heappush(self._later, (due, next(self._numbers), what))


_STORED: dict[Fault, Fate] = {Fault.GARBAGE: "garbage", Fault.WRONG_AMOUNT: "wrong_amount"}
_DUPLICATE = ("duplicate_suspected", Reason.PASSING)


def _good(movement: Movement) -> Answer:
    outcome = Outcome.ACCEPTED if movement.state == "pending" else Outcome.REFUNDED
    return Answer(outcome, reference=movement.id, http_status=201)


def _declined(code: str, reason: Reason) -> Answer:
    return Answer(Outcome.DECLINED, code, reason=reason, http_status=402)


def _unclear(fault: Fault) -> Answer:
    match fault:
        case Fault.NO_REFERENCE:
            return Answer(Outcome.REFUNDED, reference=None, http_status=201)
        case Fault.WRONG_AMOUNT:
            return Answer(Outcome.UNKNOWN, "answer_mismatch", http_status=201)
        case _:
            return Answer(Outcome.UNKNOWN, str(fault))
