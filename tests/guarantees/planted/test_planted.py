import pytest

from tests.guarantees.crashes.halls import sqlite_hall
from tests.guarantees.planted.run import PLANTS, _plant
from tests.guarantees.planted.switch import Plant


@pytest.mark.parametrize("plant", PLANTS[::4], ids=lambda plant: plant.name)
def test_a_planted_bug_is_caught_by_the_guarantee_that_owns_it(plant: Plant) -> None:
    with sqlite_hall() as hall:
        caught = _plant(plant, hall, 5)
    assert caught.caught, caught.line


def test_there_are_at_least_twenty_planted_bugs_each_with_its_name() -> None:
    assert len({plant.name for plant in PLANTS}) == len(PLANTS) >= 20
