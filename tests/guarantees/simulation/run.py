"""The simulation by hand: `python -m tests.guarantees.simulation.run --seed N [--quick] [--only G2]`."""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from refunds.domain.abilities import Grade
from tests.guarantees.figures import Part, Tally
from tests.guarantees.simulation.alarms import fail_and_tell
from tests.guarantees.simulation.backups import restore_and_go_on
from tests.guarantees.simulation.days import live_a_month
from tests.guarantees.simulation.fates import any_fate
from tests.guarantees.simulation.furnish import OpenDatabase, postgres_databases, sqlite_databases
from tests.guarantees.simulation.lives import Judged, live
from tests.guarantees.simulation.races import race
from tests.guarantees.simulation.sick import SICKNESSES, beside_a_sick_one
from tests.guarantees.simulation.wishes import Wishes

TENTH = 10
WATCHED = 5
"""One life in so many is watched after its end: a look-up for each refund, each in a moment of its own."""


@dataclass(slots=True)
class Run:
    """One run: its seed, its size, what it finds, and how long each scenario took."""

    seed: int
    quick: bool
    tally: Tally
    sqlite: OpenDatabase
    postgres: OpenDatabase

    def size(self, full: int) -> int:
        """So many in a full run, a tenth of it in a quick one."""
        return max(full // TENTH, 1) if self.quick else full

    def seeds(self, scenario: str, number: int) -> list[int]:
        """Seeds of their own for each scenario, so that one of them can be run alone."""
        chance = random.Random(f"{self.seed} {scenario}")
        return [chance.randrange(2**31) for _ in range(number)]


def run(*, seed: int, quick: bool, only: str | None = None) -> list[Part]:
    """Run the layer, or the scenarios of one guarantee alone."""
    with _running(seed=seed, quick=quick) as this:
        for guarantees, scenario in SCENARIOS.items():
            if only is None or only in guarantees:
                began = time.monotonic()
                scenario(this)
                seconds = round(time.monotonic() - began)
                for part in this.tally.parts():
                    if part.guarantee in guarantees:
                        _print(part, seconds)
        return this.tally.parts()


@contextmanager
def _running(*, seed: int, quick: bool) -> Iterator[Run]:
    with ExitStack() as things:
        sqlite = things.enter_context(sqlite_databases())
        postgres = things.enter_context(postgres_databases())
        yield Run(seed, quick, Tally("simulation", seed), sqlite, postgres)


def _troubled_lives(this: Run) -> None:
    """60,000 refunds: nine in ten on SQLite, where a life costs a third."""
    grades = list(Grade)
    lives = [(this.sqlite, this.size(54_000) // 8, grade) for grade in grades * 2]
    lives += [(this.postgres, this.size(6_000) // 4, grade) for grade in grades]
    seeds = this.seeds("lives", len(lives))
    for number, ((database, refunds, grade), seed) in enumerate(zip(lives, seeds, strict=True)):
        wishes = Wishes(
            workers=3,
            schedulers=1 + number % 3,
            places=200,
            notify_emails=("oncall@shop.test",),
            lose_rings=(0.0, 0.5, 1.0)[number % 3],
            kills=0.01,
            freezes=0.006,
            deaths_outside=0.001,
            sigterms=0.0006,
            flushes=0.0006,
            watch=timedelta(days=3) if number % WATCHED == 0 else timedelta(),
        )
        fate = partial(any_fate, watched=bool(wishes.watch))
        judged = live(database, seed=seed, refunds=refunds, grade=grade, fate=fate, wishes=wishes)
        _tell(
            this.tally,
            judged,
            where=f"life {seed}, grade {grade}, {'sqlite' if database is this.sqlite else 'postgresql'}",
        )


def _tell(tally: Tally, judged: Judged, *, where: str) -> None:
    counts = judged.counts

    def some(*names: str) -> dict[str, int]:
        return {name: counts[name] for name in names}

    tally.count("G1", **some("acknowledged", "kills", "lost"))
    tally.breach("G1", *(f"{line} ({where})" for line in judged.money if line.endswith("is lost")))
    money = (
        "refunds",
        "faults_after_the_money_moved",
        "late_commits",
        "doubled",
        "kills",
        "answered_by_key",
        "timeouts_after_the_money_moved",
        "taken_back",
    )
    tally.count("G2", lives=1, **some(*money))
    tally.breach("G2", *(f"{line} ({where})" for line in (*judged.money, *judged.broken)))
    tally.count("G6", blind_resends=len(judged.blind))
    tally.count("G6", **some("unclear_outcomes", "look_ups_that_found_a_payment", "needs_review"))
    tally.breach("G6", *(f"{line} ({where})" for line in (*judged.blind, *judged.mail)))
    tally.count("G7", **some("refunds", "rings_lost", "flushes", "lost"))
    zombies = (
        "sigterms",
        "freezes",
        "zombies",
        "lease_take_overs",
        "fencing_refusals",
        "late_answers_kept",
        "stale_writes",
    )
    tally.count("G8", **some(*zombies, "refused_at_the_gate", "frozen_at_the_gate"))


def _months(this: Run) -> None:
    size = 400
    number = max(this.size(10_000) // size, 1)
    for index, seed in enumerate(this.seeds("months", number)):
        counts, breaches = live_a_month(this.sqlite, seed=seed, refunds=size, schedulers=1 + index % 5)
        this.tally.count("G4", **counts)
        this.tally.breach("G4", *(f"{line} (month {seed})" for line in breaches))


def _alarms(this: Run) -> None:
    size = 500
    for seed in this.seeds("alarms", this.size(10_000) // size):
        counts, breaches = fail_and_tell(this.sqlite, seed=seed, failures=size)
        this.tally.count("G5", **counts)
        this.tally.breach("G5", *(f"{line} (alarms {seed})" for line in breaches))


def _sick(this: Run) -> None:
    for sickness, seed in zip(SICKNESSES, this.seeds("sick", 2), strict=True):
        counts, breaches = beside_a_sick_one(
            this.sqlite, seed=seed, sickness=sickness, waiting=this.size(5_000)
        )
        this.tally.count("G18", **counts)
        this.tally.breach("G18", *(f"{line} (sick {seed})" for line in breaches))


def _backups(this: Run) -> None:
    for grade, seed in zip(Grade, this.seeds("backups", len(Grade)), strict=True):
        counts, breaches = restore_and_go_on(this.sqlite, seed=seed, refunds=this.size(500), grade=grade)
        this.tally.count("G17", **counts)
        this.tally.breach("G17", *(f"{line} (backup {seed}, grade {grade})" for line in breaches))


def _races(this: Run) -> None:
    for database, seed in zip((this.sqlite, this.postgres), this.seeds("races", 2), strict=True):
        counts, breaches = race(
            database, seed=seed, payments=this.size(100), partials=50, keys=this.size(100), posts=100
        )
        this.tally.count("G3", **counts)
        this.tally.breach("G3", *(f"{line} (race {seed})" for line in breaches))


SCENARIOS: dict[tuple[str, ...], Callable[[Run], None]] = {
    ("G3",): _races,
    ("G2", "G6", "G7", "G8"): _troubled_lives,
    ("G4",): _months,
    ("G5",): _alarms,
    ("G18",): _sick,
    ("G17",): _backups,
}


def _print(part: Part, seconds: int) -> None:
    counts = ", ".join(f"{number:,} {name}" for name, number in part.counts.items())
    verdict = "FAIL" if part.breaches else "PASS"
    sys.stdout.write(f"{part.guarantee} {verdict} seed {part.seed}, {seconds} s: {counts}\n")
    for line in part.breaches[:20]:
        sys.stdout.write(f"    {line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if any guarantee was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only")
    wanted = parser.parse_args(arguments)
    parts = run(seed=wanted.seed, quick=wanted.quick, only=wanted.only)
    return int(any(part.breaches for part in parts))


if __name__ == "__main__":
    sys.exit(main())
