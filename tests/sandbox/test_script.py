import json
from datetime import UTC, datetime, time, timedelta
from http.client import IncompleteRead

import pytest

from refunds.sandbox import judge
from tests.sandbox.stage import Stage, eventually


def noon_offset() -> float:
    """Seconds until the next noon in UTC, far from a change of date."""
    now = datetime.now(UTC)
    noon = datetime.combine(now.date() + timedelta(days=1), time(12), UTC)
    return (noon - now).total_seconds()


def test_steps_are_used_in_order_and_then_the_payment_behaves(stage: Stage) -> None:
    stage.script({"do": "ok"}, {"do": "decline", "code": "card_closed", "times": 2}, {"do": "unavailable"})

    statuses = [stage.refund(100, number=number).status for number in range(5)]

    assert statuses == [201, 402, 402, 503, 201]


def test_a_step_without_end_goes_on(stage: Stage) -> None:
    stage.script({"do": "decline", "code": "account_closed", "times": None})

    assert {stage.refund().status for _ in range(5)} == {402}


def test_a_step_of_days_lasts_until_so_many_dates_have_begun(stage: Stage) -> None:
    noon = noon_offset()
    stage.script({"do": "decline", "code": "insufficient_funds", "days": 2})
    seen = []
    for hours in (0, 11, 13, 35, 37):
        stage.sandbox.set_clock(offset_seconds=noon + hours * 3600)
        seen.append(stage.refund(number=hours).status)

    assert seen == [402, 402, 402, 402, 201]


def test_a_step_of_days_counts_from_its_first_use(stage: Stage) -> None:
    noon = noon_offset()
    stage.script({"do": "decline", "code": "insufficient_funds", "days": 1})

    stage.sandbox.set_clock(offset_seconds=noon + 5 * 86_400)
    assert stage.refund().status == 402
    stage.sandbox.set_clock(offset_seconds=noon + 6 * 86_400)
    assert stage.refund().status == 201


def test_look_ups_use_up_no_step(stage: Stage) -> None:
    stage.script({"do": "decline", "code": "issuer_declined"})

    stage.look_up()

    assert stage.refund().body["error"]["code"] == "issuer_declined"


def test_a_new_script_begins_anew_and_the_same_payment_put_again_does_not(stage: Stage) -> None:
    script: dict[str, object] = {"steps": [{"do": "decline", "code": "issuer_declined"}]}
    stage.put(script=script)
    assert stage.refund().status == 402

    stage.put(script=script)
    assert stage.refund().status == 201
    stage.script({"do": "decline", "code": "issuer_declined"})
    assert stage.refund().status == 402


def test_the_default_script_holds_for_payments_without_their_own(stage: Stage) -> None:
    own = Stage(stage.sandbox, f"{stage.transaction_id}_own")
    own.put(script={"steps": []})
    stage.sandbox.default_script({"do": "unavailable", "times": None})

    assert stage.refund().status == 503
    assert own.refund().status == 201
    stage.sandbox.default_script()
    assert stage.refund().status == 201


@pytest.mark.parametrize(("step", "paid_minor"), [("reset_before", 0), ("reset_after", 100)])
def test_a_reset_closes_the_connection_before_or_after_the_money_moved(
    stage: Stage, step: str, paid_minor: int
) -> None:
    stage.script({"do": step})

    with pytest.raises(ConnectionError):
        stage.refund()

    assert stage.paid_minor() == paid_minor


@pytest.mark.parametrize(("step", "paid_minor"), [("hang_before", 0), ("hang_after", 100)])
def test_a_hang_gives_no_answer_and_then_closes(stage: Stage, step: str, paid_minor: int) -> None:
    stage.script({"do": step, "seconds": 0.05})

    with pytest.raises(ConnectionError):
        stage.refund()

    assert stage.paid_minor() == paid_minor


@pytest.mark.parametrize(("step", "paid_minor"), [("hang_before", 0), ("hang_after", 100)])
def test_a_client_can_lose_patience_with_a_hang(stage: Stage, step: str, paid_minor: int) -> None:
    stage.script({"do": step, "seconds": 600})

    with pytest.raises(TimeoutError):
        stage.refund(timeout_seconds=0.1)

    assert stage.paid_minor() == paid_minor


@pytest.mark.parametrize(
    ("step", "status", "code", "paid_minor"),
    [
        ({"do": "error_before"}, 500, "internal", 0),
        ({"do": "error_after"}, 500, "internal", 100),
        ({"do": "error_after", "status": 502}, 502, "internal", 100),
        ({"do": "unavailable"}, 503, "unavailable", 0),
        ({"do": "unauthorized"}, 401, "unauthorized", 0),
        ({"do": "decline", "code": "a_code_nobody_mapped"}, 402, "a_code_nobody_mapped", 0),
    ],
)
def test_an_error_is_told_and_the_money_moved_or_not(
    stage: Stage, step: dict[str, object], status: int, code: str, paid_minor: int
) -> None:
    stage.script(step)

    answer = stage.refund()

    assert (answer.status, answer.body["error"]["code"]) == (status, code)
    assert stage.paid_minor() == paid_minor


def test_a_rate_limit_says_when_to_come_back(stage: Stage) -> None:
    stage.script({"do": "rate_limit", "retry_after": 7})

    answer = stage.refund()

    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


def test_a_late_commit_is_absent_until_its_time_and_then_there(stage: Stage) -> None:
    stage.script({"do": "late_commit", "seconds": 120})
    with pytest.raises(ConnectionError):
        stage.refund()

    assert stage.look_up()["refunds"] == []
    stage.sandbox.set_clock(offset_seconds=121)

    assert stage.statuses() == [("succeeded", None)]
    assert stage.paid_minor() == 100


