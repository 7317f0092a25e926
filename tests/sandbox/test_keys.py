from concurrent.futures import ThreadPoolExecutor

import pytest

from refunds.sandbox import judge
from tests.sandbox.stage import Stage, eventually
from tests.sandbox_process import HttpAnswer

DAY = 86_400


def code(answer: HttpAnswer) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


def test_the_same_key_replays_the_first_answer_and_moves_nothing(stage: Stage) -> None:
    first = stage.refund(key="k")

    again = stage.refund(key="k")

    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Idempotent-Replayed"] is None
    assert stage.paid_minor() == 100


def test_a_decline_is_replayed_even_after_its_cause_is_gone(stage: Stage) -> None:
    stage.script({"do": "decline", "code": "insufficient_funds"})
    assert code(stage.refund(key="k")) == (402, "insufficient_funds")

    assert code(stage.refund(key="k")) == (402, "insufficient_funds")
    assert stage.refund(key="k2").status == 201


@pytest.mark.parametrize("step", ["rate_limit", "unavailable", "unauthorized", "error_before"])
def test_a_request_turned_away_leaves_its_key_free(stage: Stage, step: str) -> None:
    stage.script({"do": step})
    assert stage.refund(key="k").status in {401, 429, 500, 503}

    assert stage.refund(key="k").status == 201


def test_a_server_error_after_the_money_moved_is_replayed(stage: Stage) -> None:
    stage.script({"do": "error_after"})
    assert code(stage.refund(key="k")) == (500, "internal")

    assert code(stage.refund(key="k")) == (500, "internal")
    assert stage.paid_minor() == 100


def test_a_key_with_other_parameters_is_refused(stage: Stage) -> None:
    stage.refund(100, key="k")

    assert code(stage.refund(101, key="k")) == (422, "key_reused")
    assert code(stage.refund(100, key="k", number=2)) == (422, "key_reused")
    assert stage.paid_minor() == 100


def test_a_forgotten_key_pays_again(stage: Stage) -> None:
    stage.refund(key="k")

    stage.sandbox.set_clock(offset_seconds=DAY - 60)
    stage.refund(key="k")
    assert stage.paid_minor() == 100

    stage.sandbox.set_clock(offset_seconds=DAY + 60)
    stage.refund(key="k")
    assert stage.paid_minor() == 200


def test_the_life_of_keys_is_the_payment_s(stage: Stage) -> None:
    stage.put(options={"key_life_seconds": 60})
    stage.refund(key="k")

    stage.sandbox.set_clock(offset_seconds=61)
    stage.refund(key="k")

    assert stage.paid_minor() == 200


def test_a_payment_that_ignores_keys_pays_each_time(stage: Stage) -> None:
    stage.put(options={"keys": False})

    stage.refund(key="k")
    stage.refund(key="k")

    assert stage.paid_minor() == 200
    assert stage.reference() in judge.doubled(stage.sandbox.ledger)


def test_a_key_is_in_use_while_its_request_is_being_answered(stage: Stage) -> None:
    stage.script({"do": "slow", "seconds": 0.5})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stage.refund, key="k")
        eventually(lambda: stage.paid_minor() == 100)
        assert code(stage.refund(key="k")) == (409, "key_in_use")
        assert first.result().status == 201

    assert stage.refund(key="k").status == 201
    assert stage.paid_minor() == 100


def test_a_key_is_free_again_once_the_client_left_a_hanging_request(stage: Stage) -> None:
    stage.script({"do": "hang_before", "seconds": 600})
    with pytest.raises(TimeoutError):
        stage.refund(key="k", timeout_seconds=0.1)

    eventually(lambda: stage.refund(key="k").status == 201)

    assert stage.paid_minor() == 100


def test_a_key_is_in_use_until_its_late_commit_and_replays_it_then(stage: Stage) -> None:
    stage.script({"do": "late_commit", "seconds": 3600})
    with pytest.raises(ConnectionError):
        stage.refund(key="k")
    assert code(stage.refund(key="k")) == (409, "key_in_use")

    stage.sandbox.set_clock(offset_seconds=3601)

    assert stage.refund(key="k").headers["Idempotent-Replayed"] == "true"
    assert stage.paid_minor() == 100
