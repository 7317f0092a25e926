import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.web.service import Service, is_problem
from web.api import documents

Ask = Callable[..., httpx.Response]


def test_an_accepted_refund_is_answered_with_its_place_and_itself(admin: httpx.Client, ask: Ask) -> None:
    answer = ask(amount="12.75", currency="GBP", reason="goods returned", metadata={"channel": "shop"})
    assert answer.status_code == 202
    assert "Idempotent-Replayed" not in answer.headers
    shown = admin.get(answer.headers["Location"])
    assert shown.status_code == 200
    assert shown.json() == answer.json()
    refund = documents.Refund.model_validate(shown.json())
    assert (refund.amount, refund.amount_minor, refund.status) == ("12.75", 1275, "requested")
    assert (refund.reason, refund.metadata) == ("goods returned", {"channel": "shop"})


def test_the_same_key_and_request_again_answer_the_same_refund(service: Service, ask: Ask) -> None:
    first = ask(amount="12.75")
    before = service.count("refunds")
    again = ask(amount="12.75")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert again.json() == first.json()
    assert service.count("refunds") == before


def test_a_key_means_the_same_quoted_and_bare(ask: Ask, key: str) -> None:
    first = ask(amount="1.00", under=key)
    assert ask(amount="1.00", under=f'"{key}"').json()["id"] == first.json()["id"]


def test_another_request_under_a_key_is_refused(ask: Ask) -> None:
    assert ask(amount="12.75").status_code == 202
    assert is_problem(ask(amount="12.76"), 422, "idempotency_key_reused")


def test_a_rotated_token_of_the_same_name_keeps_its_keys(
    service: Service, ask: Ask, payment: dict[str, Any], key: str
) -> None:
    body = {"transaction_id": payment["transaction_id"], "amount": "1.00"}
    answers = []
    for _ in range(2):
        with service.client("refunds:write", name="rotated") as client:
            answers.append(client.post("/v1/refunds", json=body, headers={"Idempotency-Key": key}))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]


def test_two_callers_may_use_the_same_key(
    service: Service, ask: Ask, payment: dict[str, Any], key: str
) -> None:
    first = ask(amount="1.00")
    with service.client("refunds:write", name="another shop") as other:
        body = {"transaction_id": payment["transaction_id"], "amount": "1.00"}
        second = other.post("/v1/refunds", json=body, headers={"Idempotency-Key": key})
    assert second.status_code == 202
    assert second.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ([], "idempotency_key_missing"),
        ([b""], "idempotency_key_invalid"),
        ([b'""'], "idempotency_key_invalid"),
        ([b'"open'], "idempotency_key_invalid"),
        ([b'"a"b"'], "idempotency_key_invalid"),
        ([b"k" * 256], "idempotency_key_invalid"),
        ([b"caf\xe9"], "idempotency_key_invalid"),
        ([b"one", b"two"], "idempotency_key_invalid"),
    ],
)
def test_a_refund_needs_one_good_key(
    admin: httpx.Client, payment: dict[str, Any], given: list[bytes], name: str
) -> None:
    body = {"transaction_id": payment["transaction_id"]}
    headers = [(b"Idempotency-Key", value) for value in given]
    assert is_problem(admin.post("/v1/refunds", json=body, headers=headers), 400, name)


@pytest.mark.parametrize("good", ["k" * 255, '"quoted \\" and \\\\"', "a b", "~!@#$%^&*()"])
def test_a_key_may_be_anything_printable(ask: Ask, good: str) -> None:
    assert ask(amount="0.01", under=good).status_code == 202


