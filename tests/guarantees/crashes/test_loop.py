from collections.abc import Iterator

import pytest

from tests.guarantees.crashes.halls import SqliteHall, sqlite_hall
from tests.guarantees.crashes.loop import blows, live
from tests.guarantees.crashes.run import SCENES


@pytest.fixture(scope="module")
def hall() -> Iterator[SqliteHall]:
    with sqlite_hall() as opened:
        yield opened


def test_every_scene_passes_where_nothing_befalls_it(hall: SqliteHall) -> None:
    assert len({scene.name for scene in SCENES}) == len(SCENES) >= 40
    found = {scene.name: live(scene, hall, seed=3).breaches for scene in SCENES}
    assert {name: breaches for name, breaches in found.items() if breaches} == {}


def test_a_life_repeats_itself_to_the_statement(hall: SqliteHall) -> None:
    first, second = (live(SCENES[1], hall, seed=3) for _ in range(2))
    assert first.operations == second.operations


def test_a_refund_survives_a_death_at_every_third_operation(hall: SqliteHall) -> None:
    scene = SCENES[0]
    operations = live(scene, hall, seed=3).operations
    assert {operation.kind for operation in operations} == {"statement", "commit", "ring", "gateway"}
    for blow in blows(operations)[::3]:
        life = live(scene, hall, seed=3, blow=blow)
        assert life.struck is not None
        assert life.counts["kills"] == (0 if blow.fails else 1)
        assert life.breaches == (), blow
