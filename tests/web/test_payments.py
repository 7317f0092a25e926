from typing import Any

import httpx
import pytest

from tests.web.service import Service, is_problem
from web.api import documents


def body(name: str, **changed: object) -> dict[str, object]:
    known = {"order_id": name, "transaction_id": name, "captured_amount": "255.00", "currency": "GBP"}
    return known | changed


def test_a_payment_is_created_once_and_known_afterwards(admin: httpx.Client, key: str) -> None:
    first, again = (admin.post("/v1/payments", json=body(key)) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    payment = documents.Payment.model_validate(first.json())
    assert (payment.captured_amount, payment.refundable_minor) == ("255.00", 25500)


@pytest.mark.parametrize(
    ("changed", "status", "name"),
    [
        ({"captured_amount": "254.00"}, 409, "payment_mismatch"),
        ({"order_id": "another"}, 409, "payment_mismatch"),
        ({"currency": "EUR"}, 409, "payment_mismatch"),
        ({"gateway": "elsewhere"}, 422, "gateway_unknown"),
        ({"account": "nobody"}, 422, "account_unknown"),
        ({"captured_amount": "0.001"}, 422, "invalid_request"),
        ({"captured_amount": 255}, 422, "invalid_request"),
        ({"captured_at": "yesterday"}, 422, "invalid_request"),
        ({"colour": "red"}, 422, "invalid_request"),
    ],
)
def test_a_payment_that_contradicts_or_makes_no_sense_is_refused(
    admin: httpx.Client, key: str, changed: dict[str, object], status: int, name: str
) -> None:
    assert admin.post("/v1/payments", json=body(key)).status_code == 201
    assert is_problem(admin.post("/v1/payments", json=body(key, **changed)), status, name)


def test_lists_lead_through_all_payments(admin: httpx.Client, key: str) -> None:
    for number in range(3):
        assert admin.post("/v1/payments", json=body(key, transaction_id=f"{key}-{number}")).status_code == 201
    found: list[str] = []
    answer = admin.get("/v1/payments", params={"order_id": key, "limit": 2, "account": "default"})
    found += [item["transaction_id"] for item in answer.json()["items"]]
    answer = admin.get(answer.links["next"]["url"])
    found += [item["transaction_id"] for item in answer.json()["items"]]
    assert documents.PaymentList.model_validate(answer.json()).next is None
    assert found == [f"{key}-0", f"{key}-1", f"{key}-2"]


def test_filters_narrow_a_list(admin: httpx.Client, payment: dict[str, Any]) -> None:
    for name in ("order_id", "transaction_id"):
        [item] = admin.get("/v1/payments", params={name: payment[name], "gateway": "sandbox"}).json()["items"]
        assert item["id"] == payment["id"]
    assert admin.get("/v1/payments", params={"gateway": "elsewhere"}).json() == {"items": [], "next": None}


def test_the_queue_adds_up_by_currency(service: Service, admin: httpx.Client, key: str) -> None:
    before = documents.Queue.model_validate(admin.get("/v1/queue").json())
    admin.post("/v1/payments", json=body(key, captured_amount="1200", currency="JPY"))
    asked = admin.post("/v1/refunds", json={"order_id": key}, headers={"Idempotency-Key": key})
    service.put_on_queue(asked.json()["id"])
    after = documents.Queue.model_validate(admin.get("/v1/queue").json())
    assert after.depth == before.depth + 1
    assert int(after.amounts["JPY"]) == int(before.amounts.get("JPY", "0")) + 1200
