"""One of three gateways is sick for six hours with much waiting at it; the others must not notice (G18)."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from sqlalchemy import text

from tests.guarantees.simulation.bank import Bank, Weather
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.furnish import OpenDatabase, with_account
from tests.guarantees.simulation.judge import money_breaches
from tests.guarantees.simulation.logs import counted_logs
from tests.guarantees.simulation.mailbox import Mailbox
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.steps import Act, Fault, Moves, Step
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World
from tests.house_parts import account

HOURS = 6.0
EVERY_SECONDS = 180.0
PROBE_SECONDS = 30.0
MARGIN = 1.2
_FLOOR_SECONDS = 0.05
"""Below this a difference is the pick of the scheduler, not the neighbour."""

Sickness = Literal["hangs", "refuses"]
SICKNESSES: tuple[Sickness, ...] = ("refuses", "hangs")
_STEPS = {"hangs": Step(fault=Fault.TIMEOUT, moves=Moves.NEVER), "refuses": Step(Act.NOT_REACHED)}


def beside_a_sick_one(
    databases: OpenDatabase, *, seed: int, sickness: Sickness, waiting: int
) -> tuple[Counter[str], list[str]]:
    """The same life with and without the sickness, compared."""
    well, _, _ = _live(databases, seed=seed, sickness=None, waiting=waiting)
    ill, counts, breaches = _live(databases, seed=seed, sickness=sickness, waiting=waiting)
    counts["p95_beside_the_sick_ms"], counts["p95_without_ms"] = round(ill * 1000), round(well * 1000)
    if ill > max(well * MARGIN, well + _FLOOR_SECONDS):
        breaches.append(f"the others' p95 is {ill:.2f} s beside one that {sickness}, {well:.2f} s without")
    return counts, breaches


def _live(
    databases: OpenDatabase, *, seed: int, sickness: Sickness | None, waiting: int
) -> tuple[float, Counter[str], list[str]]:
    chance = random.Random(seed)
    clock = VirtualClock(datetime(2026, 6, 1, 10, tzinfo=UTC))
    with seeded_ids(clock, chance), counted_logs():
        database = with_account(databases(clock), account())
        banks = {name: Bank(clock, seed=seed) for name in ("one", "two", "sick")}
        ends = HOURS * 3600
        if sickness is not None:
            banks["sick"].weather.append(Weather(0, ends, _STEPS[sickness]))
        wishes = Wishes(workers=2, places=50, notify_emails=("oncall@shop.test",))
        world = World(database, clock, banks, Mailbox(clock, chance), chance=chance, wishes=wishes)
        shop = Shop(world)
        try:
            bought = shop.buy_many("sick", [(5_000, ()) for _ in range(waiting)])
            shop.ask("sick", [(transaction_id, 5_000) for transaction_id in bought])
            asked = _keep_asking(world, shop)
            world.live(until=ends)
            tries = _counted(world) if sickness else 0
            world.live(until=ends + 3 * 86_400)
            breaches = [*world.breaches, *money_breaches(world, shop)]
            if sickness == "refuses" and tries:
                breaches.append(f"{tries} tries were used up by the sickness")
            breaches += _hammered(banks["sick"].probes)
            counts = Counter(
                waiting_at_the_sick_gateway=waiting,
                refunds_at_the_others=len(asked),
                probes_of_the_sick_gateway=len(banks["sick"].probes),
                tries_used_up=tries,
            )
            return _p95(world, asked), counts, breaches
        finally:
            database.close()


def _keep_asking(world: World, shop: Shop) -> dict[str, datetime]:
    """A few refunds a minute at the two others; when each was asked for."""
    asked: dict[str, datetime] = {}

    def ask(gateway: str) -> None:
        bought = shop.buy_many(gateway, [(5_000, ())] * 3)
        now = world.clock.now()
        asked.update((id_, now) for id_ in shop.ask(gateway, [(one, 5_000) for one in bought]))

    moment = EVERY_SECONDS
    while moment < HOURS * 3600:
        for gateway in ("one", "two"):
            world.at(moment + world.chance.random() * 10, lambda gateway=gateway: ask(gateway))  # type: ignore[misc]
        moment += EVERY_SECONDS
    return asked


def _p95(world: World, asked: dict[str, datetime]) -> float:
    waits = sorted(
        (made[0].at - asked[reference]).total_seconds()
        for name in ("one", "two")
        for reference, made in world.banks[name].ledger.movements.items()
    )
    return waits[len(waits) * 95 // 100]


def _counted(world: World) -> int:
    with world.database.read() as tx:
        query = "SELECT COALESCE(SUM(attempts_counted), 0) FROM refunds WHERE gateway = 'sick'"
        return int(tx.execute(text(query)).scalar_one())


def _hammered(probes: list[float]) -> list[str]:
    """At most one probe in thirty seconds, once the breaker has had a minute to close."""
    settled = [probe for probe in probes if probe > timedelta(minutes=1).total_seconds()]
    close = sum(after - before < PROBE_SECONDS for before, after in pairwise(settled))
    return [f"{close} probes of the sick gateway came within 30 s of another"] if close else []
