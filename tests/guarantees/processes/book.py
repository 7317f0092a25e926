"""What is bought and asked back: payments with their fate at the sandbox, requests with their keys."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.guarantees.processes.city import CALL_LIMIT_SECONDS, GRADES, KEY_LIFE_HOURS

_OPTIONS: dict[str, dict[str, Any]] = {
    "A": {},
    "B": {"keys": False},
    "C": {"look_up": False},
    "D": {"keys": False, "look_up": False},
}
_ALWAYS = None
_FATES: tuple[tuple[int, list[dict[str, Any]]], ...] = (
    (26, []),
    (7, [{"do": "decline", "code": "issuer_declined", "times": _ALWAYS}]),
    (3, [{"do": "decline", "code": "card_closed", "times": _ALWAYS}]),
    (4, [{"do": "decline", "code": "insufficient_funds", "days": 1}]),
    (4, [{"do": "decline", "code": "insufficient_funds", "days": 2}]),
    (3, [{"do": "decline", "code": "insufficient_funds", "days": 3}]),
    (9, [{"do": "reset_after"}]),
    (3, [{"do": "reset_before"}]),
    (5, [{"do": "hang_after", "seconds": CALL_LIMIT_SECONDS * 2}]),
    (2, [{"do": "hang_before", "seconds": CALL_LIMIT_SECONDS * 2}]),
    (5, [{"do": "error_after", "status": 500}]),
    (2, [{"do": "error_after", "status": 503}]),
    (3, [{"do": "error_before", "status": 502}]),
    (5, [{"do": "late_commit", "seconds": 20.0}]),
    (4, [{"do": "half_answer"}]),
    (3, [{"do": "garbage"}]),
    (3, [{"do": "wrong_amount"}]),
    (3, [{"do": "async", "final_after_seconds": 900.0}]),
    (3, [{"do": "async", "final_after_seconds": 900.0, "succeeds": False, "times": _ALWAYS}]),
    (2, [{"do": "async", "final_after_seconds": 900.0, "succeeds": False, "times": 2}]),
    (3, [{"do": "slow", "seconds": 0.6}]),
    (2, [{"do": "rate_limit", "retry_after": 1, "times": 2}]),
    (1, [{"do": "unavailable", "times": 2}]),
    (2, [{"do": "decline", "code": "insufficient_funds", "days": 1}, {"do": "reset_after"}]),
    (1, [{"do": "error_before"}, {"do": "reset_after"}]),
)
"""Weights and scripts. Late commits stay within the settling time that the product is told."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One refund request under one key; asked `times` at once with the same body."""

    key: str
    body: dict[str, Any]
    amount_minor: int
    addresses: tuple[str, ...]
    times: int = 1


@dataclass(frozen=True, slots=True)
class Order:
    """A payment and all that is asked of it, at once."""

    payment: dict[str, Any]
    """As the sandbox is told of it."""
    asks: tuple[Ask, ...]

    @property
    def transaction_id(self) -> str:
        """The sandbox's name of the payment; it begins with the gateway's."""
        name: str = self.payment["transaction_id"]
        return name


def orders(seed: int, *, city: str) -> Iterator[Order]:
    """Orders without end, the same for the same seed."""
    number = 0
    while True:
        number += 1
        yield _order(random.Random(f"{seed}:{city}:{number}"), number)


def gateway_of(transaction_id: str) -> str:
    """The gateway that a payment of ours was taken by."""
    return transaction_id.partition("-")[0]


def _order(chance: random.Random, number: int) -> Order:
    gateway = chance.choice(list(GRADES))
    captured = chance.randrange(1_000, 50_000)
    [(_, steps)] = chance.choices(_FATES, weights=[weight for weight, _ in _FATES])
    payment = {
        "transaction_id": f"{gateway}-{number:06}",
        "currency": "EUR",
        "captured_minor": captured,
        "script": {"steps": steps},
        "options": {**_OPTIONS[GRADES[gateway]], "key_life_seconds": KEY_LIFE_HOURS * 3600.0},
    }
    way = chance.random()
    if way < 0.15:  # three want nearly half each: two fit
        amounts, times = [captured * 45 // 100] * 3, 1
    elif way < 0.25:  # two parts, one after the other through the one slot of the payment
        amounts, times = [captured // 3, captured - captured // 3], 1
    else:
        amounts, times = [captured if way < 0.6 else captured // 2], 3 if way > 0.85 else 1
    extra = (f"branch{number % 5}@shop.example",) if chance.random() < 0.2 else ()
    asks = tuple(
        Ask(f"order-{number}/{place}", _body(payment, amount, gateway, extra), amount, extra, times)
        for place, amount in enumerate(amounts)
    )
    return Order(payment, asks)


def _body(
    payment: dict[str, Any], amount_minor: int, gateway: str, addresses: tuple[str, ...]
) -> dict[str, Any]:
    captured = payment["captured_minor"]
    body: dict[str, Any] = {
        "amount_minor": amount_minor,
        "payment": {
            "order_id": f"order of {payment['transaction_id']}",
            "transaction_id": payment["transaction_id"],
            "captured_amount": f"{captured // 100}.{captured % 100:02}",
            "currency": payment["currency"],
            "gateway": gateway,
        },
    }
    return body | ({"notify": list(addresses)} if addresses else {})
