"""What the gateway took back is owed from the next local date on, whatever people do meanwhile."""

from datetime import timedelta

from refunds.domain.status import Status
from refunds.domain.watch import WATCH_STEPS
from refunds.flow.operate import retry_now
from refunds.flow.unpaid import tell_long_unpaid
from refunds.store.refunds import Refund
from tests.house_of import House, eventually

DECLINE = {"do": "decline", "code": "issuer_declined"}
PAID_BACK = {"do": "late_failure", "after_seconds": 3600, "code": "issuer_declined"}


def test_a_try_now_of_what_was_taken_back_leaves_its_first_day_as_it_was(house: House) -> None:
    payment = house.payment("20.00", PAID_BACK, DECLINE)
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.REFUNDED)
        taken_back = _taken_back(house, refund_id)
        retry_now(house.parts, refund_id, actor="op@desk", reason="customer waits")
        eventually(lambda: len(house.attempts(refund_id)) == 2 and house.get(refund_id).due_at is not None)
        tried = house.get(refund_id)

    assert (tried.status, tried.due_at) == (Status.QUEUED, taken_back.due_at)


def test_what_was_taken_back_today_is_not_said_to_be_long_unpaid(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", PAID_BACK), "5.00")
    with house.working():
        house.until(refund_id, Status.REFUNDED)
        house.pass_time(timedelta(days=4))
        _taken_back(house, refund_id)

    assert tell_long_unpaid(house.parts) == 0


def _taken_back(house: House, refund_id: str) -> Refund:
    house.pass_time(WATCH_STEPS[0] + timedelta(seconds=1))
    house.reopen_lanes()
    return house.until(refund_id, Status.QUEUED)
