"""Resolve and restart over HTTP: each end, what is refused and how, and whose token said so."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.web.service import Service, is_problem
from web.api import documents

Ask = Callable[..., httpx.Response]

ENDS = [
    ({"as": "refunded", "reference": "sre_9"}, (0, 1275, 0)),
    ({"as": "refunded_externally", "reference": "transfer 7"}, (0, 0, 1275)),
    ({"as": "failed"}, (0, 0, 0)),
    ({"as": "cancelled"}, (0, 0, 0)),
    ({"as": "queued"}, (1275, 0, 0)),
]


@pytest.fixture
def under_review(service: Service, ask: Ask) -> str:
    """Id of a refund that nobody can tell about."""
    refund_id: str = ask(amount="12.75").json()["id"]
    _put(service, refund_id, "needs_review")
    return refund_id


def _put(service: Service, refund_id: str, status: str) -> None:
    with service.parts.database.begin() as tx:
        row = {"id": refund_id, "status": status}
        tx.execute(text("UPDATE refunds SET status = :status, due_at = NULL WHERE id = :id"), row)
        if status == "failed":
            released = (
                "UPDATE payments SET reserved_minor = reserved_minor - 1275 WHERE id = (SELECT payment_id"
            )
            tx.execute(text(f"{released} FROM refunds WHERE id = :id)"), row)


def _sums(service: Service, refund_id: str) -> tuple[int, int, int]:
    with service.parts.database.read() as tx:
        sums = """SELECT reserved_minor, refunded_minor, external_minor FROM payments
            WHERE id = (SELECT payment_id FROM refunds WHERE id = :id)"""
        reserved, refunded, external = tx.execute(text(sums), {"id": refund_id}).one()
        return reserved, refunded, external


@pytest.mark.parametrize(("said", "moved"), ENDS)
def test_each_end_is_kept_with_the_name_of_the_token(
    service: Service, under_review: str, said: dict[str, str], moved: tuple[int, int, int]
) -> None:
    with service.client("operate", name="desk") as desk:
        answer = desk.post(f"/v1/refunds/{under_review}/resolve", json={**said, "reason": "seen there"})
    assert answer.status_code == 200
    refund = documents.Refund.model_validate(answer.json())
    assert (refund.id, refund.status) == (under_review, said["as"])
    assert _sums(service, under_review) == moved
    last = service.history_of(under_review)[-1]
    proof = f" ({said['reference']})" if "reference" in said else ""
    assert last["why"] == f"resolved as {said['as']}{proof}: seen there"
    assert last["actor"].startswith("desk (")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"as": "refunded"}, "/reference"),
        ({"as": "refunded_externally", "reference": ""}, "/reference"),
        ({"as": "failed", "reference": "sre_9"}, "/reference"),
        ({"as": "queued", "reference": "sre_9"}, "/reference"),
        ({"as": "refunded", "reference": "x" * 201}, "/reference"),
        ({"as": "voided", "reference": "sre_9"}, "/as"),
        ({"as": "attempting"}, "/as"),
        ({"as": 7}, "/as"),
        ({}, "/as"),
        ({"as_": "failed"}, "/as_"),
        ({"as": "failed", "note": "x"}, "/note"),
        ({"as": "failed", "reason": ""}, "/reason"),
        ({"as": "failed", "reason": "x" * 201}, "/reason"),
    ],
)
def test_what_cannot_be_is_invalid_and_changes_nothing(
    service: Service, admin: httpx.Client, under_review: str, said: dict[str, Any], pointer: str
) -> None:
    before = service.history_of(under_review)
    answer = admin.post(f"/v1/refunds/{under_review}/resolve", json={"reason": "seen there", **said})
    assert is_problem(answer, 422, "invalid_request")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert service.history_of(under_review) == before
    assert admin.get(f"/v1/refunds/{under_review}").json()["status"] == "needs_review"


ACTS = [("resolve", {"as": "failed", "reason": "seen there"}), ("restart", {"reason": "new card"})]


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_an_act_that_the_status_forbids_is_a_conflict(
    admin: httpx.Client, ask: Ask, act: str, body: dict[str, str]
) -> None:
    refund_id = ask(amount="12.75").json()["id"]
    answer = admin.post(f"/v1/refunds/{refund_id}/{act}", json=body)
    assert is_problem(answer, 409, "wrong_status")
    assert admin.get(f"/v1/refunds/{refund_id}").json()["status"] == "requested"


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_an_act_on_a_refund_that_is_not_there_is_not_found(
    admin: httpx.Client, act: str, body: dict[str, str]
) -> None:
    assert is_problem(admin.post(f"/v1/refunds/rf_unknown/{act}", json=body), 404, "refund_unknown")


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_who_may_only_ask_for_refunds_decides_nothing(
    service: Service, under_review: str, act: str, body: dict[str, str]
) -> None:
    with service.client("write") as shop:
        assert is_problem(shop.post(f"/v1/refunds/{under_review}/{act}", json=body), 403, "forbidden")


def test_a_failed_refund_is_started_over_and_reserves_again(service: Service, ask: Ask) -> None:
    refund_id = ask(amount="12.75").json()["id"]
    _put(service, refund_id, "failed")
    with service.client("operate", name="desk") as desk:
        answer = desk.post(f"/v1/refunds/{refund_id}/restart", json={"reason": "new card"})
    assert answer.status_code == 200
    refund = documents.Refund.model_validate(answer.json())
    assert (refund.status, refund.wait, refund.attempts_counted) == ("queued", "daily", 0)
    assert _sums(service, refund_id) == (1275, 0, 0)
    last = service.history_of(refund_id)[-1]
    assert (last["old"], last["why"]) == ("failed", "started over: new card")
    assert last["actor"].startswith("desk (")


def test_a_failed_refund_whose_money_went_elsewhere_is_not_started_over(
    service: Service, admin: httpx.Client, ask: Ask, key: str
) -> None:
    refund_id = ask(amount="12.75").json()["id"]
    _put(service, refund_id, "failed")
    assert ask(amount="90.00", under=f"{key}-other").status_code == 202
    answer = admin.post(f"/v1/refunds/{refund_id}/restart", json={"reason": "new card"})
    assert is_problem(answer, 409, "exceeds_remaining")
    assert _sums(service, refund_id) == (9000, 0, 0)


def test_a_restart_needs_a_reason(service: Service, admin: httpx.Client, ask: Ask) -> None:
    refund_id = ask(amount="12.75").json()["id"]
    _put(service, refund_id, "failed")
    assert is_problem(admin.post(f"/v1/refunds/{refund_id}/restart", json={}), 422, "invalid_request")
    assert admin.get(f"/v1/refunds/{refund_id}").json()["status"] == "failed"
