"""Somebody is told of a refund that waits and waits, whatever keeps it; no try is used up by that."""

from datetime import timedelta

from sqlalchemy import text

from refunds.domain.status import Status
from refunds.flow.unpaid import tell_long_unpaid
from tests.house_of import House

DAY = timedelta(days=1)


def test_three_local_dates_without_a_counted_attempt_are_told_once_and_weekly_from_then(
    either_house: House,
) -> None:
    house = either_house
    refund_id = house.refund(house.payment(), "5.00")

    told = []
    for day in range(1, 20):
        house.pass_time(DAY)
        if tell_long_unpaid(house.parts):
            told.append(day)
        assert tell_long_unpaid(house.parts) == 0

    assert told == [3, 10, 17]
    assert [kind for kind, _ in house.notices(refund_id)] == ["still_unpaid"] * 3
    assert house.get(refund_id).status is Status.REQUESTED
    assert house.get(refund_id).attempts_counted == 0


def test_a_counted_attempt_begins_the_days_anew(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "decline", "code": "issuer_declined"}), "5.00")
    house.pass_time(2 * DAY)
    with house.working():
        house.until(refund_id, Status.QUEUED)

    house.pass_time(2 * DAY)
    assert tell_long_unpaid(house.parts) == 0
    house.pass_time(DAY)
    assert tell_long_unpaid(house.parts) == 1


def test_a_refund_that_waits_for_nothing_any_more_is_not_told_of(house: House) -> None:
    refund_id = house.refund(house.payment(), "5.00")
    with house.working():
        house.until(refund_id, Status.REFUNDED)

    house.pass_time(30 * DAY)
    assert tell_long_unpaid(house.parts) == 0


def test_every_refund_is_told_of_however_many_wait(house: House) -> None:
    for _ in range(3):
        house.refund(house.payment(), "5.00")
    with house.parts.database.begin() as tx:
        columns = "kind, account, gateway, payment_id, amount_minor, currency, status, request, requested_by"
        tx.execute(
            text(
                f"""INSERT INTO refunds (id, {columns}, created_at, updated_at, due_at)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
                SELECT 'rf_' || i, {columns}, created_at, updated_at, due_at FROM refunds, n
                WHERE refunds.id = (SELECT min(id) FROM refunds)""",
            ),
        )
    house.pass_time(4 * DAY)

    batches = []
    while told := tell_long_unpaid(house.parts):
        batches.append(told)
    assert sum(batches) == 253
