"""The fast clock: it moves on while a refund waits for its payment's one slot, which nothing due can free."""

from datetime import timedelta
from pathlib import Path

from refunds.domain.status import Status
from refunds.flow.days import let_days_pass
from refunds.notifier.folder import FolderChannel
from tests.house_fixture import HouseMaker
from tests.house_of import House


def _let_days_pass(house: House) -> None:
    def move(ahead: timedelta) -> None:
        house.bank.set_clock(offset_seconds=ahead.total_seconds())

    with house.working():
        let_days_pass(house.parts, move_gateway_clock=move, patience_seconds=4, at_most=60)


def test_a_part_that_waits_behind_a_doubt_does_not_stop_the_clock(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, grade="C")
    transaction_id = house.payment(
        "20.00", {"do": "late_commit", "seconds": 1800}, options={"look_up": False}
    )
    parts = [house.refund(transaction_id, "5.00"), house.refund(transaction_id, "7.00")]
    _let_days_pass(house)
    assert [house.get(part).status for part in parts] == [Status.REFUNDED, Status.REFUNDED]


def test_a_part_that_waits_behind_a_review_does_not_stop_the_clock(
    open_house: HouseMaker, database_url: str, tmp_path: Path
) -> None:
    house = open_house(database_url, grade="D", channel=FolderChannel(tmp_path))
    neither = {"keys": False, "look_up": False}
    transaction_id = house.payment("20.00", {"do": "reset_after"}, options=neither)
    parts = [house.refund(transaction_id, "5.00"), house.refund(transaction_id, "7.00")]
    _let_days_pass(house)
    statuses = {house.get(part).status for part in parts}
    assert statuses == {Status.NEEDS_REVIEW, Status.REQUESTED}
