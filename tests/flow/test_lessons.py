"""What went wrong in other people's refunds, each as a test of ours."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Status
from tests.flow.spoken import ABSENT, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually

UNCLEAR = LookUpAnswer(Finding.UNCLEAR, "timeout")
UNKNOWN = Answer(Outcome.UNKNOWN, "timeout")


def test_a_retry_after_a_lost_answer_keeps_row_and_key(either_house: House) -> None:
    house = either_house
    refund_id = house.refund(house.payment("20.00", {"do": "reset_before", "times": 2}), "5.00")

    with house.working():
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert {seen.key for seen in house.sent(refund_id)} == {f"{refund_id}-1"}
    assert house.count("refunds") == 1
    assert [row["key"] for row in house.attempts(refund_id)] == [f"{refund_id}-1"] * 3


def test_no_transaction_is_open_during_a_call(open_house: HouseMaker, database_url: str) -> None:
    open_ones: list[Any] = []

    def look() -> None:
        database = house.parts.database
        if database.sqlite:
            with database.begin():  # would wait for the other writer, and fail
                open_ones.append(0)
        else:
            with database.read() as tx:
                sql = """SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'
                    AND datname = current_database() AND xact_start < clock_timestamp() - interval '50 ms'"""
                open_ones.append(tx.execute(text(sql)).scalar_one())

    declined = Answer(Outcome.DECLINED, "issuer_declined")
    spoken = SpokenGateway([declined, Answer(Outcome.REFUNDED, reference="sre_1")], held=True, during=look)
    house = open_house(database_url, gateway=spoken, max_in_flight=1)
    refund_id = house.refund(house.payment(), "5.00")

    with house.working():
        eventually(lambda: bool(open_ones))
        look()
        spoken.let_go()
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert len(open_ones) >= 4
    assert set(open_ones) == {0}


def test_amounts_move_only_on_an_outcome(open_house: HouseMaker, database_url: str) -> None:
    steps = [
        Answer(Outcome.UNAVAILABLE, "not_reached", sent=False),
        Answer(Outcome.DECLINED, "issuer_declined"),
        Answer(Outcome.UNKNOWN, "timeout"),
        Answer(Outcome.ACCEPTED, reference="sre_1"),
    ]
    findings = [*[ABSENT] * 4, ABSENT, LookUpAnswer(Finding.ACCEPTED, reference="sre_1")]
    spoken = SpokenGateway(steps, [*findings, LookUpAnswer(Finding.REFUNDED, reference="sre_1")])
    house = open_house(database_url, gateway=spoken)
    payment = house.payment("20.00")
    refund_id = house.refund(payment, "5.00")
    seen: set[tuple[Status, int, int]] = set()

    def refunded() -> bool:
        before, balance = house.get(refund_id).status, house.balance(payment)
        if before is not Status.REFUNDED and house.get(refund_id).status is before:
            seen.add((before, balance.reserved_minor, balance.refunded_minor))
        house.jump_to_due()
        return before is Status.REFUNDED

    with house.working():
        eventually(refunded)

    assert {(reserved, refunded) for _, reserved, refunded in seen} == {(500, 0)}
    balance = house.balance(payment)
    assert (balance.reserved_minor, balance.refunded_minor) == (0, 500)


def test_time_alone_never_turns_in_doubt_into_failed(open_house: HouseMaker, sqlite_url: str) -> None:
    house = open_house(sqlite_url, gateway=SpokenGateway([UNKNOWN], [UNCLEAR]))
    payment = house.payment("20.00")
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
        began = house.now
        house.until(refund_id, Status.NEEDS_REVIEW, Status.FAILED, Status.QUEUED, hurry=True)

    assert house.story(refund_id) == ["requested", "attempting", "in_doubt", "needs_review"]
    assert house.now - began >= timedelta(days=7)
    assert house.get(refund_id).attempts_counted == 0
    assert house.notices(refund_id) == [("outcome_unknown", "oncall@shop.test")]
    assert house.balance(payment).reserved_minor == 500
    assert house.slot(payment) == refund_id


def test_in_doubt_proven_absent_returns_to_the_daily_run(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "reset_before"}), "5.00")

    with house.working():
        refund = house.until(refund_id, Status.QUEUED, hurry=True)

    assert refund.attempts_counted == 1
    assert refund.due_at is not None
    assert (refund.due_at.hour, refund.due_at - house.now > timedelta(hours=12)) == (9, True)
    first, second = house.look_ups(refund_id)
    assert second["at"] - first["at"] >= timedelta(seconds=0.2)
    sending_at = house.attempts(refund_id)[0]["sending_at"]
    assert first["at"] - sending_at >= timedelta(seconds=1)


def test_the_last_attempt_proven_absent_has_failed(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "reset_before", "times": None}), "5.00")

    with house.working():
        house.until(refund_id, Status.FAILED, Status.NEEDS_REVIEW, hurry=True)

    assert house.get(refund_id).status is Status.FAILED
    assert [row["counted_number"] for row in house.attempts(refund_id)] == [1, 2, 3, 4]
    assert house.notices(refund_id) == [("failed", "oncall@shop.test")]


@pytest.mark.parametrize("duplicate_filter_seconds", [0, 600])
def test_equal_refunds_are_spaced_and_told_apart(house: House, duplicate_filter_seconds: float) -> None:
    options = {"duplicate_filter_seconds": duplicate_filter_seconds}
    payment = house.payment("20.00", options=options)
    ids = [house.refund(payment, "5.00") for _ in range(3)]

    with house.working():
        for refund_id in ids:
            house.until(refund_id, Status.REFUNDED, hurry=True)

    assert [house.paid_minor(refund_id) for refund_id in ids] == [500, 500, 500]
    assert len({house.get(refund_id).gateway_reference for refund_id in ids}) == 3
    assert house.balance(payment).refunded_minor == 1500
    assert house.doubled() == []


def test_two_equal_refunds_are_never_in_flight_together(open_house: HouseMaker, sqlite_url: str) -> None:
    spoken = SpokenGateway(held=True)
    house = open_house(sqlite_url, gateway=spoken)
    payment = house.payment("20.00")
    ids = [house.refund(payment, "5.00") for _ in range(3)]
    other = house.refund(house.payment("20.00"), "5.00")

    with house.working():
        eventually(lambda: spoken.in_flight == 2)
        spoken.let_go()
        for refund_id in (*ids, other):
            house.until(refund_id, Status.REFUNDED)

    assert spoken.most_in_flight == 2


def test_an_equal_refund_whose_answer_was_lost_is_not_taken_for_its_sibling(house: House) -> None:
    payment = house.payment("20.00", {"do": "ok"}, {"do": "reset_before"})
    paid, lost = house.refund(payment, "5.00"), house.refund(payment, "5.00")

    with house.working():
        house.until(paid, Status.REFUNDED)
        house.until(lost, Status.QUEUED, hurry=True)
        assert house.paid_minor(lost) == 0
        house.until(lost, Status.REFUNDED, hurry=True)

    assert (house.paid_minor(paid), house.paid_minor(lost)) == (500, 500)


def test_a_dispute_opened_between_tries_stops_the_next_try(house: House) -> None:
    payment = house.payment("20.00", {"do": "decline", "code": "issuer_declined"})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.QUEUED)
        house.bank.call("PUT", f"/sandbox/payments/{payment}/dispute", {"disputed": True})
        house.until(refund_id, Status.NEEDS_REVIEW, Status.REFUNDED, hurry=True)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert len(house.sent(refund_id)) == 1
    assert house.notices(refund_id) == [("needs_review", "oncall@shop.test")]


def test_a_refund_in_the_portal_that_leaves_too_little_goes_to_a_person(house: House) -> None:
    payment = house.payment("20.00", {"do": "decline", "code": "issuer_declined"})
    refund_id = house.refund(payment, "15.00")
    with house.working():
        house.until(refund_id, Status.QUEUED)
        house.bank.call("POST", f"/sandbox/payments/{payment}/portal-refund", {"amount_minor": 1500})
        house.until(refund_id, Status.NEEDS_REVIEW, Status.REFUNDED, hurry=True)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert house.paid_minor(refund_id) == 0


@pytest.mark.parametrize(
    ("call", "answered"),
    [("pay", Answer(Outcome.REFUNDED)), ("look_up", LookUpAnswer(Finding.REFUNDED))],
)
def test_online_never_ends_refunded_without_a_gateway_reference(
    open_house: HouseMaker, sqlite_url: str, call: str, answered: Any
) -> None:
    spoken = SpokenGateway([answered], [UNCLEAR]) if call == "pay" else SpokenGateway([UNKNOWN], [answered])
    house = open_house(sqlite_url, gateway=spoken)
    refund_id = house.refund(house.payment(), "5.00")

    with house.working():
        house.until(refund_id, Status.REFUNDED, Status.NEEDS_REVIEW, hurry=True)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW


def test_words_of_a_gateway_that_no_column_holds_stop_no_refund(
    open_house: HouseMaker, database_url: str
) -> None:
    wild = Answer(
        Outcome.REFUNDED,
        "c\x00de" * 100,
        "text\ud800\n" * 1000,
        reference="r\x00ef" * 200,
        request_id="q\x00" * 500,
        http_status=200,
        duration_ms=5,
    )
    house = open_house(database_url, gateway=SpokenGateway([wild]))
    refund_id = house.refund(house.payment(), "5.00")

    with house.working():
        refund = house.until(refund_id, Status.REFUNDED, Status.NEEDS_REVIEW, Status.IN_DOUBT)

    assert refund.status is Status.REFUNDED


def test_a_gateway_adapter_that_breaks_leaves_the_refund_in_doubt(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    def explode() -> None:
        raise RuntimeError("a defect of the adapter")

    house = open_house(sqlite_url, gateway=SpokenGateway(during=explode))
    refund_id = house.refund(house.payment(), "5.00")

    with house.working():
        house.until(refund_id, Status.IN_DOUBT)

    [attempt] = house.attempts(refund_id)
    assert (attempt["outcome"], attempt["code"]) == ("unknown", "adapter_error")
