"""Thirty days of refused refunds: one try a day, three more days, through every trouble of clocks (G4)."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import text

from refunds.domain.outcome import Outcome
from refunds.domain.status import Status
from refunds.store import lanes
from refunds.store.database import real_now
from tests.guarantees.simulation.bank import Bank, Weather
from tests.guarantees.simulation.calendar_year import RUN_HOURS, ZONES, Span, changes, run_of
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.fates import days_fate
from tests.guarantees.simulation.furnish import OpenDatabase, with_account
from tests.guarantees.simulation.judge import Row, money_breaches, rows_of
from tests.guarantees.simulation.ledger import Asked
from tests.guarantees.simulation.logs import counted_logs
from tests.guarantees.simulation.mailbox import Mailbox
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.steps import Act, Step
from tests.guarantees.simulation.wishes import Wishes
from tests.guarantees.simulation.world import World
from tests.house_parts import account

DAY = 86_400.0
LATE = timedelta(minutes=5)
AFTERMATH = timedelta(minutes=100)
"""An outage ends for each refund with its own deferral, up to an hour, and a closed lane's ten minutes."""

MOST_COUNTED = 4


@dataclass(slots=True)
class Month:
    """One life of thirty days and what is to be known of it."""

    zone: str
    run_at: time
    world: World
    shop: Shop
    down: list[Span] = field(default_factory=list)


def live_a_month(
    databases: OpenDatabase, *, seed: int, refunds: int, schedulers: int
) -> tuple[Counter[str], list[str]]:
    """Counts and breaches of one life. Its zone, run hour, clock change and troubles follow from the seed."""
    chance = random.Random(seed)
    zone, run_at = ZONES[seed % len(ZONES)], chance.choice(RUN_HOURS)
    change = chance.choice(list(changes(zone, 2026)))
    start = datetime.combine(change, time(chance.randrange(24)), UTC) - timedelta(days=chance.randint(2, 9))
    clock = VirtualClock(start)
    with seeded_ids(clock, chance), counted_logs():
        database = with_account(databases(clock), account(zone=zone, run_at=run_at))
        wishes = Wishes(
            workers=2,
            schedulers=schedulers,
            places=100,
            pace_seconds=20,
            notify_emails=("oncall@shop.test",),
            lose_rings=0.3,
            kills=0.0005,
        )
        bank = Bank(clock, seed=seed)
        world = World(database, clock, {"bank": bank}, Mailbox(clock, chance), chance=chance, wishes=wishes)
        month = Month(zone, run_at, world, Shop(world))
        try:
            _plan(month, refunds=refunds)
            world.live(until=30 * DAY)
            return _judge(month)
        finally:
            database.close()


def _plan(month: Month, *, refunds: int) -> None:
    """Intake on twelve days, and the troubles, each in a time of its own."""
    world, chance = month.world, month.world.chance
    for _ in range(8):
        size = refunds // 8
        world.at(chance.uniform(0, 12 * DAY), lambda size=size: _take_in(month, size))  # type: ignore[misc]
    days = chance.sample(range(1, 20), 4)
    troubles = (_outage, _fleet_away, _pause, _clock_is_set)
    for day, trouble in zip(days, chance.sample(troubles, len(troubles)), strict=True):
        if chance.random() < 0.7:
            world.at((day + chance.random()) * DAY, lambda trouble=trouble: trouble(month))  # type: ignore[misc]


def _take_in(month: Month, size: int) -> None:
    shop, chance = month.shop, month.world.chance
    bought = shop.buy_many("bank", [(5_000, days_fate(chance)) for _ in range(size)])
    shop.ask("bank", [(transaction_id, 5_000) for transaction_id in bought])


def _outage(month: Month) -> None:
    """The gateway is away for two days."""
    now, elapsed = month.world.clock.now(), month.world.clock.elapsed()
    act = month.world.chance.choice((Act.NOT_REACHED, Act.TURN_AWAY, Act.CREDENTIALS))
    month.world.banks["bank"].weather.append(Weather(elapsed, elapsed + 2 * DAY, Step(act)))
    month.down.append(Span(now, now + timedelta(days=2) + AFTERMATH))


