"""The refundable balance of a payment: captured - refunded - reserved - external - disputed."""

from dataclasses import dataclass
from enum import StrEnum


class Shortfall(StrEnum):
    """Why an amount does not fit."""

    EXCEEDS_CAPTURED = "exceeds_captured"
    EXCEEDS_REMAINING = "exceeds_remaining"


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums of one payment, in minor units of its currency.

    `excess_minor` is what outside facts took beyond the captured sum; while it is not 0 nothing new is taken.
    """

    captured_minor: int
    refunded_minor: int = 0
    reserved_minor: int = 0
    external_minor: int = 0
    disputed_minor: int = 0
    excess_minor: int = 0

    @property
    def refundable_minor(self) -> int:
        """What a new refund may still take; never negative."""
        if self.excess_minor:
            return 0
        taken = self.refunded_minor + self.reserved_minor + self.external_minor + self.disputed_minor
        return max(self.captured_minor - taken, 0)

    def shortfall(self, amount_minor: int) -> Shortfall | None:
        """None if the amount fits, else why not."""
        if amount_minor > self.captured_minor:
            return Shortfall.EXCEEDS_CAPTURED
        if amount_minor > self.refundable_minor:
            return Shortfall.EXCEEDS_REMAINING
        return None
