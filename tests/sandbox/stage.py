"""One payment in a running sandbox, and what a client does with it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refunds.sandbox import judge
from tests.sandbox_process import HttpAnswer, SandboxProcess


def eventually(fact: Callable[[], bool], *, within_seconds: float = 5) -> None:
    """Return once the fact holds; it is asked again and again, and must do some work of its own."""
    end = time.monotonic() + within_seconds
    while not fact():
        assert time.monotonic() < end, "it never came true"


@dataclass(frozen=True, slots=True)
class Stage:
    """A payment of 10.00 GBP, unless `put` says otherwise; its refunds carry its own references."""

    sandbox: SandboxProcess
    transaction_id: str

    def put(self, **fields: object) -> None:
        payment = {"transaction_id": self.transaction_id, "currency": "GBP", "captured_minor": 1000}
        self.sandbox.put_payments([payment | fields])

    def script(self, *steps: dict[str, object]) -> None:
        self.sandbox.script(self.transaction_id, *steps)

    def reference(self, number: int = 1) -> str:
        return f"rf_{self.transaction_id}_{number}"

    def refund(
        self,
        amount_minor: int = 100,
        *,
        number: int = 1,
        key: str | None = None,
        timeout_seconds: float = 10,
        verb: str = "refunds",
    ) -> HttpAnswer:
        return self.sandbox.call(
            "POST",
            f"/v1/payments/{self.transaction_id}/{verb}",
            {
                "amount_minor": amount_minor,
                "currency": "GBP",
                "reference": self.reference(number),
                "order_id": "order-1",
                "reason": None,
            },
            headers={} if key is None else {"Idempotency-Key": f"{self.transaction_id}.{key}"},
            timeout_seconds=timeout_seconds,
        )

    def look_up(self) -> Any:
        answer = self.sandbox.call("GET", f"/v1/payments/{self.transaction_id}/refunds")
        assert answer.status == 200, answer
        return answer.body

    def statuses(self) -> list[tuple[str, str | None]]:
        """Status and code of its refunds, as a look-up shows them."""
        return [(refund["status"], refund["code"]) for refund in self.look_up()["refunds"]]

    def paid_minor(self) -> int:
        """What the ledger says was paid under the first reference."""
        return judge.paid(self.sandbox.ledger).get(self.reference(), (0, "GBP"))[0]
