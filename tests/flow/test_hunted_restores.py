"""What a second hunt found about restored backups and stale claims, and must never find again."""

from sqlalchemy import text

from refunds.domain.outcome import Finding, LookUpAnswer
from refunds.domain.status import Status
from refunds.flow.attempt import Looked
from refunds.flow.restore import found_restored, note_restored
from refunds.store import leases
from refunds.store.database import clocks
from tests.flow.elsewhere import pay_elsewhere
from tests.flow.hunting import HOPELESS, LOST, claim_due, claimer
from tests.flow.spoken import ABSENT, PAID, SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House


def test_a_doubt_in_a_restored_backup_is_paid_anew_at_grade_c(
    open_house: HouseMaker, database_url: str
) -> None:
    spoken = SpokenGateway([LOST], look_up=False)
    house = open_house(database_url, gateway=spoken)
    refund_id = house.refund(house.payment("10.00"), "8.00")
    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
    # Backup made here. Lost time: the same key is declined, and on the next day key 2 is paid.
    note_restored(house.parts, by="op", why="disk broke")
    spoken.say([HOPELESS, PAID], [])
    with house.working():
        house.until(refund_id, Status.REFUNDED, Status.NEEDS_REVIEW, hurry=True)

    assert f"{refund_id}-2" not in [call.key for call in spoken.paid], house.story(refund_id)


def test_claimed_before_a_restore_was_found_out_is_sent_unasked(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url)
    payment = house.payment("20.00")
    forgotten = house.refund(payment, "5.00", key="order-1")
    pay_elsewhere(house, forgotten, key=f"{forgotten}-1")
    with house.parts.database.begin() as tx:  # the backup was made before it was taken in
        for statement in (
            "UPDATE payments SET reserved_minor = 0",
            "DELETE FROM intake_log",
            "UPDATE refunds SET status = 'cancelled', due_at = NULL",
        ):
            tx.execute(text(statement))
    again = house.refund(payment, "5.00", key="order-1")
    [claim] = claim_due(house, lease=60)
    with house.parts.database.begin() as tx:  # another of the same batch finds out
        found_restored(house.parts, tx, why="the gateway had carried out a refund ...")

    marked = claimer(house).mark_sending([Looked(claim, None)], none=False)

    assert (claim.refund_id, set(marked)) == (again, set())


def test_a_second_restore_leaves_fences_of_the_lost_time(either_house: House) -> None:
    house = either_house
    refund_id = house.refund(house.payment(), "5.00")
    note_restored(house.parts, by="op@desk", why="disk broke")  # and a backup is made here
    with house.parts.database.read() as tx:
        sql = text("SELECT fence FROM refunds WHERE id = :id")
        before = tx.execute(sql, {"id": refund_id}).scalar_one()
    note_restored(house.parts, by="op@desk", why="and once more")

    with house.parts.database.read() as tx:
        assert tx.execute(sql, {"id": refund_id}).scalar_one() >= before + 1_000_000


def test_a_stale_claim_beside_the_current_one_is_sent_in_its_place(either_house: House) -> None:
    house = either_house
    house.refund(house.payment(), "5.00")
    [stale] = claim_due(house)
    with house.parts.database.begin() as tx:
        leases.hand_back(tx, [stale], worker="x", now=clocks(tx)[1])
    [current] = claim_due(house, lease=60)

    marked = claimer(house).mark_sending([Looked(current, ABSENT), Looked(stale, ABSENT)], none=False)

    assert marked[current.refund_id].fence == current.fence


def test_no_sum_told_after_a_restore_is_taken_for_no_money_gone(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    """A request handed over again: only the gateway's sum could tell, and this one tells none."""
    spoken = SpokenGateway([PAID], [LookUpAnswer(Finding.ABSENT, refunded_minor=None)])
    house = open_house(sqlite_url, gateway=spoken)
    payment = house.payment("10.00")
    note_restored(house.parts, by="op", why="disk broke")
    refund_id = house.refund(payment, "8.00", key="order-1")
    with house.working():
        house.until(refund_id, Status.REFUNDED, Status.NEEDS_REVIEW)

    assert (house.get(refund_id).status, spoken.paid) == (Status.NEEDS_REVIEW, [])


def test_what_was_taken_in_while_a_restore_was_noted_is_looked_up_first(
    open_house: HouseMaker, database_url: str
) -> None:
    """Its row was not there yet when the others were marked."""
    house = open_house(database_url)
    note_restored(house.parts, by="op", why="disk broke")
    refund_id = house.refund(house.payment("20.00"), "5.00")
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET look_first = false"))
    with house.working():
        house.until(refund_id, Status.REFUNDED)

    assert house.asked_of_gateway(refund_id)[0].method == "GET"
