import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.furnish import OpenDatabase, sqlite_databases, with_account
from tests.guarantees.simulation.judge import mail_breaches, money_breaches, rows_of
from tests.guarantees.simulation.mailbox import Mailbox, Manners
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.steps import PAY, Act, Fault, Moves, Step, declined
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World
from tests.house_parts import account


@pytest.fixture(scope="module")
def databases() -> Iterator[OpenDatabase]:
    with sqlite_databases() as opened:
        yield opened


FATES: tuple[tuple[Step, ...], ...] = (
    (PAY,),
    (declined(), PAY),
    (declined(),),
    (Step(fault=Fault.TIMEOUT), PAY),
    (Step(fault=Fault.ERROR, moves=Moves.NEVER), PAY),
    (Step(fault=Fault.RESET, moves=Moves.LATE_COMMIT, late_seconds=300), PAY),
    (Step(Act.NOT_REACHED), PAY),
    (Step(Act.ACCEPT, final_seconds=3600), PAY),
)


def test_fifty_refunds_live_and_are_judged(databases: OpenDatabase) -> None:
    chance = random.Random(1)
    clock = VirtualClock(datetime(2026, 3, 20, 10, tzinfo=UTC))
    with seeded_ids(clock, chance):
        database = with_account(databases(clock), account(zone="Europe/London"))
        mailbox = Mailbox(
            clock, chance, {"oncall@shop.test": Manners(refuses_for_now=0.3, drops_after_accepting=0.2)}
        )
        world = World(
            database, clock, {"bank": Bank(clock)}, mailbox, chance=chance, wishes=Wishes(places=20)
        )
        shop = Shop(world)
        bought = shop.buy_many("bank", [(10_000, chance.choice(FATES)) for _ in range(50)])
        shop.ask("bank", [(transaction_id, 5_000) for transaction_id in bought])
        world.at(0.2, lambda: world.kill(world.workers[0]))
        world.at(1.0, lambda: world.freeze(world.workers[0], 300))
        world.live(until=timedelta(days=12).total_seconds())
        found = [*world.breaches, *money_breaches(world, shop), *mail_breaches(world)]
        statuses = {row.status.value for row in rows_of(world).values()}
        database.close()
    assert found == []
    assert statuses == {"refunded", "failed"}
    assert world.counts["kills"] == 1
