"""Which payments the sandbox refuses: a seeded share of each kind, the same for the same seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refunds.domain.money import minor_units_or_zero


@dataclass(frozen=True, slots=True)
class Faults:
    """Percentages of payments; what is left over is refunded at once."""

    seed: int = 1
    refuse: float = 0
    refuse_one_day: float = 0
    refuse_two_days: float = 0
    unclear: float = 0

    def any(self) -> bool:
        """Whether anything is to go wrong."""
        return self.refuse + self.refuse_one_day + self.refuse_two_days + self.unclear > 0

    def sandbox_payments(self, documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The payments as the sandbox is told of them, with their scripts."""
        return [
            sandbox_payment(document, script=self.script(document["transaction_id"]) or {"steps": []})
            for document in documents
        ]

    def script(self, transaction_id: str) -> dict[str, Any] | None:
        """What the sandbox does to this payment's refunds; None: it refunds."""
        chance = random.Random(f"{self.seed}:{transaction_id}").uniform(0, 100)  # noqa: S311 - a reproducible draw
        for share, steps in (
            (self.refuse, [{"do": "decline", "code": "issuer_declined", "times": None}]),
            (self.refuse_one_day, [{"do": "decline", "code": "insufficient_funds", "days": 1}]),
            (self.refuse_two_days, [{"do": "decline", "code": "insufficient_funds", "days": 2}]),
            (self.unclear, [{"do": "reset_after"}]),
        ):
            if chance < share:
                return {"steps": steps}
            chance -= share
        return None


def sandbox_payment(document: Mapping[str, Any], *, script: Mapping[str, Any]) -> dict[str, Any]:
    """A payment, as registered with moneyback, told to the sandbox with what its refunds will meet."""

    def minor(name: str) -> int:
        return minor_units_or_zero(document.get(name, "0"), document["currency"])

    return {
        "transaction_id": document["transaction_id"],
        "currency": document["currency"],
        "captured_minor": minor("captured_amount"),
        "authorized_minor": minor("authorized_amount"),
        "refunded_before_minor": minor("refunded_before"),
        "script": dict(script),
    }
