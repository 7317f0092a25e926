"""How fast refunds are taken in, one a transaction and in batches, through the product's own intake."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.seed import AMOUNT_MINOR
from bench.servers import DatabaseHandle
from config.settings import Settings
from refunds.bootstrap import open_house
from refunds.flow.intake import Accepted, Asked, take_in
from refunds.flow.parts import Parts
from refunds.flow.payments import register

BATCH = 1_000


def take_in_rates(database: DatabaseHandle, *, singles: int, batches: int) -> tuple[float, float]:
    """Refunds taken in per second: (one a call, BATCH a call). Their payments are known already."""
    with opened(database) as parts:
        return (
            _rate(parts, _asked("single", singles), calls=singles),
            _rate(parts, _asked("batch", batches * BATCH), calls=batches),
        )


@contextmanager
def opened(database: DatabaseHandle) -> Iterator[Parts]:
    """The product's parts on a database of the benchmark; its broker is in memory."""
    house = open_house(Settings(environment="test", database_url=database.url), role="bench")
    try:
        yield house.parts
    finally:
        house.close()


def _asked(tag: str, count: int) -> list[Asked]:
    return [
        Asked(
            f"{tag}-{number}",
            {
                "order_id": f"order_{tag}_{number}",
                "transaction_id": f"tx_{tag}_{number}",
                "amount_minor": AMOUNT_MINOR,
                "currency": "GBP",
                "reason": "the parcel came back",
            },
        )
        for number in range(count)
    ]


def _rate(parts: Parts, asked: list[Asked], *, calls: int) -> float:
    payments = [
        {
            "order_id": item.document["order_id"],
            "transaction_id": item.document["transaction_id"],
            "captured_amount": "100.00",
            "currency": "GBP",
        }
        for item in asked
    ]
    for start in range(0, len(payments), BATCH):
        register(parts, payments[start : start + BATCH])
    size = len(asked) // calls
    began = time.perf_counter()
    for start in range(0, len(asked), size):
        taken = take_in(parts, asked[start : start + size], caller="bench", source="bench")
        assert all(isinstance(item, Accepted) for item in taken), taken[0]
    return len(asked) / (time.perf_counter() - began)
