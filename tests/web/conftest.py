import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog

from tests.web.service import Service, running

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def log() -> Iterator[list[Any]]:
    """What was logged meanwhile; a failure nobody foresaw fails the test that did not ask for it."""
    with structlog.testing.capture_logs() as events:
        yield events
    assert not [event for event in events if event["event"] == "http.failed"]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests: each uses payments of its own."""
    with running(tmp_path_factory.mktemp("web")) as started:
        yield started


@pytest.fixture(scope="session")
def admin(service: Service) -> Iterator[httpx.Client]:
    """A client that may do everything."""
    with service.client("admin") as client:
        yield client


@pytest.fixture
def payment(admin: httpx.Client) -> dict[str, Any]:
    """A registered payment of 100.00 GBP."""
    number = next(_numbers)
    body = {
        "order_id": f"order-{number}",
        "transaction_id": f"pay_{number}",
        "captured_amount": "100.00",
        "currency": "GBP",
    }
    answer = admin.post("/v1/payments", json=body)
    assert answer.status_code == 201
    registered: dict[str, Any] = answer.json()
    return registered


@pytest.fixture
def key() -> str:
    """An idempotency key that nobody used."""
    return f"key-{next(_numbers)}"


@pytest.fixture
def ask(admin: httpx.Client, payment: dict[str, Any], key: str) -> Callable[..., httpx.Response]:
    """Asks for a refund of the payment; further fields as given."""

    def post(*, under: str = key, **fields: Any) -> httpx.Response:
        body = {"transaction_id": payment["transaction_id"], **fields}
        return admin.post("/v1/refunds", json=body, headers={"Idempotency-Key": under})

    return post
