"""Real intake from several threads at once: over-asking partials, one key many times, changed bodies (G3)."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import text

from refunds.flow.intake import Accepted, Asked, Taken, take_in
from refunds.flow.refusal import Cause
from refunds.store.refunds import broken_sums
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.furnish import OpenDatabase, with_account
from tests.guarantees.simulation.logs import counted_logs
from tests.guarantees.simulation.mailbox import Mailbox
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World
from tests.house_parts import account

THREADS = 6
CAPTURED = 10_000
PARTIAL = 900
"""Eleven fit into what was captured; fifty are asked for."""


def race(
    databases: OpenDatabase, *, seed: int, payments: int, partials: int, keys: int, posts: int
) -> tuple[Counter[str], list[str]]:
    """Counts and breaches. Which thread comes first is the machine's pick, the order of asking the seed's."""
    chance = random.Random(seed)
    clock = VirtualClock(datetime(2026, 6, 1, 10, tzinfo=UTC))
    with counted_logs():
        database = with_account(databases(clock), account())
        wishes = Wishes(workers=0)
        world = World(
            database, clock, {"bank": Bank(clock)}, Mailbox(clock, chance), chance=chance, wishes=wishes
        )
        try:
            shop = Shop(world)
            partly = _partials(world, shop, payments=payments, partials=partials)
            alike = _one_key(world, shop, keys=keys, posts=posts)
            counts, breaches = Counter({**partly[0], **alike[0]}), partly[1] + alike[1]
            with database.read() as tx:
                breaches += [f"payment {broken} has sums that do not add up" for broken in broken_sums(tx)]
            return counts, breaches
        finally:
            database.close()


def _partials(world: World, shop: Shop, *, payments: int, partials: int) -> tuple[dict[str, int], list[str]]:
    bought = shop.buy_many("bank", [(CAPTURED, ())] * payments)
    asked = [
        Asked(f"partial-{one}-{n}", {"transaction_id": one, "amount_minor": PARTIAL})
        for one in bought
        for n in range(partials)
    ]
    world.chance.shuffle(asked)
    answers = _at_once(world, asked)
    taken = Counter(
        str(request.document["transaction_id"])
        for request, answer in zip(asked, answers, strict=True)
        if isinstance(answer, Accepted)
    )
    fits = min(CAPTURED // PARTIAL, partials)
    breaches = [f"{one}: {taken[one]} of {fits} were accepted" for one in bought if taken[one] != fits]
    breaches += _refused_otherwise(answers, {Cause.EXCEEDS_REMAINING})
    return {
        "payments": payments,
        "racing_partials": len(asked),
        "accepted": taken.total(),
        "over_captured": sum(times * PARTIAL > CAPTURED for times in taken.values()),
    }, breaches


def _one_key(world: World, shop: Shop, *, keys: int, posts: int) -> tuple[dict[str, int], list[str]]:
    bought = shop.buy_many("bank", [(CAPTURED, ())] * keys)
    same = [
        Asked(f"key-of-{one}", {"transaction_id": one, "amount_minor": PARTIAL})
        for one in bought
        for _ in range(posts)
    ]
    changed = [
        Asked(f"key-of-{one}", {"transaction_id": one, "amount_minor": PARTIAL + 1})
        for one in bought
        for _ in range(posts)
    ]
    world.chance.shuffle(same)
    answers = _at_once(world, same)
    with world.database.read() as tx:
        rows = tx.execute(text("SELECT COUNT(*) FROM intake_log WHERE key LIKE 'key-of-%'")).scalar_one()
    breaches = [f"{rows} rows for {keys} keys"] if rows != keys else []
    ids = {answer.refund.id for answer in answers if isinstance(answer, Accepted)}
    breaches += [f"{len(ids)} refunds for {keys} keys"] if len(ids) != keys else []
    breaches += _refused_otherwise(answers, set())
    world.chance.shuffle(changed)
    refused = _at_once(world, changed)
    wrong = sum(isinstance(answer, Accepted) or answer.cause is not Cause.KEY_REUSED for answer in refused)
    breaches += [f"{wrong} changed bodies under a used key were not refused as such"] if wrong else []
    return {
        "keys": keys,
        "equal_posts": len(same),
        "changed_posts": len(changed),
        "rows_of_the_keys": rows,
        "mismatches_refused": len(refused) - wrong,
    }, breaches


def _refused_otherwise(answers: Sequence[Taken], causes: set[Cause]) -> list[str]:
    others = Counter(
        str(answer.cause)
        for answer in answers
        if not isinstance(answer, Accepted) and answer.cause not in causes
    )
    return [f"{number} were refused as {cause}" for cause, number in others.items()]


def _at_once(world: World, asked: Sequence[Asked]) -> list[Taken]:
    """Each request in a transaction of its own, from several threads."""
    post: Callable[[Asked], Taken] = lambda one: take_in(world.web, [one], caller="shop", source="api")[0]  # noqa: E731
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(post, asked))
