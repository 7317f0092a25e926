"""Planted bugs: each must be caught by the guarantee that owns it, where the sound product passes.

`python -m tests.guarantees.planted.run --seed N [--quick]` prints a line a bug.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence

import structlog

from tests.guarantees.crashes.halls import Hall, sqlite_hall
from tests.guarantees.planted.money import PLANTS as OF_MONEY
from tests.guarantees.planted.switch import Caught, Plant
from tests.guarantees.planted.time_and_mail import PLANTS as OF_TIME

PLANTS: Sequence[Plant] = (*OF_MONEY, *OF_TIME)


def run(*, seed: int, quick: bool) -> list[Caught]:
    """Plant each bug in turn; `quick` a third of them, chosen by the seed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_SILENT), processors=[_nothing])
    chosen = random.Random(seed).sample(PLANTS, len(PLANTS) // 3) if quick else PLANTS
    with sqlite_hall() as hall:
        return [_plant(plant, hall, seed) for plant in chosen]


def _plant(plant: Plant, hall: Hall, seed: int) -> Caught:
    sound = plant.trial(hall, seed)
    with plant.switch():
        broken = plant.trial(hall, seed)
    ours = [words for guarantee, words in broken if guarantee == plant.guarantee]
    others = sorted({guarantee for guarantee, _ in broken} - {plant.guarantee})
    if sound:
        return Caught(f"{plant.name} → the sound product fails too: {sound[0]}", caught=False)
    if not ours:
        seen = f"only {', '.join(others)} saw it" if others else "nobody saw it"
        return Caught(f"{plant.name} → {plant.guarantee} PASS ({seen})", caught=False)
    line = f"{plant.name} → {plant.guarantee} FAIL ({len(ours)}: {' '.join(ours[0].split())})"
    return Caught(line, caught=True)


_SILENT = 50


def _nothing(_logger: object, _name: str, _event: object) -> str:
    raise structlog.DropEvent


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    caught = run(seed=options.seed, quick=options.quick)
    for each in caught:
        print(f"PLANTED {'' if each.caught else 'NOT CAUGHT '}{each.line}")  # noqa: T201
    print(f"{sum(each.caught for each in caught)} of {len(caught)} caught, {time.monotonic() - began:.0f} s")  # noqa: T201
    return int(not all(each.caught for each in caught))


if __name__ == "__main__":
    sys.exit(main())