def _fleet_away(month: Month) -> None:
    """No worker runs for up to two days."""
    world = month.world
    seconds = world.chance.uniform(3600, 2 * DAY)
    for worker in list(world.workers):
        world.kill(worker)
    for worker in world.workers:
        worker.frozen_until = world.clock.elapsed() + seconds
    month.down.append(Span(world.clock.now(), world.clock.now() + timedelta(seconds=seconds) + LATE))


def _pause(month: Month) -> None:
    """Somebody pauses the lane and resumes it later."""
    world = month.world
    seconds = world.chance.uniform(600, 2 * DAY)
    with world.database.begin() as tx:
        lanes.pause(tx, "bank", by="an operator", reason="a test", real=real_now(tx))
    world.at(world.clock.elapsed() + seconds, lambda: _resume(world))
    month.down.append(Span(world.clock.now(), world.clock.now() + timedelta(seconds=seconds) + LATE))


def _resume(world: World) -> None:
    with world.database.begin() as tx:
        lanes.resume(tx, "bank")


def _clock_is_set(month: Month) -> None:
    """The database's clock is set by 25 hours, forward or back."""
    clock = month.world.clock
    before = clock.now()
    clock.set_by(timedelta(hours=month.world.chance.choice((25, -25))))
    early, late = sorted((before, clock.now()))
    month.down.append(Span(early, late + AFTERMATH))


def _judge(month: Month) -> tuple[Counter[str], list[str]]:
    world = month.world
    counts: Counter[str] = Counter(refunds=len(month.shop.acknowledged), months=1)
    breaches = [*world.breaches, *money_breaches(world, month.shop)]
    rows, died = rows_of(world), _died_in_sending(world)
    ledger = world.banks["bank"].ledger
    for refund_id in month.shop.acknowledged:
        tries = [seen for seen in ledger.pays(refund_id) if seen.outcome is not Outcome.UNAVAILABLE]
        for kind, line in _of_one(month, rows[refund_id], tries, died[refund_id]):
            counts[kind] += 1
            breaches.append(f"{line} ({month.zone}, {month.run_at})")
        counts["counted_tries"] += len(tries)
    counts["kills"] = world.counts["kills"]
    counts["spans_of_trouble"] = len(month.down)
    for kind in ("early", "forgotten", "late"):
        counts[kind] += 0
    return counts, breaches


def _died_in_sending(world: World) -> Counter[str]:
    """Counted attempts of killed workers, which may never have come to the bank: proven absent is a try."""
    with world.database.read() as tx:
        rows = tx.execute(
            text(
                """SELECT refund_id, COUNT(*) AS lost FROM attempts
                WHERE counted_number IS NOT NULL AND code = 'lease_lost' GROUP BY refund_id"""
            )
        )
        return Counter({row.refund_id: row.lost for row in rows})


def _of_one(month: Month, row: Row, tries: Sequence[Asked], died: int) -> Iterator[tuple[str, str]]:
    if row.status is Status.FAILED and len(tries) + died < MOST_COUNTED:
        yield "forgotten", f"{row.id} failed after {len(tries)} tries and {died} cut off"
    if len(tries) > MOST_COUNTED:
        yield "too_many", f"{row.id} was tried {len(tries)} times"
    if not row.at_rest or not tries:
        yield "forgotten", f"{row.id} is {row.status} after thirty days and {len(tries)} tries"
    tz = ZoneInfo(month.zone)
    for before, seen in pairwise(tries):
        # The claim counts, and it comes up to a minute before the bank sees anything.
        first, last = ((before.at - timedelta(seconds=s)).astimezone(tz).date() for s in (60, 0))
        if seen.at.astimezone(tz).date() <= first:
            yield "twice_on_a_date", f"{row.id} was tried at {before.at} and again at {seen.at}"
        if seen.at < run_of(first + timedelta(days=1), month.run_at, month.zone):
            yield "early", f"{row.id} was tried at {before.at} and too soon again at {seen.at}"
        due = run_of(last + timedelta(days=1), month.run_at, month.zone)
        if seen.at > due + LATE and not any(span.excuses(due, seen.at) for span in month.down):
            yield "late", f"{row.id} was due at {due} and tried at {seen.at}"
