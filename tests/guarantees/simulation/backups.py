"""A backup is made, refunds are paid, the backup is restored: nobody is paid again (G17)."""

import random
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from refunds.domain.abilities import Grade
from refunds.domain.status import Status
from refunds.flow.restore import note_restored
from refunds.store.database import Database
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.furnish import OpenDatabase, with_account
from tests.guarantees.simulation.judge import money_breaches, rows_of
from tests.guarantees.simulation.logs import counted_logs
from tests.guarantees.simulation.mailbox import Mailbox
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.steps import Step, declined
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World
from tests.house_parts import account

DAY = 86_400.0


def restore_and_go_on(
    databases: OpenDatabase, *, seed: int, refunds: int, grade: Grade
) -> tuple[Counter[str], list[str]]:
    """Counts and breaches of one life on SQLite. Half are paid at once after the backup, half a day later."""
    chance = random.Random(seed)
    clock = VirtualClock(datetime(2026, 6, 1, chance.randrange(24), tzinfo=UTC))
    with seeded_ids(clock, chance), counted_logs():
        first = with_account(databases(clock), account())
        banks = {"bank": Bank(clock, grade=grade, seed=seed)}
        wishes = Wishes(workers=2, places=100, notify_emails=("oncall@shop.test",))
        world = World(first, clock, banks, Mailbox(clock, chance), chance=chance, wishes=wishes)
        shop = Shop(world)
        bought = shop.buy_many("bank", [(5_000, _fate(number)) for number in range(refunds)])
        shop.ask("bank", [(transaction_id, 5_000) for transaction_id in bought[: refunds // 2]])
        world.live(until=60)
        shop.ask("bank", [(transaction_id, 5_000) for transaction_id in bought[refunds // 2 :]])
        backup = _back_up(first)
        world.live(until=chance.choice((3600.0, 3 * DAY)))
        paid = sum(banks["bank"].ledger.times_paid(refund_id) for refund_id in shop.acknowledged)
        _drop(world)
        second = Database(f"sqlite:///{backup}", clock=clock.now)
        world = World(second, clock, banks, world.mailbox, chance=chance, wishes=wishes)
        shop.world = world
        try:
            marked = note_restored(world.web, by="an operator", why="a test")
            world.live(until=clock.elapsed() + 20 * DAY)
            breaches = [*world.breaches, *money_breaches(world, shop)]
            statuses = Counter(row.status for row in rows_of(world).values())
            if banks["bank"].abilities.look_up and statuses[Status.NEEDS_REVIEW]:
                breaches.append(f"{statuses[Status.NEEDS_REVIEW]} were not recognised by a look-up")
            counts = Counter(
                refunds=refunds,
                paid_before_the_restore=paid,
                restored_into_look_up_first=marked,
                doubled=banks["bank"].ledger.counts["doubled"],
                recognised=statuses[Status.REFUNDED],
                left_to_a_person=statuses[Status.NEEDS_REVIEW],
            )
            return counts, breaches
        finally:
            second.close()


def _fate(number: int) -> tuple[Step, ...]:
    """Every second is refused once before the backup, and paid a day after it."""
    return (declined(), Step()) if number % 2 else (Step(),)


def _back_up(database: Database) -> Path:
    """A copy as a backup tool would make it, while others could go on."""
    source = Path(str(database.url.database))
    backup = source.with_name(f"{source.stem}-backup.sqlite")
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(backup)) as copy:
        live.backup(copy)
    return backup


def _drop(world: World) -> None:
    """All processes are stopped, as they are for a restore."""
    for worker in list(world.workers):
        world.kill(worker, replace=False)
    world.database.close()
