"""The machine by hand: `python -m tests.guarantees.machine.run --seed N [--quick]`."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.guarantees.figures import Part
from tests.guarantees.machine.place import Place, postgres_place, sqlite_place
from tests.guarantees.machine.rules import machine_at

STEPS = 50
EXAMPLES = {"sqlite": 1_600, "postgresql": 400}
"""Lives of a full run. One costs about 0.2 s of a core on SQLite and 0.4 s on PostgreSQL."""

QUICK_EXAMPLES = {"sqlite": 45, "postgresql": 15}
GUARANTEES = ("G2", "G3", "G4", "G6")

_GUARDS = (
    ("was paid twice", "G2"),
    ("given back of", "G3"),
    ("sums that do not add up", "G3"),
    ("in flight", "G3"),
    ("local date", "G4"),
    ("was tried", "G4"),
    ("key", "G6"),
    ("was sent again", "G6"),
)


def run(*, seed: int, quick: bool) -> list[Part]:
    """Lives on both databases, drawn by the seed; the first breach of each is told as Hypothesis tells it."""
    counts: Counter[str] = Counter()
    breaches: list[str] = []
    with ExitStack() as things:
        for place in (things.enter_context(sqlite_place()), things.enter_context(postgres_place())):
            examples = (QUICK_EXAMPLES if quick else EXAMPLES)[place.name]
            breaches += broken(place, seed=seed, examples=examples)
            counts += place.counts
    counts["doubled"] += 0
    return [
        Part(
            name,
            "machine",
            seed,
            dict(counts),
            tuple(line for line in breaches if _guard(line.partition("\n")[0]) == name),
        )
        for name in GUARANTEES
    ]


def broken(place: Place, *, seed: int, examples: int, steps: int = STEPS, shrink: bool = False) -> list[str]:
    """What broke, in words; empty where everything held. The same seed draws the same lives."""
    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(_seeded(machine_at(place), seed), settings=wanted)
    except Exception as error:  # noqa: BLE001 - whatever ends a life early is a find
        told = "\n".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
        return [f"{told} ({place.name}, seed {seed})"]
    return []


def _seeded(machine: type, number: int) -> type:
    seeded: type = seed(number)(machine)
    return seeded


def _guard(line: str) -> str:
    return next((guarantee for words, guarantee in _GUARDS if words in line), "G2")


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args(arguments)
    parts = run(seed=asked.seed, quick=asked.quick)
    for part in parts:
        counts = ", ".join(f"{number:,} {name}" for name, number in part.counts.items())
        sys.stdout.write(
            f"{part.guarantee} {'FAIL' if part.breaches else 'PASS'} seed {part.seed}: {counts}\n"
        )
        sys.stdout.writelines(f"    {line}\n" for line in part.breaches)
    return int(any(part.breaches for part in parts))


if __name__ == "__main__":
    sys.exit(main())
