"""The end of a replay is judged by our own sums and by the gateway's ledger."""

from cli.replaying import paid
from refunds.flow.days import problems_at_the_end
from tests.cli.lived import Lived

STILL_QUEUED = "1 refunds in GBP are still queued"


def test_nothing_is_wrong_but_what_still_waits(lived: Lived) -> None:
    with lived.stage.opened() as house:
        assert problems_at_the_end(house.parts, paid_minor={"GBP": 2550, "EUR": 0}, doubled=()) == [
            STILL_QUEUED
        ]


def test_a_ledger_that_says_otherwise_and_what_it_doubled_are_told(lived: Lived) -> None:
    with lived.stage.opened() as house:
        problems = problems_at_the_end(house.parts, paid_minor={"GBP": 2549}, doubled=["re_1"])
    assert problems == [
        "re_1 was paid twice",
        "the gateway paid {'GBP': 2549}, moneyback says {'GBP': 2550} (minor units)",
        STILL_QUEUED,
    ]


def test_only_refunds_that_moved_money_count_as_paid() -> None:
    rows = [
        {"kind": kind, "status": status, "currency": "GBP", "amount_minor": amount}
        for kind, status, amount in (
            ("refund", "succeeded", 1),
            ("refund", "succeeded", 2),
            ("refund", "failed", 4),
            ("void", "succeeded", 8),
        )
    ]
    assert paid({"refunds": rows}) == {"GBP": 3}
