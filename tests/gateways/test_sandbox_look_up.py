"""A look-up finds our refund and no other, or says that it has no clear word."""

from typing import Any

import pytest

from refunds.domain.outcome import Finding, LookUpAnswer, Reason
from tests.gateways.saying import OURS, error, said


def found(status: int, body: Any) -> LookUpAnswer:
    told: LookUpAnswer = said(status, body, look=True)
    return told


def looked(*refunds: dict[str, Any], **payment: Any) -> LookUpAnswer:
    return found(200, {"payment": {"refundable_minor": 100, **payment}, "refunds": list(refunds)})


def test_a_look_up_finds_our_refund_among_others() -> None:
    stranger = {**OURS, "reference": "rf_2", "id": "sre_9"}

    assert looked(stranger).finding is Finding.ABSENT
    told = looked(stranger, OURS)
    assert (told.finding, told.reference, told.refundable_minor) == (Finding.REFUNDED, "sre_1", 100)


def test_a_refund_of_any_generation_counts_as_paid_and_a_refusal_only_of_this_one() -> None:
    earlier = {**OURS, "key": "rf_1-0"}

    assert looked(earlier).finding is Finding.REFUNDED
    assert looked({**earlier, "status": "failed"}).finding is Finding.ABSENT
    refused = looked({**OURS, "status": "failed", "code": "card_closed"})
    assert (refused.finding, refused.code, refused.reason) == (
        Finding.DECLINED,
        "card_closed",
        Reason.PERMANENT,
    )
    assert looked({**OURS, "status": "failed"}, earlier).finding is Finding.REFUNDED
    assert looked({**OURS, "status": "pending"}).finding is Finding.ACCEPTED


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {}),
        (200, {"payment": {}, "refunds": None}),
        (200, {"payment": [], "refunds": []}),
        (200, []),
        (404, error("no_such_route")),
        (404, {}),
        (429, error("rate_limited")),
        (500, {"payment": {}, "refunds": []}),
        (200, {"payment": {}, "refunds": [{**OURS, "amount_minor": 499}]}),
        (200, {"payment": {}, "refunds": [{**OURS, "id": None}]}),
    ],
    ids=repr,
)
def test_a_look_up_without_a_clear_word_is_unclear(status: int, body: Any) -> None:
    assert found(status, body).finding is Finding.UNCLEAR


def test_a_payment_that_the_gateway_does_not_know_holds_no_refund_of_ours() -> None:
    assert found(404, error("payment_unknown")).finding is Finding.ABSENT
