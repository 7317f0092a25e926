"""G17: an old backup comes back after the gateway has paid what it does not know of; nobody is paid twice.

Half of the lives are told of it (`note_restored`); the others have to find out: by the late-first rule, by
the high-water mark, or by the gateway's own answer. Without a mark it is found out by a first attempt that
the gateway has carried out already, so that such lives begin with some that the copy had not begun.
"""

import random
import tempfile
from collections import Counter
from pathlib import Path

from sqlalchemy import select

from refunds.domain.abilities import Grade
from refunds.domain.status import Kind, Status
from refunds.flow.restore import check_high_water, keep_high_water, note_restored
from refunds.store import tables
from tests.guarantees.crashes.acts import BANK, request
from tests.guarantees.crashes.halls import Hall
from tests.guarantees.crashes.judge import judge
from tests.guarantees.crashes.loop import START
from tests.guarantees.crashes.outside import WiredBank
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.crashes.wire import Wire
from tests.guarantees.figures import Tally
from tests.guarantees.simulation.clock import VirtualClock, seeded_ids
from tests.guarantees.simulation.furnish import with_account
from tests.guarantees.simulation.steps import PAY, Act, Fault, Moves, Step, declined
from tests.house_parts import account

FATES: tuple[tuple[Step, ...], ...] = (
    (PAY,),
    (declined(), PAY),
    (Step(fault=Fault.TIMEOUT), PAY),
    (declined(), declined(), declined(), declined(), PAY),
    (Step(fault=Fault.TIMEOUT, moves=Moves.NEVER), PAY),
    (Step(Act.ACCEPT, final_seconds=600.0), PAY),
)
AFTER = 5
"""One in so many is taken in after the backup, and handed over again under its key."""

KNOWN = ("said", "high water", "found out")


def restored_lives(tally: Tally, hall: Hall, *, seed: int, refunds: int) -> None:
    """So many refunds are lived through a restore that is told, and as many through one that is not."""
    silent = (refunds // 2, refunds - refunds // 2)
    for known, number in zip(KNOWN, (refunds, *silent), strict=True):
        _life(tally, hall, seed=seed, refunds=number, known=known, grade=Grade.KEY_AND_LOOK_UP)
    _life(tally, hall, seed=seed, refunds=max(refunds // 10, 10), known="said", grade=Grade.KEY)


def _life(tally: Tally, hall: Hall, *, seed: int, refunds: int, known: str, grade: Grade) -> None:
    chance = random.Random(f"{seed} backup {known}")
    clock, wire = VirtualClock(START), Wire()
    with seeded_ids(clock, chance), tempfile.TemporaryDirectory() as folder:
        hall.tapped.now = wire
        hall.begin(clock)
        with_account(hall.database, account())
        bank = WiredBank(clock, wire, grade=grade)
        stage = Stage(hall, clock, wire, {BANK: bank}, chance=chance)
        stage.wishes.places = 50
        stage.high_water = Path(folder) / "mark" if known == "high water" else None
        stage.start_anew()
        steps = [chance.choice(FATES) for _ in range(refunds)]
        bought = stage.shop.buy_many(BANK, [(10_000, each) for each in steps])
        before, after = bought[: -refunds // AFTER], bought[-refunds // AFTER :]
        _hand_over(stage, before)
        if known != "found out" and chance.random() < 0.5:
            stage.play(until=clock.elapsed() + 0.2)  # some are under way while the backup is made
        keep_high_water(stage.web)
        hall.back_up()
        _hand_over(stage, after)
        stage.play(until=clock.elapsed() + chance.choice((1.0, 5.0)) * 86_400)
        keep_high_water(stage.web)
        paid = set(bank.ledger.movements)
        known_before = _restore(stage, known)
        clock.advance(600.0)  # a restore takes its time
        if known == "found out":  # what is handed over before anybody could find out is beyond this promise
            stage.play(until=clock.elapsed() + 120.0)
        _hand_over(stage, after)
        stage.play(until=clock.elapsed() + 30 * 86_400)
        _judge(tally, stage, known=known, paid=paid, known_before=known_before, grade=grade)


def _restore(stage: Stage, known: str) -> set[str]:
    """The copy takes the place of the database; returns the refunds that it knows."""
    for worker in list(stage.workers):
        worker.calls.close()
    stage.hall.restore()
    stage.start_anew()
    if known == "said":
        note_restored(stage.web, by="person", why="the disk broke")
    elif known == "high water":
        check_high_water(stage.web)
    with stage.database.read() as tx:
        return set(tx.execute(select(tables.refunds.c.id)).scalars())


def _hand_over(stage: Stage, transactions: list[str]) -> None:
    """Each with its own key, the same whenever it is handed over."""
    asked = [request(stage, each, f"key-{each}", 5_000, Kind.REFUND) for each in transactions]
    for start in range(0, len(asked), 100):
        stage.shop.post(BANK, asked[start : start + 100])


def _judge(
    tally: Tally, stage: Stage, *, known: str, paid: set[str], known_before: set[str], grade: Grade
) -> None:
    bank = stage.banks[BANK]
    with stage.database.read() as tx:
        status = dict(tx.execute(select(tables.refunds.c.id, tables.refunds.c.status)).tuples().all())
    forgotten = paid - known_before
    stage.shop.acknowledged = {ref: one for ref, one in stage.shop.acknowledged.items() if ref in status}
    found = [words for _, words in judge(stage) if not any(ref in words for ref in forgotten)]
    # Mails of the lost time are on no record any more: that is no second payment.
    breaches = [words for words in found if "Message-ID" not in words and "on no record" not in words]
    recognised = 0
    for refund_id in sorted(paid & known_before):
        paid_for = bank.ledger.times_paid(refund_id)
        ends = {Status.NEEDS_REVIEW} if grade is Grade.KEY else {Status.REFUNDED, Status.NEEDS_REVIEW}
        if paid_for and status.get(refund_id) not in {*ends, Status.REFUNDED}:
            breaches.append(f"{refund_id} was paid before the restore and is {status.get(refund_id)}")
        recognised += bool(paid_for)
    for transaction_id, made in bank.ledger.of_payment.items():
        standing = [each for each in made if each.state in {"succeeded", "pending"}]
        if len(standing) > 1:
            breaches.append(f"{transaction_id} was paid twice: {[each.reference for each in standing]}")
    statuses = Counter(status.values())
    tally.count(
        "G17",
        refunds=len(status),
        paid_before_the_restore=len(paid),
        recognised=recognised,
        handed_over_again=len(forgotten),
        for_a_person=statuses[Status.NEEDS_REVIEW],
        doubled=bank.ledger.counts["doubled"],
    )
    tally.breach("G17", *(f"{line} [{stage.hall.name}, {known}, seed {tally.seed}]" for line in breaches))
