"""The crash-point loop: every scene again and again, with a blow at each of its operations.

`python -m tests.guarantees.crashes.run --seed N [--quick]` prints a line a guarantee;
`--scene WORDS --at K --side before [--fails] [--on postgresql]` lives one life again and prints its breaches.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle

import structlog

from tests.guarantees.crashes.backup import restored_lives
from tests.guarantees.crashes.halls import Hall, postgres_hall, sqlite_hall
from tests.guarantees.crashes.loop import Life, blows, live
from tests.guarantees.crashes.scene import Scene
from tests.guarantees.crashes.scenes_of_banks import SCENES as OF_BANKS
from tests.guarantees.crashes.scenes_of_people import SCENES as OF_PEOPLE
from tests.guarantees.crashes.wire import Blow, Operation
from tests.guarantees.figures import Part, Tally

SCENES: Sequence[Scene] = (*OF_BANKS, *OF_PEOPLE)

AT_MOST = {"sqlite": 90, "postgresql": 22}
"""Blows a scene and database in a full run; outside a transaction none is left out while there is room."""

QUICK_SHARE = 3
"""A quick run lives so small a part of the scenes, with a smaller part of their blows."""

SERVER_STOPS = 190
"""So many deaths of a full run take the PostgreSQL server with them."""

BACKED_UP = 600
"""Refunds paid after the backup, for each way of knowing it and each database."""

COUNTED = {
    "G1": ("refunds", "acknowledged", "kills", "postgres stops"),
    "G2": ("refunds", "timeouts after the money moved", "faults after the money moved", "doubled"),
    "G4": ("refunds",),
    "G5": ("failures", "pairs"),
    "G6": ("unclear outcomes", "look ups", "look ups that found a payment"),
    "G7": ("rings lost",),
    "G8": ("kills", "zombies", "lease take overs", "fencing refusals"),
}

NEVER = {"G1": "lost", "G5": "pairs missing", "G6": "blind resends", "G8": "stale writes"}
"""How breaches of a guarantee are counted, beside being told one by one."""


@dataclass(slots=True)
class _Loop:
    tally: Tally
    seed: int
    quick: bool

    def scene(self, scene: Scene, hall: Hall, stops: Iterator[bool]) -> None:
        first = live(scene, hall, seed=self.seed)
        self._take(scene, hall, None, first)
        for blow in self._chosen(scene, hall, first.operations):
            stops_server = not blow.fails and hall.name == "postgresql" and next(stops)
            life = live(scene, hall, seed=self.seed, blow=blow, stops_server=stops_server)
            self._take(scene, hall, blow, life)

    def _chosen(self, scene: Scene, hall: Hall, operations: Sequence[Operation]) -> list[Blow]:
        """Every blow if there is room; else those outside a transaction first, and the others by chance."""
        every = blows(operations)
        room = AT_MOST[hall.name] // (QUICK_SHARE + 1 if self.quick else 1)
        chance = random.Random(f"{self.seed} {hall.name} {scene.name}")
        chance.shuffle(every)
        every.sort(key=lambda blow: operations[blow.at - 1].kind == "statement")
        telling = [blow for blow in every if operations[blow.at - 1].kind != "statement"][: room * 2 // 3]
        others = every[len(telling) :]
        chance.shuffle(others)
        return [*telling, *others[: room - len(telling)]]

    def _take(self, scene: Scene, hall: Hall, blow: Blow | None, life: Life) -> None:
        for guarantee, names in COUNTED.items():
            counts = {name: life.counts[name] for name in names}
            self.tally.count(guarantee, **counts)
        struck = int(blow is not None and life.struck is not None)
        self.tally.count("G1", crash_points=struck)
        self.tally.count("G2", crash_points=struck)
        for guarantee, name in NEVER.items():
            self.tally.count(guarantee, **{name: sum(owner == guarantee for owner, _ in life.breaches)})
        for guarantee, words in life.breaches:
            where = f"[{hall.name}, {scene.name!r}, {blow or 'no blow'}, {life.struck}, seed {self.seed}]"
            self.tally.breach(guarantee, f"{words} {where}")


def run(*, seed: int, quick: bool) -> list[Part]:
    """Live all of it; `quick` a tenth, chosen by the seed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_SILENT), processors=[_nothing])
    tally = Tally("crashes", seed)
    loop = _Loop(tally, seed, quick)
    stops = _every(SERVER_STOPS // (10 if quick else 1), of=_deaths(quick=quick))
    with ExitStack() as halls:
        for hall in (halls.enter_context(sqlite_hall()), halls.enter_context(postgres_hall())):
            for scene in _played(hall, seed=seed, quick=quick):
                loop.scene(scene, hall, stops)
            restored_lives(tally, hall, seed=seed, refunds=BACKED_UP // (10 if quick else 1))
    return tally.parts()


_SILENT = 50


def _nothing(_logger: object, _name: str, _event: object) -> str:
    raise structlog.DropEvent


def _played(hall: Hall, *, seed: int, quick: bool) -> Sequence[Scene]:
    """All scenes; a quick run takes other ones on each database."""
    if not quick:
        return SCENES
    begin = (seed + (hall.name == "sqlite")) % QUICK_SHARE
    return SCENES[begin::QUICK_SHARE]


def _deaths(*, quick: bool) -> int:
    """At least so many PostgreSQL deaths there are: more than half of the blows kill."""
    return len(SCENES) * AT_MOST["postgresql"] // 2 // (QUICK_SHARE**2 if quick else 1)


def _every(wanted: int, *, of: int) -> Iterator[bool]:
    step = max(of // wanted, 1)
    return cycle([*(False for _ in range(step - 1)), True])


def lines(parts: Sequence[Part], seconds: float, cpu_seconds: float) -> Iterator[str]:
    """A line a guarantee, and its breaches below."""
    for part in parts:
        counts = ", ".join(f"{number:,} {name}" for name, number in part.counts.items())
        yield f"{part.guarantee} {'FAIL' if part.breaches else 'PASS'} {counts} (seed {part.seed})"
        yield from (f"    {breach}" for breach in part.breaches[:20])
        if len(part.breaches) > 20:
            yield f"    and {len(part.breaches) - 20} more"
    yield f"{seconds:.0f} s, {cpu_seconds:.0f} s of CPU"


def _again(options: argparse.Namespace) -> int:
    [scene] = [scene for scene in SCENES if scene.name == options.scene]
    blow = Blow(options.at, options.side, fails=options.fails) if options.at else None
    with postgres_hall() if options.on == "postgresql" else sqlite_hall() as hall:
        life = live(scene, hall, seed=options.seed, blow=blow)
    for number, operation in enumerate(life.operations, 1):
        print(number, operation.kind, " ".join(operation.name.split())[:150])  # noqa: T201
    print(life.struck, *life.breaches, sep="\n")  # noqa: T201
    return int(bool(life.breaches))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scene")
    parser.add_argument("--at", type=int)
    parser.add_argument("--side", choices=("before", "after"), default="before")
    parser.add_argument("--fails", action="store_true")
    parser.add_argument("--on", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    if options.scene:
        return _again(options)
    began, cpu = time.monotonic(), time.process_time()
    parts = run(seed=options.seed, quick=options.quick)
    for line in lines(parts, time.monotonic() - began, time.process_time() - cpu):
        print(line, flush=True)  # noqa: T201
    return int(any(part.breaches for part in parts))


if __name__ == "__main__":
    sys.exit(main())
