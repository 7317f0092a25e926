from datetime import timedelta

import pytest

from refunds.domain.abilities import Abilities, Grade

DAY = timedelta(days=1)


def _abilities(*, key_life: timedelta | None, look_up: bool) -> Abilities:
    return Abilities(key_life=key_life, look_up=look_up, settling=timedelta(minutes=1), final_within=DAY)


@pytest.mark.parametrize(
    ("key_life", "look_up", "grade"),
    [
        (DAY, True, Grade.KEY_AND_LOOK_UP),
        (None, True, Grade.LOOK_UP),
        (DAY, False, Grade.KEY),
        (None, False, Grade.NEITHER),
    ],
)
def test_a_grade_says_whether_there_is_a_key_and_a_look_up(
    key_life: timedelta | None, look_up: bool, grade: Grade
) -> None:
    assert _abilities(key_life=key_life, look_up=look_up).grade is grade


def test_what_an_adapter_does_not_declare_it_cannot_do_but_for_partial_refunds() -> None:
    can = _abilities(key_life=None, look_up=True)

    assert can.partial
    assert not any((can.look_first, can.void, can.cancel_order, can.offline, can.items))
