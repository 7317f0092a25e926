"""What the shop does: payments, refunds asked for, keys repeated. It remembers what was acknowledged."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from refunds.flow.intake import Accepted, Asked, take_in
from refunds.flow.payments import register
from tests.guarantees.simulation.steps import Step
from tests.guarantees.simulation.world import World


@dataclass(frozen=True, slots=True)
class Wanted:
    """A refund as the shop asked for it."""

    refund_id: str
    transaction_id: str
    gateway: str
    amount_minor: int


@dataclass(slots=True)
class Shop:
    """`acknowledged` holds every refund whose request was answered by accepted."""

    world: World
    acknowledged: dict[str, Wanted] = field(default_factory=dict)
    refused: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def buy(self, gateway: str, captured_minor: int, steps: Iterable[Step] = ()) -> str:
        """Transaction id of a new payment, in GBP."""
        return self.buy_many(gateway, [(captured_minor, steps)])[0]

    def buy_many(self, gateway: str, payments: Sequence[tuple[int, Iterable[Step]]]) -> list[str]:
        """Transaction ids of new payments (captured, steps), registered at once."""
        made = []
        for captured_minor, steps in payments:
            transaction_id = f"tx-{next(self._numbers)}"
            self.world.banks[gateway].put_payment(transaction_id, captured_minor, steps)
            made.append((transaction_id, captured_minor))
        forms = [
            {
                "order_id": f"order-{transaction_id}",
                "transaction_id": transaction_id,
                "captured_amount": _pounds(captured_minor),
                "currency": "GBP",
                "account": self.world.wishes.account,
                "gateway": gateway,
            }
            for transaction_id, captured_minor in made
        ]
        register(self.world.web, forms)
        return [transaction_id for transaction_id, _ in made]

    def ask(self, gateway: str, wanted: Sequence[tuple[str, int]]) -> list[str]:
        """Ids of the refunds (transaction id, minor units) that were accepted."""
        asked = [
            Asked(
                f"key-{next(self._numbers)}",
                {
                    "transaction_id": transaction_id,
                    "amount_minor": amount_minor,
                    "account": self.world.wishes.account,
                    "gateway": gateway,
                },
            )
            for transaction_id, amount_minor in wanted
        ]
        return self.post(gateway, asked)

    def post(self, gateway: str, asked: Sequence[Asked]) -> list[str]:
        """As ask, by documents of one's own; a repeated key brings its id again."""
        ids = []
        for request, taken in zip(
            asked, take_in(self.world.web, asked, caller="shop", source="api"), strict=True
        ):
            if not isinstance(taken, Accepted):
                self.refused += 1
                continue
            refund = taken.refund
            ids.append(refund.id)
            self.acknowledged[refund.id] = Wanted(
                refund.id, str(request.document["transaction_id"]), gateway, refund.amount_minor
            )
        return ids


def _pounds(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"
