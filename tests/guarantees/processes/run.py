"""Layer (c), real processes: two cities, one on PostgreSQL and one on SQLite, through chaos to the end.

By hand: `python -m tests.guarantees.processes.run --seed N [--quick]`.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.guarantees.figures import Part, Tally
from tests.guarantees.processes.book import orders
from tests.guarantees.processes.chaos import Act, Chaos, Diary
from tests.guarantees.processes.city import City
from tests.guarantees.processes.clients import Clients
from tests.guarantees.processes.facts import Facts, gather, story
from tests.guarantees.processes.judge import judge
from tests.guarantees.processes.quiet import StuckError, calm, let_days_pass, move_clock, settle


@dataclass(frozen=True, slots=True)
class Programme:
    """What one city goes through: storms of so many seconds, a few hours or a night between them."""

    city: str
    storms: int
    storm_seconds: float
    per_second: float
    acts: dict[Act, int]


_FULL = (
    Programme(
        "postgresql",
        storms=6,
        storm_seconds=42,
        per_second=12,
        acts={
            **{"kill": 116, "freeze": 38, "sigterm": 23, "postgres_stop": 21, "flush": 24},
            **{"valkey_kill": 10, "network_fault": 90, "mail_fault": 12},
        },
    ),
    Programme(
        "sqlite",
        storms=2,
        storm_seconds=42,
        per_second=6,
        acts={
            **{"kill": 38, "freeze": 14, "sigterm": 9, "flush": 8},
            **{"valkey_kill": 4, "network_fault": 24, "mail_fault": 4},
        },
    ),
)
_QUICK = (
    Programme(
        "postgresql",
        storms=2,
        storm_seconds=13,
        per_second=12,
        acts={
            **{"kill": 12, "freeze": 4, "sigterm": 2, "postgres_stop": 2, "flush": 2},
            **{"valkey_kill": 1, "network_fault": 9, "mail_fault": 1},
        },
    ),
    Programme(
        "sqlite",
        storms=1,
        storm_seconds=11,
        per_second=6,
        acts={"kill": 4, "freeze": 2, "sigterm": 1, "flush": 1, "network_fault": 3, "mail_fault": 1},
    ),
)


def run(*, seed: int, quick: bool, seconds: float | None = None) -> list[Part]:
    """One run of this layer, one part a guarantee. `seconds` bounds the storms of both cities together."""
    tally = Tally("processes", seed)
    programmes = _QUICK if quick else _FULL
    planned = sum(programme.storms * programme.storm_seconds for programme in programmes)
    share = 1.0 if seconds is None else min(1.0, seconds / planned)
    for programme in programmes:
        with tempfile.TemporaryDirectory(prefix="moneyback-city-") as folder:
            _live(programme, Path(folder), tally, seed=seed, share=share)
    return tally.parts()


def _live(programme: Programme, folder: Path, tally: Tally, *, seed: int, share: float) -> None:
    began = time.monotonic()
    diary = Diary()
    before = {part.guarantee: len(part.breaches) for part in tally.parts()}
    with City(folder, sqlite=programme.city == "sqlite") as city:
        book = orders(seed, city=programme.city)
        clients = Clients(city, book, seed=seed, per_second=programme.per_second)
        try:
            _tell(programme, began, "runs")
            for number, acts in enumerate(_plans(programme, share)):
                clients.go_on()
                Chaos(city, diary, seed=seed * 100 + number).storm(
                    acts, seconds=programme.storm_seconds * share
                )
                calm(city)
                clients.pause()
                _let_a_while_pass(city, diary, number)
                _tell(programme, began, f"storm {number + 1} is over: {dict(diary.counts)}")
            let_days_pass(city, diary)
        except StuckError as error:
            tally.breach("G8", f"{programme.city}: {error}")
            _tell(programme, began, f"stuck: {error}")
        finally:
            books = clients.end()
        facts = gather(city)
        _tell(programme, began, f"came to rest after {diary.counts['clock_jumps']} jumps of the clock")
        judge(tally, facts, books, diary)
        _tell_breaches(tally, before, facts, diary, programme)


def _plans(programme: Programme, share: float) -> Iterator[list[Act]]:
    """The acts of each storm: all of them in all, spread evenly."""
    for number in range(programme.storms):
        yield [
            act
            for act, times in programme.acts.items()
            for each in range(round(times * share))
            if each % programme.storms == number
        ]


def _let_a_while_pass(city: City, diary: Diary, number: int) -> None:
    """Hours or a night, so that the daily runs meet the next storm. Only while nothing is under way."""
    if settle(city, patience_seconds=8):
        for hours in (0, 1, 9)[: 1 + number % 2 * 2]:
            move_clock(city, at_least=timedelta(hours=hours, minutes=2))
            diary.note("clock_jumps", "")
            if not settle(city, patience_seconds=8):
                break


def _tell(programme: Programme, began: float, what: str) -> None:
    print(f"{programme.city} {time.monotonic() - began:6.1f} s: {what}", file=sys.stderr, flush=True)


def _tell_breaches(
    tally: Tally, before: dict[str, int], facts: Facts, diary: Diary, programme: Programme
) -> None:
    """The story of every refund that a new breach names, and the diary: the seed alone brings none of it back."""
    new = [line for part in tally.parts() for line in part.breaches[before.get(part.guarantee, 0) :]]
    for line in new:
        print(f"{programme.city} BREACH {line}", file=sys.stderr)
    for refund_id in sorted(
        {word.strip(":,") for line in new for word in line.split() if word.startswith("rf_")}
    ):
        print(story(facts, refund_id), file=sys.stderr)
    if new:
        print("\n".join(diary.lines), file=sys.stderr, flush=True)
    print(f"{programme.city} logged {dict(facts.logs)}", file=sys.stderr, flush=True)


def main() -> int:
    """Run, print a line a guarantee; 1 if any is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=None)
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever ends us leaves no process behind
    began = time.monotonic()
    parts = run(seed=told.seed, quick=told.quick, seconds=told.seconds)
    for part in parts:
        verdict = "BROKEN" if part.breaches else "PASS"
        counts = ", ".join(f"{number:,} {name}" for name, number in part.counts.items())
        print(f"{part.guarantee} {verdict} seed {part.seed}: {counts}")
        for line in part.breaches:
            print(f"  {line}")
    print(f"{time.monotonic() - began:.1f} s")
    return 1 if any(part.breaches for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
