"""A database that is older than the gateway's answers pays nobody again, told or untold."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from refunds.domain.outcome import Finding, LookUpAnswer
from refunds.domain.status import Status
from refunds.flow.attempt import LATE
from refunds.flow.heartbeat import Heartbeat
from refunds.flow.restore import check_high_water, keep_high_water, last_restore, note_restored
from tests.flow.elsewhere import pay_elsewhere
from tests.flow.spoken import PAID, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House

NO_KEYS = {"keys": False}


@pytest.mark.parametrize(("grade", "options"), [("A", {}), ("B", NO_KEYS)])
def test_what_was_paid_after_the_backup_is_recognised(
    open_house: HouseMaker, database_url: str, grade: str, options: dict[str, bool]
) -> None:
    house = open_house(database_url, grade=grade)
    paid = [house.refund(house.payment("20.00", options=options), "5.00") for _ in range(3)]
    unpaid = house.refund(house.payment("20.00", options=options), "5.00")
    for refund_id in paid:
        pay_elsewhere(house, refund_id, key=f"{refund_id}-1")  # as the database forgot it did
    assert note_restored(house.parts, by="op@desk", why="disk broke") == 4

    with house.working():
        for refund_id in (*paid, unpaid):
            house.until(refund_id, Status.REFUNDED)

    assert house.doubled() == []
    assert [len(house.sent(refund_id)) for refund_id in (*paid, unpaid)] == [1, 1, 1, 1]
    assert house.asked_of_gateway(unpaid)[0].method == "GET"


def test_a_first_attempt_that_comes_late_is_looked_up_and_finds_out_that_a_backup_was_restored(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, grade="B")
    paid = house.refund(house.payment("20.00", options=NO_KEYS), "5.00")
    other = house.refund(house.payment("20.00", options=NO_KEYS), "5.00")
    pay_elsewhere(house, paid, key=f"{paid}-forgotten")
    house.pass_time(LATE + timedelta(seconds=1))

    with house.working():
        house.until(paid, Status.REFUNDED)
        house.until(other, Status.REFUNDED)
        later = house.refund(house.payment("20.00", options=NO_KEYS), "5.00")
        house.until(later, Status.REFUNDED)

    assert house.doubled() == []
    restored = last_restore(house.parts)
    assert restored is not None
    assert "had not begun" in restored.why
    assert house.asked_of_gateway(later)[0].method == "GET", "new ones are looked up first from then on"


def test_a_first_attempt_in_time_asks_nothing_first(house: House) -> None:
    refund_id = house.refund(house.payment(), "5.00")
    house.pass_time(LATE - timedelta(seconds=30))
    with house.working():
        house.until(refund_id, Status.REFUNDED)

    assert [seen.method for seen in house.asked_of_gateway(refund_id)] == ["POST"]


def test_a_request_handed_over_again_whose_refund_was_forgotten_is_for_a_person(
    open_house: HouseMaker, database_url: str
) -> None:
    """Its refund has a new id: only the gateway's sum shows that somebody paid before."""
    house = open_house(database_url)
    payment = house.payment("20.00")
    forgotten = house.refund(payment, "5.00", key="order-1")
    pay_elsewhere(house, forgotten, key=f"{forgotten}-forgotten")
    with house.parts.database.begin() as tx:  # the backup was made before it was taken in
        for statement in (
            "UPDATE payments SET reserved_minor = 0",
            "DELETE FROM intake_log",
            "UPDATE refunds SET status = 'cancelled', due_at = NULL",
        ):
            tx.execute(text(statement))
    note_restored(house.parts, by="op@desk", why="disk broke")
    again = house.refund(payment, "5.00", key="order-1")

    with house.working():
        house.until(again, Status.NEEDS_REVIEW)

    assert [seen.method for seen in house.sent(again)] == []
    assert house.notices(again) == [("needs_review", "oncall@shop.test")]
    assert house.paid_minor(forgotten) == 500


@pytest.mark.parametrize("grade", ["C", "D"])
def test_a_gateway_that_cannot_be_asked_sends_its_refunds_to_a_person(
    open_house: HouseMaker, database_url: str, grade: str
) -> None:
    house = open_house(database_url, grade=grade)
    refund_id = house.refund(house.payment("20.00", options={"look_up": False}), "5.00")
    note_restored(house.parts, by="op@desk", why="disk broke")

    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)

    assert house.asked_of_gateway(refund_id) == []
    assert house.notices(refund_id) == [("outcome_unknown", "oncall@shop.test")]
    assert house.balance(house.get(refund_id).transaction_id).reserved_minor == 500
    assert (house.lane().failures, house.lane().closed_until) == (0, None)


def test_a_worker_of_the_lost_time_holds_no_fence_that_counts(either_house: House) -> None:
    house = either_house
    refund_id = house.refund(house.payment(), "5.00")

    note_restored(house.parts, by="op@desk", why="disk broke")

    with house.parts.database.read() as tx:
        fence = tx.execute(text("SELECT fence FROM refunds WHERE id = :id"), {"id": refund_id}).scalar_one()
    assert fence >= 1_000_000


def test_the_mark_outside_the_database_tells_that_an_older_one_took_its_place(
    open_house: HouseMaker, sqlite_url: str, tmp_path: Path
) -> None:
    house = open_house(sqlite_url, high_water=tmp_path / "data" / "high-water.json")
    refund_id = house.refund(house.payment(), "5.00")
    check_high_water(house.parts)
    keep_high_water(house.parts)
    assert last_restore(house.parts) is None
    with house.parts.database.begin() as tx:
        tx.execute(text("DROP TRIGGER history_no_delete"))
        rows = "SELECT refund_id, at, actor, new, why FROM history"
        tx.execute(text(f"INSERT INTO history (refund_id, at, actor, new, why) {rows}"))
    keep_high_water(house.parts)
    with house.parts.database.begin() as tx:  # as it was when the backup was made
        tx.execute(text("DELETE FROM history WHERE id > 1"))

    Heartbeat(house.parts, role="worker").close()

    restored = last_restore(house.parts)
    assert restored is not None
    assert "line 1 of its history" in restored.why
    with house.parts.database.read() as tx:
        marked = "SELECT look_first FROM refunds WHERE id = :id"
        assert tx.execute(text(marked), {"id": refund_id}).scalar_one()
    check_high_water(house.parts)
    assert last_restore(house.parts) == restored, "it is found out once"


def test_another_database_or_an_unreadable_mark_is_no_restored_backup(
    open_house: HouseMaker, sqlite_url: str, tmp_path: Path
) -> None:
    mark = tmp_path / "high-water.json"
    house = open_house(sqlite_url, high_water=mark)
    house.refund(house.payment(), "5.00")
    for content in ("", "[]", '{"database": "rf_other", "history": 99}', '{"history": "x"}'):
        mark.write_text(content)
        check_high_water(house.parts)

    assert last_restore(house.parts) is None


def test_an_open_dispute_stops_a_first_attempt_where_the_gateway_would_not_refuse_it(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    disputed = LookUpAnswer(Finding.ABSENT, disputed=True)
    spoken = SpokenGateway([PAID], [disputed], looks_first=True)
    house = open_house(sqlite_url, gateway=spoken)
    refund_id = house.refund(house.payment(), "5.00")

    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)

    assert spoken.paid == []
    assert house.notices(refund_id) == [("needs_review", "oncall@shop.test")]
