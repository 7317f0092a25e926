"""Trials: small worlds in which a planted bug shows and the sound product keeps its promises."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import select

from refunds.domain.abilities import Grade
from refunds.domain.status import Status
from refunds.store import lanes, tables
from refunds.store.accounts import DEFAULT
from refunds.store.database import DatabaseUnavailableError, clocks
from tests.guarantees.crashes import backup
from tests.guarantees.crashes.acts import BANK, ask, buy, decides, wants
from tests.guarantees.crashes.halls import Hall, SqliteHall
from tests.guarantees.crashes.judge import Breach
from tests.guarantees.crashes.loop import START, live
from tests.guarantees.crashes.run import SCENES
from tests.guarantees.crashes.scene import Scene
from tests.guarantees.crashes.scenes_of_banks import DAY, DECLINED, NEVER_CAME, PAID_UNSEEN
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.crashes.wire import Blow, Operation
from tests.guarantees.figures import Tally
from tests.guarantees.planted.switch import Trial
from tests.guarantees.simulation.bank import Weather
from tests.guarantees.simulation.clock import VirtualClock
from tests.guarantees.simulation.furnish import with_account
from tests.guarantees.simulation.mailbox import Manners
from tests.guarantees.simulation.steps import PAY, Act, Fault, Moves, Step, declined
from tests.house_parts import account

HOUR = 3600.0
_NAMED = {scene.name: scene for scene in SCENES}


def of(scene: Scene | str, *, zone: str = "UTC", start: datetime | None = None) -> Trial:
    """One life of this scene."""
    played = _NAMED[scene] if isinstance(scene, str) else scene

    def trial(hall: Hall, seed: int) -> list[Breach]:
        return list(live(played, hall, seed=seed, zone=zone, start=start or START).breaches)

    return trial


def struck(scene: Scene | str, hits: Callable[[Operation], bool], *, side: str, fails: bool = False) -> Trial:
    """A life of this scene for each operation of that sort, with the blow there."""
    played = _NAMED[scene] if isinstance(scene, str) else scene

    def trial(hall: Hall, seed: int) -> list[Breach]:
        operations = live(played, hall, seed=seed).operations
        found: list[Breach] = []
        for number, operation in enumerate(operations, 1):
            if hits(operation):
                blow = Blow(number, "after" if side == "after" else "before", fails=fails)
                found += live(played, hall, seed=seed, blow=blow).breaches
        return found

    return trial


def is_sending(operation: Operation) -> bool:
    return operation.kind == "gateway" and operation.name == "send"


def is_ring(operation: Operation) -> bool:
    return operation.kind == "ring"


def is_commit(operation: Operation) -> bool:
    return operation.kind == "commit"


def one(name: str, *steps: Step, grade: Grade = Grade.KEY_AND_LOOK_UP, days: float = 30.0) -> Scene:
    """One refund of a payment whose requests meet these steps."""
    return Scene(name, lambda stage: wants(stage, *steps), grade=grade, days=days)


LATE_BY_A_DAY = one(
    "a lost request arrives after the next try",
    Step(fault=Fault.TIMEOUT, moves=Moves.LATE_ARRIVAL, late_seconds=23.5 * HOUR),
    PAY,
)
LAST_COMMITS_LATE = one(
    "the last try commits after the first look-up",
    *(declined(),) * 3,
    Step(fault=Fault.RESET, moves=Moves.LATE_COMMIT, late_seconds=300.0),
)
PLAIN_D = one("paid by a gateway without key and look-up", PAY, grade=Grade.NEITHER)
TIMED_OUT_D = one("paid and timed out without key and look-up", PAID_UNSEEN, PAY, grade=Grade.NEITHER)
NOT_FOR_LONG = replace(_NAMED["declined four times, failed, everybody is told"], days=5.0)


def _key_over(stage: Stage) -> None:
    stage.banks[BANK].weather.append(Weather(5.0, 25 * HOUR, Step(Act.NOT_REACHED)))
    wants(stage, PAID_UNSEEN, PAY)


KEY_OVER = Scene("the gateway is away until the key is forgotten", _key_over, grade=Grade.KEY)


def _frozen_before_sending(stage: Stage) -> None:
    transaction_id = buy(stage, PAY, PAY)

    def ask_and_freeze() -> None:
        ask(stage, transaction_id, key="key")
        worker = stage.workers[0]
        worker.turn((stage.wishes.account, BANK))
        stage.freeze(worker, 3 * DAY)
        stage.start_worker()

    stage.at(0.0, ask_and_freeze)
    decides(stage, Status.QUEUED)


FROZEN_BEFORE_SENDING = Scene(
    "frozen between its note and its sending, a person has it sent again",
    _frozen_before_sending,
    grade=Grade.NEITHER,
)


def _two_of_one(stage: Stage) -> None:
    transaction_id = buy(stage, Step(fault=Fault.RESET, moves=Moves.LATE_COMMIT, late_seconds=120.0), PAY)
    stage.act(0.0, partial(ask, stage, transaction_id, key="one", amount_minor=10_000))
    stage.act(30.0, partial(ask, stage, transaction_id, key="two", amount_minor=5_000))


TWO_OF_ONE = Scene("all is asked for, in doubt, and then some more", _two_of_one)


def _dropping(stage: Stage) -> None:
    for number in range(3):
        wants(stage, DECLINED, key=f"key-{number}")
    rude = Manners(drops_after_accepting=0.7)
    stage.mailbox.manners = dict.fromkeys(stage.wishes.notify_emails, rude)


DROPPING = Scene("a mail server that drops the line after accepting", _dropping)


def _nobody_there(stage: Stage) -> None:
    wants(stage, DECLINED, PAY)
    stage.at(HOUR, lambda: stage.freeze(stage.workers[0], 30 * HOUR))


NOBODY_THERE = Scene("no worker is there at the run hour", _nobody_there)
IN_AUCKLAND = of(
    one("declined every morning", DECLINED),
    zone="Pacific/Auckland",
    start=datetime(2026, 3, 20, 21, tzinfo=UTC),
)
ASKED_LATER = Scene("asked for while everybody sleeps", lambda stage: wants(stage, PAY, at=600.0))
LONG_CALL = one("a call that takes its time", Step(latency_seconds=15.0), days=0.02)
TURNED_AWAY = one("turned away twice", Step(Act.TURN_AWAY), Step(Act.TURN_AWAY), PAY)
NEVER_CAME_D = one("the request never came, and nobody can be asked", NEVER_CAME, grade=Grade.NEITHER)


def taken_from_the_living(hall: Hall, seed: int) -> list[Breach]:
    """A worker that is well keeps its claim until its call has ended."""
    life = live(LONG_CALL, hall, seed=seed)
    lost = [("G8", "a worker that was well lost its lease")] * life.counts["lease take overs"]
    return [*life.breaches, *lost]


def restored(hall: Hall, seed: int) -> list[Breach]:
    """Refunds paid after a backup that comes back."""
    tally = Tally("crashes", seed)
    backup.restored_lives(tally, hall, seed=seed, refunds=40)
    return [(part.guarantee, words) for part in tally.parts() for words in part.breaches]


def at_once(hall: Hall, seed: int) -> list[Breach]:
    """Two processes read and write one SQLite file at the same time; nobody is turned away."""
    if not isinstance(hall, SqliteHall):
        raise TypeError("this one is about SQLite")
    hall.begin(VirtualClock(START))
    with_account(hall.database, account())
    hall.drop()
    found: list[Breach] = []

    def work(process: str) -> None:
        database = hall.another()
        for number in range(AT_ONCE):
            if found:
                break
            try:
                with database.begin() as tx:
                    clocks(tx)
                    lanes.ensure(tx, DEFAULT, f"{process}-{number}")
            except DatabaseUnavailableError as error:
                found.append(("G1", f"process {process} was turned away: {error}"))
        database.close()

    processes = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    return found


AT_ONCE = 40
AWAY_SECONDS = 1200.0


def hammered(hall: Hall, seed: int) -> list[Breach]:
    """Thirty refunds at a gateway that is away for twenty minutes: it is asked at most every 30 s."""
    seen: list[int] = []

    def begin(stage: Stage) -> None:
        bank = stage.banks[BANK]
        bank.weather.append(Weather(0.0, AWAY_SECONDS, Step(Act.NOT_REACHED)))
        for number in range(30):
            wants(stage, PAY, key=f"key-{number}")
        stage.at(AWAY_SECONDS, lambda: seen.append(len(bank.probes)))

    found = list(live(Scene("away for twenty minutes", begin), hall, seed=seed).breaches)
    most = AWAY_SECONDS / 30 + 2 * 8
    if seen[0] > most:
        found.append(("G18", f"a sick gateway was asked {seen[0]} times in {AWAY_SECONDS:.0f} s"))
    return found


def stopped(hall: Hall, seed: int) -> list[Breach]:
    """A worker that is told to stop with claims in its hands: it ends with none."""
    found: list[Breach] = []

    def begin(stage: Stage) -> None:
        for number in range(30):
            wants(stage, Step(latency_seconds=1.0), key=f"key-{number}", at=-1.0)
        stage.at(0.02, lambda: found.extend(_stop(stage)))

    found += live(Scene("told to stop at work", begin), hall, seed=seed).breaches
    return found


def _stop(stage: Stage) -> list[Breach]:
    worker = stage.workers[0]
    lane = (stage.wishes.account, BANK)
    worker.turn(lane)
    pump = worker.pumps[lane]
    pump.stop()
    for _ in range(20):
        worker.turn(lane)
        stage.clock.advance(0.5)
        worker.calls.step(stage.chance, at_most=1000)
    stage.kill(worker)
    with stage.wire.muted(), stage.database.read() as tx:
        held = select(tables.refunds.c.id).where(tables.refunds.c.status == Status.ATTEMPTING)
        return [("G8", f"{ref} was not handed back at SIGTERM") for ref in tx.execute(held).scalars()]
