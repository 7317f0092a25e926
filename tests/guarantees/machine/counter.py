"""The bank of the machine: whoever lets a call go on says what becomes of it."""

from dataclasses import replace

from refunds.domain.abilities import Grade
from refunds.domain.outcome import Finding, LookUpAnswer, Reason
from refunds.ports import Call
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.steps import PAY, Step


class Counter(Bank):
    """The scripted bank, its next step always `fate`; it voids too, and tells what it took back."""

    def __init__(self, clock: VirtualClock, *, grade: Grade) -> None:
        super().__init__(clock, grade=grade)
        self.abilities = replace(self.abilities, void=True)
        self.fate: Step = PAY
        self.look_ups_fail = False

    def takes_nothing_more(self) -> bool:
        """Nothing is on its way inside the bank."""
        self.desk.settle_down()
        return self.desk.at_rest() is None

    def _next_step(self, call: Call) -> Step:  # noqa: ARG002 - whatever is called meets the same fate
        return self.fate

    def _look(self, call: Call) -> LookUpAnswer:
        if self.look_ups_fail:
            return LookUpAnswer(Finding.UNCLEAR, "not_reached")
        found = super()._look(call)
        returned = [
            made
            for made in self.ledger.movements.get(call.reference, ())
            if made.state == "taken_back" and made.id == call.accepted_reference
        ]
        if found.finding is Finding.ABSENT and returned:
            reason = Reason.PASSING if returned[-1].amount_minor % 2 else Reason.PERMANENT
            return LookUpAnswer(Finding.DECLINED, "taken_back", reason=reason, disputed=found.disputed)
        return found
