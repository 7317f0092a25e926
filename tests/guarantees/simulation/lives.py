"""Lives of many refunds in one database: full of trouble, then quiet, then judged (G2, G6, G7, G8)."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from refunds.domain.abilities import Grade
from refunds.domain.status import Status
from refunds.flow.intake import Asked
from refunds.flow.operate import cancel, retry_now
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.furnish import OpenDatabase, with_account
from tests.guarantees.simulation.judge import mail_breaches, money_breaches, rows_of
from tests.guarantees.simulation.logs import counted_logs
from tests.guarantees.simulation.mailbox import Mailbox
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.steps import Step
from tests.guarantees.simulation.unclear import blind_resends
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World
from tests.house_parts import account

DAYS = 40.0
FateOf = Callable[[random.Random, Grade], tuple[Step, ...]]


@dataclass(slots=True)
class Judged:
    """What one life was found to be."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    money: list[str] = field(default_factory=list)
    mail: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def live(
    databases: OpenDatabase, *, seed: int, refunds: int, grade: Grade, fate: FateOf, wishes: Wishes
) -> Judged:
    """One life, judged. The same seed on the same database gives the same life."""
    chance = random.Random(seed)
    clock = VirtualClock(datetime(2026, 5, 1, chance.randrange(24), tzinfo=UTC))
    with seeded_ids(clock, chance), counted_logs() as logs:
        database = with_account(databases(clock), account(zone="Europe/Berlin"))
        bank = Bank(
            clock,
            grade=grade,
            seed=seed,
            look_up_trouble=0.05,
            duplicate_filter=timedelta(minutes=10) if chance.random() < 0.3 else None,
        )
        world = World(database, clock, {"bank": bank}, Mailbox(clock, chance), chance=chance, wishes=wishes)
        try:
            return _judge(world, _fill(world, refunds=refunds, grade=grade, fate=fate), logs)
        finally:
            database.close()


def _fill(world: World, *, refunds: int, grade: Grade, fate: FateOf) -> Shop:
    """Intake in a few batches, repeats among them; people cancel some and hurry some."""
    shop, chance, batches = Shop(world), world.chance, 4
    for batch in range(batches):
        size = refunds // batches
        moment = world.chance.uniform(0, 3) + batch * 3600.0 * chance.choice((0, 1, 20))
        world.at(moment, lambda size=size: _take_in(shop, size, grade, fate))  # type: ignore[misc]
    for _ in range(refunds // 50):
        world.at(chance.uniform(1, 4 * 86_400), lambda: _meddle(shop))
    world.live(until=DAYS * 86_400)
    return shop


def _take_in(shop: Shop, size: int, grade: Grade, fate: FateOf) -> None:
    chance = shop.world.chance
    bought = shop.buy_many("bank", [(10_000, fate(chance, grade)) for _ in range(size)])
    asked = []
    for transaction_id in bought:
        for _ in range(chance.choice((1, 1, 1, 2))):
            document = {
                "transaction_id": transaction_id,
                "amount_minor": chance.choice((2_500, 4_000, 5_000)),
            }
            asked.append(Asked(f"{transaction_id}-{chance.randrange(10**9)}", document))
    asked = asked[:size]
    shop.post("bank", asked)
    if chance.random() < 0.5:
        shop.post("bank", chance.sample(asked, len(asked) // 10))


def _meddle(shop: Shop) -> None:
    chance, parts = shop.world.chance, shop.world.web
    if shop.acknowledged:
        refund_id = chance.choice(list(shop.acknowledged))
        act = cancel if chance.random() < 0.2 else retry_now
        act(parts, refund_id, actor="an operator", reason="a test of ours")


def _judge(world: World, shop: Shop, logs: Counter[str]) -> Judged:
    found = Judged()
    bank = world.banks["bank"]
    found.money = list(money_breaches(world, shop))
    found.mail = list(mail_breaches(world))
    found.blind = list(blind_resends(bank))
    found.broken = list(world.breaches)
    found.broken += [f"logged: {name}, {logs[name]} times" for name in BAD_NEWS if logs[name]]
    found.statuses.update(row.status.value for row in rows_of(world).values())
    with world.database.read() as tx:
        kept = tx.execute(text("SELECT COUNT(*) FROM evidence WHERE source = 'late_answer'")).scalar_one()
    ledger = bank.ledger.counts
    found.counts.update(
        refunds=len(shop.acknowledged),
        acknowledged=len(shop.acknowledged),
        sigterms=world.counts["sigterms"],
        flushes=world.counts["flushes"],
        unclear_outcomes=sum(ledger[name] for name in ledger if name.startswith("faults")),
        faults_after_the_money_moved=ledger["faults after the money moved"],
        timeouts_after_the_money_moved=ledger["timeouts after the money moved"],
        lost=sum("is lost" in line for line in found.money),
        stale_writes=sum("do not add up" in line for line in found.money),
        late_commits=ledger["faults with the money late"],
        doubled=ledger["doubled"],
        look_ups_that_found_a_payment=ledger["look-ups that found a payment"],
        answered_by_key=ledger["answered by key"],
        refused_at_the_gate=ledger["refused at the gate"],
        frozen_at_the_gate=ledger["frozen at the gate"],
        taken_back=ledger["taken back"],
        kills=world.counts["kills"],
        freezes=world.counts["freezes"],
        zombies=world.counts["claims frozen"],
        rings_lost=world.counts["rings lost"],
        lease_take_overs=world.counts["sweep did"],
        fencing_refusals=logs["refund.fenced_off"],
        late_answers_kept=kept,
        needs_review=found.statuses[Status.NEEDS_REVIEW.value],
    )
    return found


BAD_NEWS = (
    "settle.group_broken",
    "settle.refund_broken",
    "settle.refund_left",
    "tick.failed",
    "notice.not_told",
)
"""Events that say that a rule would have been broken, or that something failed nobody foresaw."""
