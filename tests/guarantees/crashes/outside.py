"""The bank and the mailbox of a life on the wire: every byte that goes out or comes in is an operation."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from refunds.domain.abilities import Grade
from refunds.domain.outcome import Finding, LookUpAnswer, Reason
from refunds.domain.status import Kind
from refunds.ports import Call, Delivery, Mail
from tests.guarantees.crashes.wire import Wire
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.mailbox import Mailbox

SETTLING = timedelta(minutes=10)


class WiredBank(Bank):
    """A scripted bank that also voids, and tells of what it took back."""

    def __init__(self, clock: VirtualClock, wire: Wire, *, grade: Grade) -> None:
        super().__init__(clock, grade=grade, settling=SETTLING)
        self.abilities = replace(self.abilities, void=True)
        self.wire = wire
        self.tap = self._passes_by
        self.taken_back_for = Reason.PASSING
        self.watchers: list[Callable[[], None]] = []
        """Called before each money request is sent."""

    def _passes_by(self, step: str) -> None:
        match step:
            case "gateway.send":
                for watcher in self.watchers:
                    watcher()
                self.wire.begins("gateway", "send")
            case "gateway.done":
                self.wire.ended()
            case _:
                self.wire.begins("gateway", step.removeprefix("gateway."), one_sided=True)

    def _look(self, call: Call) -> LookUpAnswer:
        for made in self.ledger.movements.get(call.reference, ()):
            if made.state == "taken_back" and made.id == call.accepted_reference:
                return LookUpAnswer(Finding.DECLINED, "taken_back", reason=self.taken_back_for)
        found = super()._look(call)
        paid = sum(
            made.amount_minor
            for made in self.ledger.of_payment.get(call.transaction_id, ())
            if made.state == "succeeded" and made.kind is Kind.REFUND
        )
        return LookUpAnswer(
            found.finding,
            found.code,
            found.text,
            reason=found.reason,
            reference=found.reference,
            disputed=found.disputed,
            refunded_minor=paid,
            snapshot=found.snapshot,
        )


class WiredMailbox(Mailbox):
    """A scripted mail server whose steps are operations."""

    def on(self, wire: Wire) -> "WiredMailbox":
        """Every step passes this wire."""
        self.tap = lambda step: wire.begins("mail", step.removeprefix("mail."), one_sided=True)
        return self

    def deliver(self, mail: Mail) -> Delivery:
        """As the port has it: trouble is an answer, never an exception."""
        try:
            return super().deliver(mail)
        except ConnectionRefusedError as error:
            return Delivery(delivered=False, final=False, response=f"451 {error}")
