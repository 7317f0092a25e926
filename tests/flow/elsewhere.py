"""What happens at the gateway past the worker, and a worker that leaves time for it."""

from datetime import timedelta
from typing import Any, Final

from tests.house_of import House

UNHURRIED: Final[dict[str, Any]] = {"call_limit": timedelta(seconds=10), "lease": timedelta(seconds=30)}
"""Of a house whose doubts are not looked into before a test has had its say, but for `hurry`."""


def pay_elsewhere(house: House, refund_id: str, *, key: str) -> None:
    """Ask the gateway for this refund under another key, as a request would that nobody remembers."""
    refund = house.get(refund_id)
    answer = house.bank.call(
        "POST",
        f"/v1/payments/{refund.transaction_id}/refunds",
        {
            "amount_minor": refund.amount_minor,
            "currency": refund.currency,
            "reference": refund_id,
            "order_id": refund.order_id,
            "reason": None,
        },
        headers={"Idempotency-Key": key},
    )
    assert answer.status in {201, 202}, answer
