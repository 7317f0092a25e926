"""Asking, and reading what was answered."""

from typing import Any

from refunds.flow.intake import Asked, Taken, take_in
from refunds.flow.refusal import Cause, Refusal
from tests.house_of import House


def cause(taken: Taken) -> Cause:
    assert isinstance(taken, Refusal), taken
    return taken.cause


def counts(house: House) -> dict[str, int]:
    return {name: house.count(name) for name in ("refunds", "intake_log", "payments", "history")}


def take(house: House, *asked: Asked, **how: Any) -> list[Taken]:
    return take_in(house.parts, asked, caller="shop", source="test", **how)
