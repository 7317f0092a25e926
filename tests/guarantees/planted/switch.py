"""The switch: for one run a part of the product is replaced by a broken one; it has no hook for it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.guarantees.crashes.halls import Hall
from tests.guarantees.crashes.judge import Breach

Switch = Callable[[], AbstractContextManager[object]]
Trial = Callable[[Hall, int], list[Breach]]


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug, the guarantee that owns it, and the lives in which it shows and the sound product passes."""

    name: str
    guarantee: str
    switch: Switch
    trial: Trial


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of a plant."""

    line: str
    caught: bool


def swapped(*swaps: tuple[object, str, Any]) -> Switch:
    """A switch that sets (owner, name) to a value, and back."""

    @contextmanager
    def switch() -> Iterator[None]:
        with ExitStack() as back:
            for owner, name, value in swaps:
                before = owner.__dict__[name]
                back.callback(setattr, owner, name, before)
                setattr(owner, name, value)
            yield

    return switch
