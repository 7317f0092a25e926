"""A scene: a sentence, and how a life of it begins."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from refunds.domain.abilities import Grade
from tests.guarantees.crashes.stage import Stage


@dataclass(frozen=True, slots=True)
class Scene:
    """`begin` puts payments and acts on the stage; what it does itself is no operation of the life."""

    name: str
    begin: Callable[[Stage], object]
    grade: Grade = Grade.KEY_AND_LOOK_UP
    watch: timedelta = timedelta()
    days: float = 30.0