@pytest.mark.parametrize(
    ("fields", "status", "name", "pointer"),
    [
        ({"amount": "100.01"}, 409, "exceeds_captured", "/amount"),
        ({"amount": "1.00", "currency": "EUR"}, 422, "currency_mismatch", "/currency"),
        ({"amount": "1.00", "refundable_seen": "99.00"}, 409, "stale_balance", "/refundable_seen"),
        ({"account": "nobody"}, 422, "account_unknown", "/account"),
        ({"transaction_id": "pay_nowhere"}, 404, "payment_unknown", "/transaction_id"),
        ({"mode": "offline"}, 422, "not_supported", "/mode"),
        ({"amount": "1.001"}, 422, "invalid_request", "/amount"),
        ({"amount_minor": True}, 422, "invalid_request", "/amount_minor"),
        ({"items": [{"sku": "x", "quantity": -1}]}, 422, "invalid_request", "/items/0/quantity"),
        ({"colour": "red"}, 422, "invalid_request", "/colour"),
    ],
)
def test_a_refusal_names_its_cause_and_the_field(
    service: Service, ask: Ask, fields: dict[str, Any], status: int, name: str, pointer: str
) -> None:
    before = (service.count("refunds"), service.count("intake_log"))
    answer = ask(**fields)
    assert is_problem(answer, status, name)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (service.count("refunds"), service.count("intake_log")) == before


def test_what_is_reserved_is_not_given_twice(ask: Ask) -> None:
    assert ask(amount="60.00", under="first-sixty").status_code == 202
    assert is_problem(ask(amount="60.00", under="second-sixty"), 409, "exceeds_remaining")


def test_an_order_with_two_payments_has_to_say_which(
    admin: httpx.Client, payment: dict[str, Any], key: str
) -> None:
    other = {
        "order_id": payment["order_id"],
        "transaction_id": f"{payment['transaction_id']}-second",
        "captured_amount": "5.00",
        "currency": "GBP",
    }
    assert admin.post("/v1/payments", json=other).status_code == 201
    body = {"order_id": payment["order_id"], "amount": "1.00"}
    answer = admin.post("/v1/refunds", json=body, headers={"Idempotency-Key": key})
    assert is_problem(answer, 422, "payment_ambiguous")


@pytest.mark.parametrize(
    ("changed", "status", "name"),
    [
        ({"gateway": "elsewhere"}, 422, "gateway_unknown"),
        ({"captured_amount": "99.00"}, 409, "payment_mismatch"),
    ],
)
def test_a_payment_that_comes_along_has_to_fit(
    admin: httpx.Client, payment: dict[str, Any], key: str, changed: dict[str, str], status: int, name: str
) -> None:
    named = {field: payment[field] for field in ("order_id", "transaction_id", "captured_amount", "currency")}
    answer = admin.post(
        "/v1/refunds", json={"payment": {**named, **changed}}, headers={"Idempotency-Key": key}
    )
    assert is_problem(answer, status, name)


def test_a_refund_may_bring_its_payment(admin: httpx.Client, key: str) -> None:
    brought = {"order_id": key, "transaction_id": key, "captured_amount": "255.00", "currency": "GBP"}
    body = {"amount_minor": 1275, "payment": brought}
    answer = admin.post("/v1/refunds", json=body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["order_id"]) == (202, key)


