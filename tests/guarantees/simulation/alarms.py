"""Failures told to three addresses by a mail server that refuses, hangs, drops and is away (G5)."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from refunds.domain.status import Status
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.furnish import OpenDatabase, with_account
from tests.guarantees.simulation.judge import mail_breaches, money_breaches, rows_of
from tests.guarantees.simulation.logs import counted_logs
from tests.guarantees.simulation.mailbox import Mailbox, Manners
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.steps import declined
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World
from tests.house_parts import account

ADDRESSES = ("oncall@shop.test", "finance@shop.test", "desk@shop.test")
MANNERS = {
    "oncall@shop.test": Manners(refuses_for_now=0.1),
    "finance@shop.test": Manners(hangs=0.02, drops_before=0.1),
    "desk@shop.test": Manners(drops_after_accepting=0.1),
}
AWAY_SECONDS = 1200.0


def fail_and_tell(databases: OpenDatabase, *, seed: int, failures: int) -> tuple[Counter[str], list[str]]:
    """Counts and breaches of one life: all its refunds fail at once, the notifier dies now and then."""
    chance = random.Random(seed)
    clock = VirtualClock(datetime(2026, 6, 1, 8, tzinfo=UTC))
    with seeded_ids(clock, chance), counted_logs() as logs:
        database = with_account(databases(clock), account(retry_days=0))
        mailbox = Mailbox(clock, chance, MANNERS)
        wishes = Wishes(
            workers=1,
            schedulers=2,
            places=200,
            notify_emails=ADDRESSES,
            deaths_outside=0.001,
            pace_seconds=30,
        )
        banks = {"bank": Bank(clock, seed=seed)}
        world = World(database, clock, banks, mailbox, chance=chance, wishes=wishes)
        begins = chance.uniform(0, 1800)
        mailbox.down = lambda: begins <= clock.elapsed() < begins + AWAY_SECONDS
        shop = Shop(world)
        try:
            bought = shop.buy_many("bank", [(5_000, (declined("card_closed"),)) for _ in range(failures)])
            shop.ask("bank", [(transaction_id, 5_000) for transaction_id in bought])
            world.live(until=20 * 86_400.0)
            breaches = [*world.breaches, *money_breaches(world, shop), *mail_breaches(world)]
            breaches += list(_one_mail_each(mailbox))
            breaches += (
                [f"{logs['notice.not_told']} notices could not be told"] if logs["notice.not_told"] else []
            )
            return _counts(world), breaches
        finally:
            database.close()


def _one_mail_each(mailbox: Mailbox) -> Iterator[str]:
    """A repeat has the same Message-ID; a second one is a second mail."""
    ids: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for mail in mailbox.received:
        ids[mail.refund_id, mail.address, mail.event].add(mail.message_id)
    for (refund_id, address, event), found in ids.items():
        if len(found) > 1:
            yield f"{address} was told by {len(found)} different mails that {refund_id} is {event}"


def _counts(world: World) -> Counter[str]:
    failed = {row.id for row in rows_of(world).values() if row.status is Status.FAILED}
    received = world.mailbox.received
    pairs = {(m.refund_id, m.address) for m in received if m.event == "failed" and m.refund_id in failed}
    given_up = {pair for pair in world.mailbox.refused_for_good if pair[0] in failed}
    return Counter(
        failures=len(failed),
        pairs=len(pairs),
        pairs_missing=len(failed) * len(ADDRESSES) - len(pairs),
        pairs_refused_for_good=len(given_up),
        repeats=len(received) - len({mail.message_id for mail in received}),
        refused_for_now=world.mailbox.counts["refused for now"],
        drops=world.mailbox.counts["drops"],
        dropped_after_accepting=world.mailbox.counts["dropped after accepting"],
        hangs=world.mailbox.counts["hangs"],
        notifiers_killed=world.counts["scheduler deaths"],
    )
