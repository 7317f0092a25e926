"""The loop: a scene is lived once to count its operations, then again with a blow at each of them."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text

from refunds.domain.outcome import Outcome
from tests.guarantees.crashes.acts import BANK, message_refunds
from tests.guarantees.crashes.halls import Hall
from tests.guarantees.crashes.judge import Breach, judge
from tests.guarantees.crashes.outside import WiredBank
from tests.guarantees.crashes.scene import Scene
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.crashes.wire import Blow, Operation, Wire
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.furnish import with_account
from tests.house_parts import account

START = datetime(2026, 3, 20, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Life:
    """What came of one life."""

    operations: tuple[Operation, ...]
    struck: Operation | None
    breaches: tuple[Breach, ...]
    counts: Counter[str]


def live(
    scene: Scene,
    hall: Hall,
    *,
    seed: int,
    blow: Blow | None = None,
    stops_server: bool = False,
    zone: str = "UTC",
    start: datetime = START,
) -> Life:
    """Live it from the same beginning, with this blow; judged when it has come to rest."""
    chance = random.Random(f"{seed} {scene.name}")
    clock, wire = VirtualClock(start), Wire(blow)
    with seeded_ids(clock, random.Random(f"{seed} ids")):
        hall.tapped.now = wire
        hall.begin(clock)
        with_account(hall.database, account(zone=zone))
        bank = WiredBank(clock, wire, grade=scene.grade)
        stage = Stage(
            hall, clock, wire, {BANK: bank}, chance=chance, watch=scene.watch, stops_server=stops_server
        )
        # A new process comes before the dead one's lease is over, or after: both are lived.
        stage.restarts_after = 75.0 if blow is None or blow.at % 3 else 1.0
        scene.begin(stage)
        stage.play(until=scene.days * 86_400)
        message_refunds(stage)
        breaches = judge(stage, zone=zone)
    return Life(tuple(wire.operations), wire.struck, tuple(breaches), _counts(stage, bank))


def blows(operations: Sequence[Operation]) -> list[Blow]:
    """Before and after each operation, and failing from it on."""
    every: list[Blow] = []
    for number, operation in enumerate(operations, 1):
        every.append(Blow(number, "before"))
        if not operation.one_sided:
            every.append(Blow(number, "after"))
        every.append(Blow(number, "after" if _done_unheard(operation, number) else "before", fails=True))
    return every


def _done_unheard(operation: Operation, number: int) -> bool:
    """Every other commit and request that fails first is carried out, and only its answer is lost."""
    return operation.kind in {"commit", "gateway"} and not operation.one_sided and number % 2 == 0


def _counts(stage: Stage, bank: WiredBank) -> Counter[str]:
    ledger = bank.ledger
    with stage.wire.muted(), stage.database.read() as tx:
        refunds, late, failures, pairs = tx.execute(
            text(
                """SELECT (SELECT COUNT(*) FROM refunds), (SELECT COUNT(*) FROM evidence),
                (SELECT COUNT(DISTINCT refund_id) FROM notices WHERE kind = 'failed'),
                (SELECT COUNT(*) FROM notices WHERE kind = 'failed')"""
            )
        ).one()
    asked = [seen for every in ledger.asked.values() for seen in every]
    return Counter(
        {
            "refunds": refunds,
            "acknowledged": len(stage.shop.acknowledged),
            "kills": stage.counts["kills"],
            "postgres stops": stage.server_stops,
            "timeouts after the money moved": sum(
                seen.moved and seen.outcome is Outcome.UNKNOWN for seen in asked
            ),
            "faults after the money moved": ledger.counts["faults after the money moved"],
            "doubled": ledger.counts["doubled"],
            "failures": failures,
            "pairs": pairs,
            "unclear outcomes": sum(seen.outcome is Outcome.UNKNOWN for seen in asked),
            "look ups": ledger.counts["look-ups"],
            "look ups that found a payment": ledger.counts["look-ups that found a payment"],
            "rings lost": stage.counts["rings lost"],
            "zombies": stage.counts["freezes"] + ledger.counts["frozen at the gate"],
            "lease take overs": stage.counts["taken over"],
            "fencing refusals": late,
        }
    )
