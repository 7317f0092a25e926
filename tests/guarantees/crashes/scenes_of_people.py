"""Scenes about what people, clients and processes do: cancel, resolve, pause, freeze, restore, repeat."""

from datetime import timedelta
from functools import partial

from sqlalchemy import text

from refunds.domain.abilities import Grade
from refunds.domain.status import Status
from refunds.flow.audit import audit_sums
from refunds.flow.decide import start_over
from refunds.flow.operate import cancel, retry_now
from refunds.flow.pauses import pause, resume
from refunds.flow.restore import note_restored
from refunds.flow.sweep import sweep
from refunds.store.claims import claim_due
from refunds.store.database import clocks
from tests.guarantees.crashes.acts import (
    BANK,
    ask,
    buy,
    decides,
    person,
    sends_message,
    wants,
    wants_batch,
)
from tests.guarantees.crashes.scene import Scene
from tests.guarantees.crashes.scenes_of_banks import DAY, DECLINED, NEVER_CAME, PAID_UNSEEN
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.simulation.mailbox import Manners
from tests.guarantees.simulation.steps import PAY, Step

HOUR = 3600.0


def _cancelled(stage: Stage) -> None:
    wants(stage, DECLINED, PAY)
    act = partial(cancel, actor="person", reason="changed their mind")
    person(stage, HOUR, act, when=lambda refund: refund.status is Status.QUEUED)


def _tried_now(stage: Stage) -> None:
    wants(stage, DECLINED, PAY)
    act = partial(retry_now, actor="person", reason="the card is open again")
    person(stage, HOUR, act, when=lambda refund: refund.status is Status.QUEUED and not refund.extra)


def _failed_tried_now(stage: Stage) -> None:
    wants(stage, *(DECLINED,) * 4, PAY)
    act = partial(retry_now, actor="person", reason="the card is open again")
    person(stage, 4 * DAY, act, when=lambda refund: refund.status is Status.FAILED and not refund.extra)


def _started_over(stage: Stage) -> None:
    wants(stage, *(DECLINED,) * 5, PAY)
    act = partial(start_over, actor="person", reason="a new card")
    person(stage, 4 * DAY, act, when=lambda refund: refund.status is Status.FAILED)


def _resolved(new: Status, *steps: Step) -> Scene:
    def begin(stage: Stage) -> None:
        wants(stage, *steps)
        decides(stage, new)

    return Scene(f"a person resolves a doubt as {new.value}", begin, grade=Grade.NEITHER)


def _paused(stage: Stage) -> None:
    def stop() -> None:
        pause(stage.web, BANK, actor="person", reason="looks odd")

    def go_on() -> None:
        resume(stage.web, BANK, actor="person")

    stage.act(0.0, stop)
    wants(stage, PAY, at=1.0)
    stage.act(HOUR, go_on)


def _frozen(stage: Stage) -> None:
    wants(stage, Step(latency_seconds=1.0))

    def freeze() -> None:
        stage.freeze(stage.workers[0], 300.0)
        stage.start_worker()

    stage.at(0.03, freeze)


def _restored(stage: Stage) -> None:
    wants(stage, DECLINED, PAY)
    stage.act(HOUR, lambda: note_restored(stage.web, by="person", why="the disk broke"))
    wants(stage, PAY, key="after", at=2 * HOUR)


def _by_message(stage: Stage) -> None:
    sends_message(stage, buy(stage, PAY), key="message", amount_minor=5_000)


def _parked_message(stage: Stage) -> None:
    sends_message(stage, buy(stage, PAY), key="too-much", amount_minor=50_000)
    sends_message(stage, buy(stage, PAY), key="message", amount_minor=5_000, at=1.0)


def _batch(stage: Stage) -> None:
    wants_batch(stage, ("one", "two", "one"), buy(stage, PAY), 3_000)


def _racing_partials(stage: Stage) -> None:
    transaction_id = buy(stage, PAY, captured_minor=12_000)
    for number in range(3):
        stage.act(0.0, partial(ask, stage, transaction_id, key=f"key-{number}", amount_minor=5_000))


def _rude_mailboxes(stage: Stage) -> None:
    wants(stage, DECLINED)
    stage.mailbox.manners = {
        "finance@shop.test": Manners(refuses_for_now=0.5, drops_before=0.2, drops_after_accepting=0.2),
        "desk@shop.test": Manners(refuses_for_good=1.0),
    }


def _broken_sum(stage: Stage) -> None:
    transaction_id = wants(stage, DECLINED, PAY)

    def spoil() -> None:
        stage.spoiled.add(transaction_id)
        with stage.wire.muted(), stage.database.begin() as tx:
            sql = "UPDATE payments SET reserved_minor = reserved_minor + 1 WHERE transaction_id = :id"
            tx.execute(text(sql), {"id": transaction_id})

    stage.at(HOUR, spoil)
    stage.act(2 * HOUR, lambda: audit_sums(stage.schedulers[0]))


def _poison(stage: Stage) -> None:
    """Ten times a process dies between its claim and its sending."""
    wants(stage, PAY)

    left = [10]

    def claim_and_die() -> None:
        with stage.database.begin() as tx:
            real, now = clocks(tx)
            claim_due(
                tx,
                account=stage.wishes.account,
                gateway=BANK,
                first=1,
                again=1,
                worker="doomed",
                now=now,
                lease_until=real + timedelta(seconds=60),
            )
        stage.clock.advance(61.0)
        sweep(stage.schedulers[0])
        left[0] -= 1
        if left[0]:
            stage.act(stage.clock.elapsed(), claim_and_die)

    stage.act(0.0, claim_and_die)


SCENES = (
    Scene("cancelled while queued", _cancelled),
    Scene("tried now while queued", _tried_now),
    Scene("failed, tried now, paid", _failed_tried_now),
    Scene("failed, started over, paid", _started_over),
    _resolved(Status.REFUNDED, PAID_UNSEEN),
    _resolved(Status.FAILED, NEVER_CAME),
    _resolved(Status.QUEUED, NEVER_CAME, PAY),
    _resolved(Status.CANCELLED, NEVER_CAME),
    _resolved(Status.REFUNDED_EXTERNALLY, NEVER_CAME),
    Scene("paused, asked for, resumed", _paused),
    Scene("a frozen worker brings its answer after its lease", _frozen),
    Scene(
        "a worker freezes at the gate and sends after its lease",
        lambda stage: wants(stage, Step(gate_seconds=300.0), PAY),
    ),
    Scene("a backup was restored between two tries", _restored),
    Scene("asked for by message", _by_message),
    Scene("a message that asks for too much is parked", _parked_message),
    Scene("a batch that holds one key twice", _batch),
    Scene("three partial refunds that ask for too much", _racing_partials),
    Scene("failed, and addresses that refuse, drop and are wrong", _rude_mailboxes),
    Scene("an audit finds a broken sum", _broken_sum),
    Scene("claims lost ten times in a row", _poison),
)
