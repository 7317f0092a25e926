import sqlite3
import time
from contextlib import closing

from tests.sandbox.stage import Stage


def test_twenty_thousand_payments_go_in_at_once_and_again(stage: Stage) -> None:
    payments = [
        {"transaction_id": f"{stage.transaction_id}_{number}", "currency": "EUR", "captured_minor": number}
        for number in range(20_000)
    ]

    stage.sandbox.put_payments(payments)
    last = Stage(stage.sandbox, f"{stage.transaction_id}_19999")
    stage.sandbox.put_payments(payments)

    assert last.look_up()["payment"]["captured_minor"] == 19_999


def test_putting_a_payment_again_keeps_its_refunds_and_options(stage: Stage) -> None:
    stage.put(options={"keys": False})
    stage.refund(100, key="k")

    stage.put(captured_minor=2000)
    stage.refund(100, key="k")
    stage.refund(100, key="k")

    assert stage.look_up()["payment"]["refundable_minor"] == 1700


def test_putting_a_payment_again_without_a_script_keeps_the_script(stage: Stage) -> None:
    stage.script({"do": "decline", "code": "issuer_declined"})

    stage.put()

    assert stage.refund().status == 402


def test_an_open_payment_that_is_put_in_is_no_longer_open(stage: Stage) -> None:
    unknown = Stage(stage.sandbox, f"{stage.transaction_id}_unknown")
    unknown.refund(100)

    unknown.put(captured_minor=150)

    assert unknown.refund(100, number=2).body["error"]["code"] == "amount_too_large"
    with closing(sqlite3.connect(stage.sandbox.ledger)) as db:
        row = db.execute("SELECT open FROM payment WHERE transaction_id = ?", (unknown.transaction_id,))
        assert row.fetchone() == (0,)


def test_a_wrong_payment_is_refused_by_the_field_s_name(stage: Stage) -> None:
    script = {"steps": [{"do": "decline"}]}
    payment = {"transaction_id": "t", "currency": "GBP", "captured_minor": 1, "script": script}

    answer = stage.sandbox.call("PUT", "/sandbox/payments", [payment])

    assert answer.status == 400
    assert answer.body["error"]["message"].startswith("/0/script/steps/0/code: ")


def test_directions_for_an_unknown_payment_are_refused(stage: Stage) -> None:
    unknown = f"/sandbox/payments/{stage.transaction_id}_unknown"

    answers = [
        stage.sandbox.call("PUT", f"{unknown}/script", {"steps": []}),
        stage.sandbox.call("PUT", f"{unknown}/dispute", {"disputed": True}),
        stage.sandbox.call("POST", f"{unknown}/portal-refund", {"amount_minor": 1}),
    ]

    assert [(each.status, each.body["error"]["code"]) for each in answers] == [(404, "payment_unknown")] * 3


def test_the_clock_tells_its_offset(stage: Stage) -> None:
    before = stage.sandbox.call("GET", "/sandbox/clock").body["now"]

    stage.sandbox.set_clock(offset_seconds=86_400)
    clock = stage.sandbox.call("GET", "/sandbox/clock").body

    assert clock["offset_seconds"] == 86_400
    assert clock["now"][:10] > before[:10]


def test_latency_is_set_while_it_runs(stage: Stage) -> None:
    assert stage.sandbox.call("PUT", "/sandbox/latency", {"ms": 30}).body == {"ms": 30}

    before = time.monotonic()
    stage.refund()
    assert time.monotonic() - before >= 0.03


def test_the_ledger_is_summed_up_by_currency_and_status(stage: Stage) -> None:
    stage.put(currency="GBP", options={"keys": False})
    stage.refund()
    stage.refund()

    body = stage.sandbox.call("GET", "/sandbox/ledger").body

    assert stage.reference() in body["doubled"]
    assert body["payments"] >= 1
    assert {"currency", "kind", "status", "count", "amount_minor"} == set(body["refunds"][0])