def test_a_late_commit_never_happens_when_not_enough_is_left_by_then(stage: Stage) -> None:
    stage.script({"do": "late_commit", "seconds": 120})
    with pytest.raises(ConnectionError):
        stage.refund(600)
    assert stage.refund(600, number=2).status == 201

    stage.sandbox.set_clock(offset_seconds=121)

    assert stage.paid_minor() == 0
    assert stage.look_up()["payment"]["refunded_minor"] == 600


def test_a_late_commit_happens_in_the_file_though_no_request_comes(stage: Stage) -> None:
    stage.script({"do": "late_commit", "seconds": 0.05})
    with pytest.raises(ConnectionError):
        stage.refund()

    eventually(lambda: stage.paid_minor() == 100)


def test_a_slow_answer_is_a_right_one(stage: Stage) -> None:
    stage.script({"do": "slow", "seconds": 0.05})

    answer = stage.refund()

    assert (answer.status, answer.body["status"]) == (201, "succeeded")


@pytest.mark.parametrize(
    ("succeeds", "final", "paid_minor"),
    [(True, ("succeeded", None), 100), (False, ("failed", "issuer_declined"), 0)],
)
def test_an_asynchronous_refund_is_pending_and_then_final(
    stage: Stage, *, succeeds: bool, final: tuple[str, str | None], paid_minor: int
) -> None:
    stage.script({"do": "async", "final_after_seconds": 60, "succeeds": succeeds})

    assert stage.refund().body["status"] == "pending"
    assert stage.statuses() == [("pending", None)]
    assert stage.paid_minor() == 100
    stage.sandbox.set_clock(offset_seconds=61)

    assert stage.statuses() == [final]
    assert stage.paid_minor() == paid_minor


def test_a_late_failure_gives_the_money_back_to_the_balance(stage: Stage) -> None:
    stage.script({"do": "late_failure", "after_seconds": 60, "code": "account_closed"})
    assert stage.refund(1000).body["status"] == "succeeded"

    stage.sandbox.set_clock(offset_seconds=61)

    assert stage.statuses() == [("failed", "account_closed")]
    assert stage.look_up()["payment"]["refundable_minor"] == 1000
    assert stage.paid_minor() == 0


def test_a_void_that_fails_late_leaves_the_payment_authorized(stage: Stage) -> None:
    stage.put(captured_minor=0, authorized_minor=500)
    stage.script({"do": "late_failure", "after_seconds": 60})
    stage.refund(500, verb="void")

    stage.sandbox.set_clock(offset_seconds=61)

    assert stage.look_up()["payment"]["voided"] is False
    assert stage.refund(500, verb="void", number=2).status == 201


def test_a_wrong_amount_is_answered_but_not_paid(stage: Stage) -> None:
    stage.script({"do": "wrong_amount"})

    assert stage.refund(100).body["amount_minor"] == 101
    assert stage.look_up()["refunds"][0]["amount_minor"] == 100


def test_garbage_is_no_json_and_the_money_moved(stage: Stage) -> None:
    stage.script({"do": "garbage"})

    with pytest.raises(json.JSONDecodeError):
        stage.refund()

    assert stage.paid_minor() == 100


def test_half_an_answer_is_cut_in_its_body_and_the_money_moved(stage: Stage) -> None:
    stage.script({"do": "half_answer"})

    with pytest.raises(IncompleteRead) as cut:
        stage.refund()

    assert cut.value.partial.startswith(b'{"id": "sre_')
    assert stage.paid_minor() == 100


def test_a_step_that_meets_the_balance_s_refusal_moves_nothing(stage: Stage) -> None:
    stage.script({"do": "async", "final_after_seconds": 60}, {"do": "wrong_amount"}, {"do": "error_after"})

    statuses = [stage.refund(1001).status for _ in range(3)]

    assert statuses == [402, 402, 500]
    assert stage.look_up()["refunds"] == []


def test_the_ledger_notes_every_request_with_the_step_that_was_applied(stage: Stage) -> None:
    stage.script({"do": "reset_after"}, {"do": "unavailable"})
    with pytest.raises(ConnectionError):
        stage.refund(key="k")
    stage.refund(key="k2")
    path = f"/v1/payments/{stage.transaction_id}/refunds?reference={stage.reference()}"
    stage.sandbox.call("GET", path)

    seen = judge.requests_for(stage.sandbox.ledger, stage.reference())

    assert [(each.method, each.step, each.moved, each.status) for each in seen] == [
        ("POST", "reset_after", True, None),
        ("POST", "unavailable", False, 503),
        ("GET", None, False, 200),
    ]


@pytest.mark.parametrize(
    ("script", "field"),
    [
        ({"steps": [{"do": "explode"}]}, "/steps/0/do"),
        ({"steps": [{"do": "ok"}, {}]}, "/steps/1/do"),
        ({"steps": [{"do": "decline"}]}, "/steps/0/code"),
        ({"steps": [{"do": "ok", "seconds": 3}]}, "/steps/0/seconds"),
        ({"steps": [{"do": "ok", "times": 0}]}, "/steps/0/times"),
        ({"steps": [{"do": "ok", "times": 1, "days": 1}]}, "/steps/0"),
        ({"steps": [{"do": "hang_before", "seconds": "3"}]}, "/steps/0/seconds"),
        ({"step": []}, "/steps"),
    ],
)
def test_an_unknown_script_is_refused_by_the_field_s_name(
    stage: Stage, script: dict[str, object], field: str
) -> None:
    path = f"/sandbox/payments/{stage.transaction_id}/script"

    answer = stage.sandbox.call("PUT", path, script)

    assert answer.status == 400
    assert answer.body["error"]["message"].startswith(f"{field}: ")
    assert stage.refund().status == 201
