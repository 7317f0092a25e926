"""A few lives on each database; `python -m tests.guarantees.machine.run` lives thousands."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.guarantees.machine.place import Place, postgres_place, sqlite_place
from tests.guarantees.machine.planted import BUGS, spoiled_by
from tests.guarantees.machine.run import broken

SEED = 1


@pytest.mark.parametrize(("opened", "examples"), [(sqlite_place, 12), (postgres_place, 4)])
def test_whatever_happens_next_every_rule_holds(
    opened: Callable[[], AbstractContextManager[Place]], examples: int
) -> None:
    with opened() as place:
        assert broken(place, seed=SEED, examples=examples) == []
    assert place.counts["examples"] >= examples
    assert place.counts["money requests"] > 0


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found_within_a_few_lives(bug: str) -> None:
    with sqlite_place(planted=spoiled_by(bug)) as place:
        [told] = broken(place, seed=SEED, examples=40)
    assert BUGS[bug][2] in told
