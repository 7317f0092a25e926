"""The bank's own books: what was asked, what moved. The judge reads them, the product cannot touch them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from refunds.domain.outcome import Finding, Outcome, Reason
from refunds.domain.status import Kind
from refunds.ports import Call

State = Literal["succeeded", "pending", "failed", "taken_back"]
Fate = Literal["running", "paid", "declined", "error", "garbage", "wrong_amount"]


@dataclass(slots=True)
class Movement:
    """Money that moved or was promised."""

    id: str
    reference: str
    key: str
    transaction_id: str
    amount_minor: int
    currency: str
    kind: Kind
    state: State
    at: datetime
    code: str = ""
    reason: Reason = Reason.PASSING


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the bank saw it. `elapsed` and `at` are when its first byte came."""

    what: Literal["pay", "look_up"]
    elapsed: float
    at: datetime
    key: str
    moved: bool = False
    replayed: bool = False
    zombie: bool = False
    """It was frozen between the last check and the first byte."""
    outcome: Outcome | None = None
    finding: Finding | None = None


@dataclass(slots=True)
class Payment:
    """A payment as the bank knows it."""

    captured_minor: int
    taken_minor: int = 0
    disputed_from: float | None = None


@dataclass(slots=True)
class Ledger:
    """Books of one bank, checked at every instant."""

    payments: dict[str, Payment] = field(default_factory=dict)
    movements: dict[str, list[Movement]] = field(default_factory=lambda: defaultdict(list))
    """By our reference, the refund id."""
    of_payment: dict[str, list[Movement]] = field(default_factory=lambda: defaultdict(list))
    told_disputed: set[str] = field(default_factory=set)
    """References whose look-up showed an open dispute."""
    asked: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)

    def book(self, call: Call, *, state: State, at: datetime) -> Movement:
        """Money moves, or is promised. Twice for one refund or above the capture is a breach at once."""
        made = self.movements[call.reference]
        movement = Movement(
            id=f"mv-{call.reference}-{len(made) + 1}",
            reference=call.reference,
            key=call.key,
            transaction_id=call.transaction_id,
            amount_minor=call.amount_minor,
            currency=call.currency,
            kind=call.kind,
            state=state,
            at=at,
        )
        made.append(movement)
        self.of_payment[call.transaction_id].append(movement)
        payment = self.payments[call.transaction_id]
        payment.taken_minor += call.amount_minor
        if self.times_paid(call.reference) > 1:
            self.counts["doubled"] += 1
            self.breaches.append(f"{call.reference} was paid twice, the second time by key {call.key}")
        if payment.taken_minor > payment.captured_minor:
            self.breaches.append(
                f"{call.transaction_id}: {payment.taken_minor} given back of {payment.captured_minor}"
            )
        return movement

    def undo(self, movement: Movement, state: Literal["failed", "taken_back"]) -> None:
        """What was promised fails, or what was paid is taken back."""
        movement.state = state
        self.payments[movement.transaction_id].taken_minor -= movement.amount_minor

    def standing(self, reference: str) -> list[Movement]:
        """What moved or is promised for a refund and was not taken back."""
        return [made for made in self.movements.get(reference, ()) if made.state in {"succeeded", "pending"}]

    def times_paid(self, reference: str) -> int:
        """How often the bank has paid or promised a refund that it did not take back."""
        return len(self.standing(reference))

    def pays(self, reference: str) -> list[Asked]:
        """The money requests of a refund, in order."""
        return [seen for seen in self.asked.get(reference, ()) if seen.what == "pay"]

    def total_minor(self) -> Counter[str]:
        """What stands as paid, by currency."""
        total: Counter[str] = Counter()
        for made in self.movements.values():
            for movement in made:
                if movement.state == "succeeded":
                    total[movement.currency] += movement.amount_minor
        return total


@dataclass(slots=True)
class Stored:
    """What the bank keeps under a key: a fate that is given again for as long as the key lives."""

    since: float
    life: timedelta
    fate: Fate
    movement: Movement | None = None
    code: str = ""
    reason: Reason = Reason.PASSING

    def lives(self, elapsed: float) -> bool:
        """Whether the bank still honours the key."""
        return elapsed < self.since + self.life.total_seconds()
