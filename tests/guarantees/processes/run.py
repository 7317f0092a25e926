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
from tests.guarantees.processes.facts import gather
from tests.guarantees.processes.judge import judge
from tests.guarantees.processes.quiet import StuckError, calm, let_days_pass, move_clock, settle
from tests.guarantees.processes.telling import new_breaches, talk, tell_breaches

_LATENCY_MS = 250
"""What a call to the sandbox takes at least in a storm, so that kills and freezes meet calls under way."""


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
        storm_seconds=38,
        per_second=12,
        acts={
            "kill": 116,
            "freeze": 38,
            "sigterm": 23,
            "postgres_stop": 21,
            "flush": 24,
            "valkey_kill": 10,
            "network_fault": 90,
            "mail_fault": 12,
        },
    ),
    Programme(
        "sqlite",
        storms=2,
        storm_seconds=38,
        per_second=6,
        acts={
            "kill": 38,
            "freeze": 14,
            "sigterm": 9,
            "flush": 8,
            "valkey_kill": 4,
            "network_fault": 24,
            "mail_fault": 4,
        },
    ),
)
_QUICK = (
    Programme(
        "postgresql",
        storms=2,
        storm_seconds=11,
        per_second=12,
        acts={
            "kill": 12,
            "freeze": 4,
            "sigterm": 2,
            "postgres_stop": 2,
            "flush": 2,
            "valkey_kill": 1,
            "network_fault": 9,
            "mail_fault": 1,
        },
    ),
    Programme(
        "sqlite",
        storms=1,
        storm_seconds=9,
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
            talk(programme.city, began, "runs")
            for number, acts in enumerate(_plans(programme, share)):
                city.slow_down(_LATENCY_MS)
                clients.go_on()
                Chaos(city, diary, seed=seed * 100 + number).storm(
                    acts, seconds=programme.storm_seconds * share
                )
                calm(city)
                clients.pause()
                city.slow_down(0)
                _let_a_while_pass(city, diary, number)
                talk(programme.city, began, f"storm {number + 1} is over: {dict(diary.counts)}")
            let_days_pass(city, diary)
        except StuckError as error:
            tally.breach("G8", f"{programme.city}: {error}")
            talk(programme.city, began, f"stuck: {error}")
        finally:
            books = clients.end()
        facts = gather(city)
        talk(programme.city, began, f"came to rest after {diary.counts['clock_jumps']} jumps of the clock")
        judge(tally, facts, books, diary)
        tell_breaches(programme.city, new_breaches(tally, before), facts, diary)


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
    lines = []
    for part in parts:
        verdict = "BROKEN" if part.breaches else "PASS"
        counts = ", ".join(f"{number:,} {name}" for name, number in part.counts.items())
        lines.append(f"{part.guarantee} {verdict} seed {part.seed}: {counts}")
        lines += [f"  {line}" for line in part.breaches]
    sys.stdout.write("\n".join([*lines, f"{time.monotonic() - began:.1f} s", ""]))
    return 1 if any(part.breaches for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
