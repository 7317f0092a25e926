"""What clients and people do in a life. Who is not answered does it again, with the same key."""

import threading
from collections.abc import Callable, Iterable
from functools import partial

from refunds.domain.status import Kind, Status
from refunds.flow.decide import PROVED, resolve_as
from refunds.flow.intake import Asked
from refunds.flow.messages import take_message
from refunds.flow.parts import Parts
from refunds.flow.payments import register
from refunds.store import refunds
from refunds.store.refunds import Refund
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.simulation.requests import Wanted
from tests.guarantees.simulation.steps import PAY, Step

BANK = "bank"
LATER = 3600.0
PATIENCE = 60
"""How often a person comes back to a refund that is not yet in the state for their act."""


def buy(stage: Stage, *steps: Step, captured_minor: int = 10_000) -> str:
    """A payment whose money requests meet these steps."""
    return stage.shop.buy(BANK, captured_minor, steps or (PAY,))


def authorise(stage: Stage, *steps: Step) -> str:
    """A payment that is authorised and not captured."""
    transaction_id = f"auth-{len(stage.banks[BANK].ledger.payments)}"
    stage.banks[BANK].put_payment(transaction_id, 10_000, steps or (PAY,))
    form = {
        "order_id": f"order-{transaction_id}",
        "transaction_id": transaction_id,
        "captured_amount": "0",
        "authorized_amount": "100.00",
        "status": "authorized",
        "currency": "GBP",
        "account": stage.wishes.account,
        "gateway": BANK,
    }
    register(stage.web, [form])
    return transaction_id


def request(stage: Stage, transaction_id: str, key: str, amount_minor: int, kind: Kind) -> Asked:
    document: dict[str, object] = {
        "transaction_id": transaction_id,
        "account": stage.wishes.account,
        "gateway": BANK,
    }
    if kind is Kind.REFUND:
        document["amount_minor"] = amount_minor
    return Asked(key, document, kind)


def ask(
    stage: Stage, transaction_id: str, *, key: str, amount_minor: int = 5_000, kind: Kind = Kind.REFUND
) -> None:
    """Ask once more for what this key stands for, now."""
    asked = request(stage, transaction_id, key, amount_minor, kind)
    for refund_id in stage.shop.post(BANK, [asked]):
        acknowledge(stage, key, refund_id)


def acknowledge(stage: Stage, key: str, refund_id: str) -> None:
    """The client has its answer; another refund under the same key is a breach."""
    if stage.ids.setdefault(key, refund_id) != refund_id:
        stage.breaches.append(f"G3 {key} stood for {stage.ids[key]} and now stands for {refund_id}")


def wants(
    stage: Stage,
    *steps: Step,
    key: str = "key",
    amount_minor: int = 5_000,
    at: float = 0.0,
    kind: Kind = Kind.REFUND,
) -> str:
    """A payment, and a client that asks for a refund (or void) of it; returns its transaction id."""
    transaction_id = authorise(stage, *steps) if kind is Kind.VOID else buy(stage, *steps)
    stage.act(at, partial(ask, stage, transaction_id, key=key, amount_minor=amount_minor, kind=kind))
    return transaction_id


def wants_batch(stage: Stage, keys: Iterable[str], transaction_id: str, amount_minor: int) -> None:
    """One request with many keys, some of them twice."""
    asked = [request(stage, transaction_id, key, amount_minor, Kind.REFUND) for key in keys]

    def post() -> None:
        for item, refund_id in zip(asked, stage.shop.post(BANK, asked), strict=True):
            acknowledge(stage, item.key, refund_id)

    stage.act(0.0, post)


def sends_message(stage: Stage, transaction_id: str, *, key: str, amount_minor: int, at: float = 0.0) -> None:
    """A message of the intake queue: it is delivered again until its actor has ended in good order."""
    wanted = request(stage, transaction_id, key, amount_minor, Kind.REFUND)
    message = {"version": 1, "idempotency_key": key, "request": dict(wanted.document)}
    stopping = threading.Event()
    stopping.set()  # nobody waits here: what is not kept at once is handed back and comes again

    def deliver() -> None:
        if not take_message(stage.web, message, stopping=stopping):
            stage.act(stage.clock.elapsed() + 5.0, deliver)
            return
        stage.messages_ended.append(key)

    stage.act(at, deliver)


PersonsAct = Callable[[Parts, str], object]


def person(
    stage: Stage, at: float, act: PersonsAct, *, when: Callable[[Refund], bool], key: str = "key"
) -> None:
    """Somebody acts on a refund as soon as it is so, looking again every hour."""
    left = [PATIENCE]

    def doing() -> None:
        refund = find(stage, key)
        if refund is None or not when(refund):
            left[0] -= 1
            if left[0] and stage.comes_back(refund):
                stage.act(stage.clock.elapsed() + LATER * 4, doing)
            return
        act(stage.web, refund.id)

    stage.act(at, doing)


def find(stage: Stage, key: str) -> Refund | None:
    """The refund that a key stands for, as the client knows it."""
    refund_id = stage.ids.get(key)
    if refund_id is None:
        return None
    with stage.wire.muted(), stage.database.read() as tx:
        return refunds.get(tx, refund_id)


def decides(stage: Stage, new: Status, *, at: float = LATER, key: str = "key") -> None:
    """A person settles it: as found paid if the bank's portal shows it paid, else as `new`."""

    def act(parts: Parts, refund_id: str) -> None:
        bank = stage.banks[BANK]
        bank.desk.settle_down()
        paid = bank.ledger.standing(refund_id)
        unpaid = Status.FAILED if new is Status.REFUNDED else new
        decided = Status.REFUNDED if paid else unpaid
        reference = paid[0].id if paid else "bank-transfer-7" if decided in PROVED else None
        stage.told_by_person.add(refund_id)
        resolve_as(parts, refund_id, new=decided, actor="person", reason="looked", reference=reference)

    person(stage, at, act, when=lambda refund: refund.status is Status.NEEDS_REVIEW, key=key)


def message_refunds(stage: Stage) -> None:
    """Count what messages that ended had asked for as acknowledged."""
    with stage.wire.muted(), stage.database.read() as tx:
        for row in refunds.list_page(tx, filters={}, after=None, limit=100):
            if row.requested_by == "message":
                stage.shop.acknowledged[row.id] = Wanted(row.id, row.transaction_id, BANK, row.amount_minor)
