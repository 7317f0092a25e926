"""What a gateway can do, as its adapter declares it; the flow believes nothing else."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Grade(StrEnum):
    """How safely a gateway can be asked again after an unclear answer."""

    KEY_AND_LOOK_UP = "A"
    LOOK_UP = "B"
    KEY = "C"
    NEITHER = "D"


@dataclass(frozen=True, slots=True)
class Abilities:
    """Declared once by each adapter, shown by `moneyback doctor`."""

    key_life: timedelta | None
    """How long the gateway honours an idempotency key; None: it takes none."""
    look_up: bool
    """It can be asked what became of our refund."""
    settling: timedelta
    """How late a lost request may still appear; two look-ups that prove absence are this far apart."""
    final_within: timedelta
    """How long `accepted` may stay without a final word before a person is asked."""
    look_first: bool = False
    """It would refund a payment under dispute: it is looked up before a first attempt too."""
    partial: bool = True
    void: bool = False
    cancel_order: bool = False
    offline: bool = False
    items: bool = False
    """It takes items, shipping and adjustments, not the amount alone."""

    @property
    def grade(self) -> Grade:
        """A: key and look-up; B: look-up only; C: key only; D: neither."""
        if self.look_up:
            return Grade.LOOK_UP if self.key_life is None else Grade.KEY_AND_LOOK_UP
        return Grade.NEITHER if self.key_life is None else Grade.KEY