def test_of_twenty_at_once_under_one_key_one_is_taken(
    service: Service, payment: dict[str, Any], key: str
) -> None:
    before = service.count("refunds"), service.count("intake_log")
    together = threading.Barrier(20)
    with service.client("refunds:write") as client:

        def post(_: int) -> httpx.Response:
            together.wait(timeout=10)
            body = {"transaction_id": payment["transaction_id"], "amount": "10.00"}
            return client.post("/v1/refunds", json=body, headers={"Idempotency-Key": key})

        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(post, range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count("true") == 19
    assert (service.count("refunds"), service.count("intake_log")) == (before[0] + 1, before[1] + 1)


def test_lists_lead_through_all_refunds_newest_first(
    admin: httpx.Client, ask: Ask, payment: dict[str, Any], key: str
) -> None:
    asked = [ask(amount="1.00", under=f"{key}-{number}").json()["id"] for number in range(5)]
    found: list[str] = []
    answer = admin.get(
        "/v1/refunds", params={"order_id": payment["order_id"], "status": "requested", "limit": 2}
    )
    while True:
        page = documents.RefundList.model_validate(answer.json())
        found += [refund.id for refund in page.items]
        if page.next is None:
            assert "Link" not in answer.headers
            break
        assert len(page.items) == 2
        assert page.next == page.items[-1].id
        assert answer.links["next"]["rel"] == "next"
        answer = admin.get(answer.links["next"]["url"])
    assert found == sorted(asked, reverse=True)


@pytest.mark.parametrize("path", ["/v1/refunds", "/v1/payments"])
def test_a_full_last_page_leads_nowhere(
    admin: httpx.Client, ask: Ask, payment: dict[str, Any], path: str
) -> None:
    assert ask(amount="1.00").status_code == 202
    answer = admin.get(path, params={"order_id": payment["order_id"], "limit": 1})
    assert len(answer.json()["items"]) == 1
    assert answer.json()["next"] is None


@pytest.mark.parametrize("path", ["/v1/refunds", "/v1/payments"])
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=many", "/limit"),
        ("after=rf_1", "/after"),
        ("after=%00", "/after"),
        ("order_id=%00", "/order_id"),
        ("order_id=", "/order_id"),
        ("colour=red", "/colour"),
    ],
)
def test_a_list_refuses_what_it_does_not_know(
    admin: httpx.Client, path: str, query: str, pointer: str
) -> None:
    answer = admin.get(f"{path}?{query}")
    assert is_problem(answer, 422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_list_shows_fifty_unless_told(admin: httpx.Client, service: Service) -> None:
    assert admin.get("/v1/refunds", params={"limit": 200}).status_code == 200
    declared = service.contract["paths"]["/v1/refunds"]["get"]["parameters"]
    assert [item["schema"]["default"] for item in declared if item["name"] == "limit"] == [50]


@pytest.mark.parametrize("refund_id", ["rf_00000000000000000000000000", "nothing", "rf_%00", "%F0%9F%92%B8"])
@pytest.mark.parametrize(("method", "act"), [("GET", ""), ("POST", "/retry"), ("POST", "/cancel")])
def test_a_refund_nobody_knows_is_not_found(
    admin: httpx.Client, refund_id: str, method: str, act: str
) -> None:
    answer = admin.request(method, f"/v1/refunds/{refund_id}{act}", json={"reason": "why not"})
    assert is_problem(answer, 404, "refund_unknown")


def test_cancelling_gives_the_amount_back_and_happens_once(
    service: Service, admin: httpx.Client, ask: Ask, payment: dict[str, Any]
) -> None:
    place = ask(amount="40.00").headers["Location"]
    done = admin.post(f"{place}/cancel", json={"reason": "the customer kept it"})
    assert (done.status_code, done.json()["status"]) == (200, "cancelled")
    [kept] = admin.get("/v1/payments", params={"order_id": payment["order_id"]}).json()["items"]
    assert kept["refundable_amount"] == "100.00"
    assert is_problem(admin.post(f"{place}/cancel", json={"reason": "again"}), 409, "wrong_status")
    history = service.history_of(place.rpartition("/")[2])
    assert history[-1]["why"] == "cancelled: the customer kept it"
    assert history[-1]["actor"].startswith("shop (tk_")
    assert history[0]["actor"] == history[-1]["actor"]


def test_only_what_waits_is_tried_now(admin: httpx.Client, ask: Ask) -> None:
    place = ask(amount="1.00").headers["Location"]
    answer = admin.post(f"{place}/retry", json={"reason": "her bank is back"})
    assert is_problem(answer, 409, "wrong_status")


def test_a_queued_refund_is_tried_now(service: Service, admin: httpx.Client, ask: Ask) -> None:
    place = ask(amount="1.00").headers["Location"]
    service.put_on_queue(place.rpartition("/")[2])
    answer = admin.post(f"{place}/retry", json={"reason": "her bank is back"})
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": ""}, "/reason"),
        ({"reason": "two\nlines"}, "/reason"),
        ({"reason": "x" * 201}, "/reason"),
        ({"reason": 7}, "/reason"),
        ({"reason": "fine", "force": True}, "/force"),
    ],
)
def test_a_decision_needs_a_reason(
    admin: httpx.Client, ask: Ask, body: dict[str, object], pointer: str
) -> None:
    answer = admin.post(f"{ask(amount='1.00').headers['Location']}/cancel", json=body)
    assert is_problem(answer, 422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
