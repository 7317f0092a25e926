import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from refunds.bootstrap import prepare_database
from refunds.flow.refusal import Cause
from tests.web.service import Service, eventually, is_problem, running
from web.api.kinds import KINDS, Fault, of_status, page

STATUSES = {
    "invalid_request": 422,
    "idempotency_key_reused": 422,
    "payment_unknown": 404,
    "refund_unknown": 404,
    "payment_ambiguous": 422,
    "payment_mismatch": 409,
    "gateway_unknown": 422,
    "account_unknown": 422,
    "currency_mismatch": 422,
    "exceeds_captured": 409,
    "exceeds_remaining": 409,
    "stale_balance": 409,
    "not_supported": 422,
    "not_voidable": 409,
    "wrong_status": 409,
}


def test_every_cause_has_its_status() -> None:
    assert {str(cause): KINDS[cause].status for cause in Cause} == STATUSES
    assert set(KINDS) == {*Cause, *Fault}
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize("fault", list(KINDS), ids=str)
def test_every_type_leads_to_its_page(admin: httpx.Client, fault: Cause | Fault) -> None:
    answer = admin.get(f"/problems/{fault}")
    assert (answer.status_code, answer.text) == (200, page(fault))
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert KINDS[fault].meaning in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/refunds/", "/v2/refunds", "/docs", "/redoc", "/problems/none", "/%00"]
)
def test_what_is_not_there_is_a_problem_too(admin: httpx.Client, path: str) -> None:
    assert is_problem(admin.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/v1/refunds", "GET, POST"), ("DELETE", "/v1/payments", "GET, POST"), ("POST", "/livez", "GET")],
)
def test_a_wrong_method_is_told_the_right_ones(
    admin: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = admin.request(method, path)
    assert is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


def test_a_status_without_a_kind_of_its_own_is_still_a_problem() -> None:
    assert (of_status(418), of_status(599), of_status(401)) == (
        Fault.BAD_REQUEST,
        Fault.INTERNAL,
        Fault.UNAUTHENTICATED,
    )


def test_our_own_failure_is_logged_and_not_shown(admin: httpx.Client, log: list[Any]) -> None:
    answer = admin.get("/broken", headers={"X-Request-Id": "shop-7"})
    assert is_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    [failure] = [event for event in log if event["event"] == "http.failed"]
    assert (failure["path"], failure["exc_info"]) == ("/broken", True)
    log.clear()


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_a_safe_request_id_comes_back(admin: httpx.Client, given: str) -> None:
    for path in ("/livez", "/nowhere"):
        assert admin.get(path, headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 65, b"a b", b"<b>", b"caf\xe9"])
def test_any_other_request_id_is_replaced(admin: httpx.Client, given: bytes) -> None:
    headers = [(b"X-Request-Id", given)]
    fresh = {admin.get("/livez", headers=headers).headers["X-Request-Id"] for _ in range(2)}
    assert len(fresh) == 2
    assert given.decode("latin-1") not in fresh


@pytest.mark.parametrize(
    "path", ["/livez", "/v1/refunds", "/nowhere", "/openapi.json", "/problems/forbidden"]
)
def test_no_answer_is_kept_sniffed_or_signed(admin: httpx.Client, path: str) -> None:
    headers = admin.get(path).headers
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert "Server" not in headers


def test_answers_are_logged_with_the_request_id_and_without_the_query(
    service: Service, admin: httpx.Client
) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as events:
        admin.get("/v1/refunds?order_id=%00", headers={"X-Request-Id": "shop-8"})
        # The line is written when the answer is out already.
        eventually(lambda: any(event.get("request_id") == "shop-8" for event in events))
    [answered] = [event for event in events if event.get("request_id") == "shop-8"]
    assert (answered["request_id"], answered["path"], answered["status"]) == ("shop-8", "/v1/refunds", 422)


def test_before_the_migration_nothing_is_served_but_life(tmp_path: Path) -> None:
    with running(tmp_path, migrated=False) as service:
        with service.client(secret="mb_anything") as client:
            assert client.get("/livez").status_code == 200
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["migrations"]["up_to_date"]) == (503, False)
            answer = client.get("/v1/refunds")
            assert is_problem(answer, 503, "unavailable")
            assert "not migrated" in answer.json()["detail"]
            assert int(answer.headers["Retry-After"]) > 0
        prepare_database(service.house)
        with service.client("read") as client:
            assert client.get("/readyz").status_code == 200
            assert client.get("/v1/refunds").status_code == 200


def test_while_the_database_cannot_be_used_callers_are_told_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path) as service, service.client("admin") as client:
        assert client.get("/v1/refunds").status_code == 200
        with sqlite3.connect(tmp_path / "moneyback.db") as file:
            file.execute("ALTER TABLE payments RENAME TO elsewhere")
        file.close()
        answer = client.get("/v1/refunds")
        assert is_problem(answer, 503, "unavailable")
        assert "Retry-After" in answer.headers
        assert "elsewhere" not in answer.text
        assert client.get("/livez").status_code == 200
