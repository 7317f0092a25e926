"""The sandbox's answers in our words: what proves nothing is unknown, what is not ours is not believed."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from refunds.domain.abilities import Grade
from refunds.domain.outcome import Answer, Finding, Outcome, Reason
from refunds.gateways.registry import open_gateway
from refunds.sandbox import judge
from tests.gateways.raw_server import Visit, raw_server
from tests.gateways.saying import OURS, call, error, gateway_at, said
from tests.sandbox_process import SandboxProcess


def paid(status: int, body: Any, **how: Any) -> Answer:
    told: Answer = said(status, body, **how)
    return told


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("succeeded", Outcome.REFUNDED), ("pending", Outcome.ACCEPTED), ("failed", Outcome.DECLINED)],
)
def test_an_answer_about_our_refund_is_believed(status: str, outcome: Outcome) -> None:
    answer = paid(201, {**OURS, "status": status}, more="Request-Id: req_7\r\n")

    assert (answer.outcome, answer.reference, answer.request_id) == (outcome, "sre_1", "req_7")


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 501},
        {"amount_minor": "500"},
        {"currency": "EUR"},
        {"reference": "rf_2"},
        {"transaction_id": "tx_2"},
        {"status": "new"},
        {"status": None},
        {"id": None},
        {"id": ""},
        {"id": 7},
    ],
    ids=repr,
)
def test_an_answer_that_is_not_about_our_refund_is_unknown(change: dict[str, Any]) -> None:
    assert paid(201, {**OURS, **change}).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, []),
        (200, "text"),
        (200, None),
        (204, {}),
        (302, OURS),
        (400, error("invalid_request")),
        (402, error("a_new_code")),
        (402, {"error": "flat"}),
        (402, []),
        (404, error("no_such_route")),
        (409, error("key_in_use")),
        (418, OURS),
        (422, error("key_reused")),
        (500, error("issuer_declined")),
        (502, "bad gateway"),
        (504, error("disputed")),
    ],
    ids=repr,
)
def test_what_proves_nothing_is_unknown(status: int, body: Any) -> None:
    assert paid(status, body).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (402, "issuer_declined", Reason.PASSING),
        (402, "duplicate_suspected", Reason.PASSING),
        (402, "card_closed", Reason.PERMANENT),
        (404, "payment_unknown", Reason.PERMANENT),
        (402, "disputed", Reason.DISPUTED),
        (409, "already_voided", Reason.REFUNDED_ELSEWHERE),
        (402, "amount_too_large", Reason.REFUNDED_ELSEWHERE),
    ],
)
def test_a_sure_refusal_is_declined_with_its_class(status: int, code: str, reason: Reason) -> None:
    answer = paid(status, error(code))

    assert (answer.outcome, answer.code, answer.text, answer.reason) == (
        Outcome.DECLINED,
        code,
        "told",
        reason,
    )


@pytest.mark.parametrize("status", [401, 403, 429])
@pytest.mark.parametrize("grade", list(Grade))
def test_being_turned_away_at_the_door_is_unavailable(status: int, grade: str) -> None:
    assert paid(status, error("x"), grade=grade).outcome is Outcome.UNAVAILABLE


@pytest.mark.parametrize("grade", list(Grade))
def test_a_503_is_believed_only_in_the_platform_s_own_words(grade: str) -> None:
    """Whatever stands in front of it may answer 503 after the money moved."""
    assert paid(503, error("unavailable"), grade=grade).outcome is Outcome.UNAVAILABLE
    for body in (error("internal"), {}, "Service Unavailable"):
        assert paid(503, body, grade=grade).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("wish", "seconds"), [("7", 7.0), ("0", 0.0), ("soon", None), ("-5", None), ("٣", None), ("", None)]
)
def test_the_gateway_s_wish_to_wait_is_read_where_it_is_a_number(wish: str, seconds: float | None) -> None:
    answer = paid(429, error("rate_limited"), more=f"Retry-After: {wish}\r\n")

    assert answer.retry_after_seconds == seconds


@pytest.mark.parametrize("grade", list(Grade))
def test_a_gateway_has_the_abilities_of_its_grade_and_sends_a_key_only_where_it_has_one(grade: str) -> None:
    heads: list[bytes] = []

    async def note(visit: Visit) -> None:
        heads.append(visit.head)
        await visit.answer(json.dumps(OURS).encode(), status=201)

    async def work() -> None:
        async with raw_server(note) as server:
            gateway = gateway_at(server.url(), grade)
            assert gateway.abilities.grade == grade
            assert (await gateway.pay(call())).outcome is Outcome.REFUNDED
            await gateway.close()

    asyncio.run(work())
    assert (b"idempotency-key: rf_1-1" in heads[0].lower()) == (grade in {"A", "C"})


def test_a_check_says_what_is_wrong_for_a_person() -> None:
    async def work(url: str) -> str | None:
        gateway = gateway_at(url)
        told = await gateway.check()
        await gateway.close()
        return told

    async def away() -> None:
        async def refuse(visit: Visit) -> None:
            await visit.answer(status=401)

        async with raw_server(refuse) as server:
            url = server.url()
            assert await work(url) == "answered 401"
        assert "not_reached" in (await work(url) or "")

    asyncio.run(away())


@pytest.fixture
def names() -> list[str]:
    return ["a/b", "a?b=c", "a#b", "a%2Fb", "a b", "ä€", "a;b", "a&b", "...", "a/../b", "x" * 200]


def test_whatever_a_transaction_is_called_its_refund_reaches_that_very_payment(
    bank: SandboxProcess, names: list[str]
) -> None:
    bank.put_payments([{"transaction_id": name, "currency": "GBP", "captured_minor": 1000} for name in names])

    async def work() -> None:
        gateway = gateway_at(bank.url)
        for number, name in enumerate(names):
            asked = call(transaction_id=name, reference=f"rf_named_{number}", key=f"rf_named_{number}-1")
            answer = await gateway.pay(asked)
            assert answer.outcome is Outcome.REFUNDED, (name, answer)
            look = await gateway.look_up(asked)
            assert look.finding is Finding.REFUNDED, (name, look)
        await gateway.close()

    asyncio.run(work())
    assert {judge.paid(bank.ledger)[f"rf_named_{number}"][0] for number in range(len(names))} == {500}


def test_a_gateway_that_nobody_speaks_is_refused() -> None:
    with pytest.raises(ValueError, match="no gateway of kind 'stripe'"):
        open_gateway(
            kind="stripe",
            base_url="http://127.0.0.1",
            api_key="x",
            grade="A",
            key_life=timedelta(hours=1),
            settling=timedelta(seconds=1),
            call_limit_seconds=1,
            max_in_flight=1,
        )
