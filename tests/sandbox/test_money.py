from http.client import HTTPConnection

import pytest

from refunds.sandbox import judge
from tests.sandbox.stage import Stage


def test_a_refund_moves_the_money_and_is_answered_in_full(stage: Stage) -> None:
    answer = stage.refund(250)

    assert answer.status == 201
    assert answer.body.pop("id").startswith("sre_")
    assert answer.body.pop("created_at").endswith("+00:00")
    assert answer.body == {
        "reference": stage.reference(),
        "key": None,
        "transaction_id": stage.transaction_id,
        "kind": "refund",
        "amount_minor": 250,
        "currency": "GBP",
        "status": "succeeded",
        "code": None,
    }
    assert stage.paid_minor() == 250


def test_a_look_up_shows_the_payment_and_its_refunds(stage: Stage) -> None:
    stage.put(refunded_before_minor=300)
    stage.refund(200)

    body = stage.look_up()

    assert body["payment"] == {
        "transaction_id": stage.transaction_id,
        "currency": "GBP",
        "captured_minor": 1000,
        "authorized_minor": 0,
        "refunded_minor": 500,
        "refundable_minor": 500,
        "disputed": False,
        "voided": False,
    }
    assert [refund["amount_minor"] for refund in body["refunds"]] == [200]


def test_a_look_up_by_reference_shows_only_that_refund(stage: Stage) -> None:
    stage.refund(200, number=1)
    stage.refund(300, number=2)

    path = f"/v1/payments/{stage.transaction_id}/refunds?reference={stage.reference(2)}"
    refunds = stage.sandbox.call("GET", path).body["refunds"]

    assert [refund["reference"] for refund in refunds] == [stage.reference(2)]


def test_never_more_than_captured_is_refunded(stage: Stage) -> None:
    assert stage.refund(700).status == 201

    too_large = stage.refund(301, number=2)
    assert (too_large.status, too_large.body["error"]["code"]) == (402, "amount_too_large")

    assert stage.refund(300, number=3).status == 201
    nothing_left = stage.refund(1, number=4)
    assert (nothing_left.status, nothing_left.body["error"]["code"]) == (402, "already_refunded")


def test_a_void_takes_an_uncaptured_payment_whole_and_once(stage: Stage) -> None:
    stage.put(captured_minor=0, authorized_minor=1000)

    answer = stage.refund(1000, verb="void")
    assert (answer.status, answer.body["kind"], answer.body["amount_minor"]) == (201, "void", 1000)
    assert stage.look_up()["payment"]["voided"] is True

    again = stage.refund(1000, verb="void", number=2)
    assert (again.status, again.body["error"]["code"]) == (409, "already_voided")


def test_a_captured_payment_is_not_voided(stage: Stage) -> None:
    answer = stage.refund(1000, verb="void")

    assert (answer.status, answer.body["error"]["code"]) == (409, "already_captured")
    assert stage.paid_minor() == 0


def test_an_uncaptured_payment_is_not_refunded(stage: Stage) -> None:
    stage.put(captured_minor=0, authorized_minor=1000)

    answer = stage.refund(1000)

    assert (answer.status, answer.body["error"]["code"]) == (409, "not_captured")


def test_a_disputed_payment_is_not_refunded(stage: Stage) -> None:
    path = f"/sandbox/payments/{stage.transaction_id}/dispute"
    stage.sandbox.call("PUT", path, {"disputed": True})

    answer = stage.refund()
    assert (answer.status, answer.body["error"]["code"]) == (402, "disputed")
    assert stage.look_up()["payment"]["disputed"] is True

    stage.sandbox.call("PUT", path, {"disputed": False})
    assert stage.refund().status == 201


def test_a_refund_made_in_the_portal_uses_up_the_balance_without_a_reference(stage: Stage) -> None:
    path = f"/sandbox/payments/{stage.transaction_id}/portal-refund"

    assert stage.sandbox.call("POST", path, {"amount_minor": 900}).status == 201

    assert stage.refund(200).body["error"]["code"] == "amount_too_large"
    assert [refund["reference"] for refund in stage.look_up()["refunds"]] == [None]


def test_an_equal_amount_within_the_filter_is_refused_and_passes_after_it(stage: Stage) -> None:
    stage.put(options={"duplicate_filter_seconds": 600})
    assert stage.refund(100, number=1).status == 201

    assert stage.refund(100, number=2).body["error"]["code"] == "duplicate_suspected"
    assert stage.refund(101, number=3).status == 201
    stage.sandbox.set_clock(offset_seconds=601)
    assert stage.refund(100, number=4).status == 201


def test_a_payment_that_answers_no_look_ups_says_so(stage: Stage) -> None:
    stage.put(options={"look_up": False})

    answer = stage.sandbox.call("GET", f"/v1/payments/{stage.transaction_id}/refunds")

    assert (answer.status, answer.body["error"]["code"]) == (501, "look_up_unsupported")


@pytest.mark.parametrize("header", ["", "Bearer ", "Basic eDp5"])
def test_a_request_without_a_token_is_turned_away_and_noted(stage: Stage, header: str) -> None:
    path = f"/v1/payments/{stage.transaction_id}/refunds?reference={stage.reference()}"

    answer = stage.sandbox.call("GET", path, headers={"Authorization": header})

    assert (answer.status, answer.body["error"]["code"]) == (401, "unauthorized")
    assert [seen.status for seen in judge.requests_for(stage.sandbox.ledger, stage.reference())] == [401]


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount_minor", 0), ("amount_minor", 1.5), ("amount_minor", "1"), ("currency", "gbp"), ("tip", 1)],
)
def test_a_malformed_request_is_refused_by_the_field_s_name(stage: Stage, field: str, value: object) -> None:
    body = {"amount_minor": 100, "currency": "GBP", "reference": stage.reference(), "order_id": "order-1"}

    answer = stage.sandbox.call("POST", f"/v1/payments/{stage.transaction_id}/refunds", body | {field: value})

    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_request")
    assert answer.body["error"]["message"].startswith(f"/{field}: ")


def test_another_currency_than_the_payment_s_is_refused(stage: Stage) -> None:
    stage.put(currency="JPY")

    answer = stage.refund()

    assert (answer.status, answer.body["error"]["message"]) == (400, "/currency: it is in JPY")


def test_every_answer_carries_a_request_id_of_its_own(stage: Stage) -> None:
    paths = ["/v1/ping", "/no/such/page", f"/v1/payments/{stage.transaction_id}/refunds"]

    ids = [stage.sandbox.call("GET", path).headers["Request-Id"] for path in paths]

    assert len(set(ids)) == 3
    assert all(each.startswith("req_") for each in ids)


def test_a_transaction_id_with_a_slash_and_a_space_is_one_name(stage: Stage) -> None:
    odd = Stage(stage.sandbox, f"{stage.transaction_id}%2Fa%20b%25")

    assert odd.refund().body["transaction_id"] == f"{stage.transaction_id}/a b%"


def test_an_open_sandbox_takes_on_a_payment_at_first_sight(stage: Stage) -> None:
    unknown = Stage(stage.sandbox, f"{stage.transaction_id}_unknown")
    assert unknown.look_up()["payment"]["currency"] is None

    assert unknown.refund(10**9).status == 201

    assert unknown.look_up()["payment"]["refunded_minor"] == 10**9


def test_a_connection_serves_many_requests(stage: Stage) -> None:
    connection = HTTPConnection(stage.sandbox.url.removeprefix("http://"), timeout=10)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request("GET", "/v1/ping", headers={"Authorization": "Bearer x"})
        connection.getresponse().read()
    assert connection.sock is first
    connection.close()
