"""What follows from a verdict is booked whole or not at all, and the sums always add up."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from refunds.domain.judge import Reservation, Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import IllegalTransitionError, Status
from refunds.flow.attempt import Attempted
from refunds.flow.settle import settle
from refunds.store import claims, refunds
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import clocks
from refunds.store.settled import Recipient, Settled
from refunds.store.settlement import BrokenSumError
from tests.house_fixture import HouseMaker
from tests.store.till import LEASE, Till, declined, failed, paid


def test_partials_add_up_and_no_failure_undoes_a_paid_refund(till: Till) -> None:
    payment = till.payment(1000)
    for amount in (100, 250, 300):
        till.settle(paid(till.claim_one(till.refund(payment, amount))))
    till.settle(failed(till.claim_one(till.refund(payment, 350))))

    assert till.sums(payment) == (0, 650)
    till.settle(paid(till.claim_one(till.refund(payment, 350))))
    assert till.sums(payment) == (0, 1000)
    with till.database.read() as tx:
        assert refunds.broken_sums(tx) == []


@pytest.mark.parametrize(
    ("reservation", "sums"),
    [(Reservation.BOOK, (0, 100)), (Reservation.RELEASE, (0, 0)), (Reservation.KEEP, (100, 0))],
)
def test_a_verdict_books_releases_or_keeps_what_was_reserved(
    till: Till, reservation: Reservation, sums: tuple[int, int]
) -> None:
    status = {
        Reservation.BOOK: Status.REFUNDED,
        Reservation.RELEASE: Status.FAILED,
        Reservation.KEEP: Status.QUEUED,
    }[reservation]
    payment = till.payment()
    claim = till.claim_one(till.refund(payment))

    till.settle(Settled(claim, Verdict(status, "test", reservation=reservation)))

    assert till.sums(payment) == sums


def test_a_group_is_one_transaction(till: Till) -> None:
    ids = till.refunds([till.payment() for _ in range(3)])
    claimed = till.claim()
    illegal = replace(paid(claimed[2]), verdict=Verdict(Status.CANCELLED, "nobody may"))

    with pytest.raises(IllegalTransitionError):
        till.settle(paid(claimed[0]), paid(claimed[1]), illegal)

    assert {till.get(refund_id).status for refund_id in ids} == {Status.ATTEMPTING}
    assert till.rows("SELECT SUM(refunded_minor) FROM payments") == [(0,)]


def test_a_sum_that_would_break_rolls_the_whole_group_back(till: Till) -> None:
    good, bad = till.payment(), till.payment()
    till.refunds([good, bad])
    claimed = till.claim()
    with till.database.begin() as tx:
        tx.execute(text("UPDATE payments SET reserved_minor = 0 WHERE id = :id"), {"id": bad})

    with pytest.raises(BrokenSumError):
        till.settle(*map(paid, claimed))

    assert till.sums(good) == (100, 0)


def test_a_broken_sum_sends_only_its_own_refund_to_a_person_with_a_notice(
    till: Till, database_url: str, open_house: HouseMaker
) -> None:
    payments = [till.payment() for _ in range(4)]
    till.refunds(payments)
    claimed = {claim.payment_id: claim for claim in till.claim()}
    with till.database.begin() as tx:
        tx.execute(text("UPDATE payments SET reserved_minor = 0 WHERE id = :id"), {"id": payments[1]})
    parts = open_house(database_url, begins=False).parts
    learned = [
        Attempted(claimed[payment], Answer(Outcome.REFUNDED, reference=f"sre_{payment}"))
        for payment in payments
    ]

    booked = settle(parts, learned)

    assert booked == {claim.refund_id for claim in claimed.values()}
    statuses = [till.get(claimed[payment].refund_id).status for payment in payments]
    assert statuses == [Status.REFUNDED, Status.NEEDS_REVIEW, Status.REFUNDED, Status.REFUNDED]
    assert till.rows("SELECT refund_id, kind, address FROM notices") == [
        (claimed[payments[1]].refund_id, "outcome_unknown", "oncall@shop.test"),
    ]


def test_the_database_itself_refuses_more_than_was_captured(till: Till) -> None:
    payment = till.payment(1000)
    till.refund(payment, 900)

    for column in ("reserved", "refunded", "external", "disputed"):
        with pytest.raises(IntegrityError), till.database.begin() as tx:
            tx.execute(text(f"UPDATE payments SET {column}_minor = {column}_minor + 101"))


def test_the_database_itself_refuses_a_negative_sum(till: Till) -> None:
    till.payment(1000)

    with pytest.raises(IntegrityError), till.database.begin() as tx:
        tx.execute(text("UPDATE payments SET reserved_minor = -1"))


def test_one_place_of_the_schedule_is_used_up_once(till: Till) -> None:
    refund_id = till.refund(till.payment())
    first = till.claim_one(refund_id)
    till.settle(declined(first, due_at=first.claimed_at))
    second = till.claim_one(refund_id)

    with pytest.raises(BrokenSumError):
        till.settle(declined(replace(second, attempts_counted=0), due_at=second.claimed_at))
    till.settle(declined(second, due_at=second.claimed_at))

    assert till.rows("SELECT number, counted_number FROM attempts ORDER BY number") == [(1, 1), (2, 2)]


def test_two_look_ups_of_one_payment_in_a_group_are_both_booked(till: Till) -> None:
    payment = till.payment()
    ids = till.refunds([payment, payment], status=Status.SUBMITTED, prior=Status.REQUESTED, attempts=1)
    with till.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET claimed_at = created_at"))
    found = LookUpAnswer(Finding.REFUNDED, reference="sre_9")
    verdict = Verdict(Status.REFUNDED, "found by a look-up", reservation=Reservation.BOOK)

    group = [Settled(claim, verdict, found=found) for claim in _look_ups(till)]

    assert till.settle(*group) == set(ids)
    assert till.sums(payment) == (0, 200)
    assert till.rows("SELECT refund_id, finding FROM look_ups ORDER BY refund_id") == [
        (ids[0], "refunded"),
        (ids[1], "refunded"),
    ]


def test_a_look_up_and_an_attempt_of_one_payment_in_a_group_leave_the_slot_right(till: Till) -> None:
    payment = till.payment()
    looked = till.refund(payment, status=Status.SUBMITTED, prior=Status.REQUESTED, attempts=1)
    with till.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET claimed_at = created_at"))
    attempted = till.refund(payment)
    [resolved] = _look_ups(till)
    claim = till.claim_one(attempted)
    verdict = Verdict(Status.REFUNDED, "found by a look-up", reservation=Reservation.BOOK)

    till.settle(paid(claim), Settled(resolved, verdict, found=LookUpAnswer(Finding.REFUNDED)))

    assert till.get(looked).status is till.get(attempted).status is Status.REFUNDED
    assert till.row("payments", payment)["slot"] is None
    assert till.sums(payment) == (0, 200)


def test_a_refund_in_doubt_keeps_its_payment_s_slot_and_its_reservation(till: Till) -> None:
    payment = till.payment()
    refund_id, _ = till.refunds([payment, payment])
    claim = till.claim_one(refund_id)

    till.settle(
        Settled(claim, Verdict(Status.IN_DOUBT, "timeout", free_slot=False), answer=Answer(Outcome.UNKNOWN))
    )

    assert till.row("payments", payment)["slot"] == refund_id
    assert till.sums(payment) == (200, 0)
    assert till.claim() == []


def test_a_notice_is_written_with_the_status_for_every_address(till: Till) -> None:
    refund_id = till.refund(till.payment())
    told = (Recipient("a@shop.test", "is on call"), Recipient("b@shop.test", "asked for it"))

    till.settle(replace(failed(till.claim_one(refund_id)), recipients=told))

    assert till.rows("SELECT kind, address, why, status, occurrence FROM notices ORDER BY address") == [
        (NoticeKind.FAILED, "a@shop.test", "is on call", "pending", 1),
        (NoticeKind.FAILED, "b@shop.test", "asked for it", "pending", 1),
    ]


def test_an_attempt_keeps_what_was_answered(till: Till) -> None:
    claim = till.claim_one(till.refund(till.payment()))
    answer = Answer(
        Outcome.DECLINED,
        "issuer_declined",
        "Declined",
        request_id="req_1",
        http_status=402,
        duration_ms=17,
    )

    till.settle(replace(declined(claim, due_at=claim.claimed_at), answer=answer))

    assert till.rows("SELECT outcome, code, text, request_id, http_status, duration_ms FROM attempts") == [
        ("declined", "issuer_declined", "Declined", "req_1", 402, 17),
    ]
    refund = till.get(claim.refund_id)
    assert (refund.failure_code, refund.failure_text) == ("issuer_declined", "Declined")


def _look_ups(till: Till) -> list[Claim]:
    with till.database.begin() as tx:
        real, now = clocks(tx)
        return claims.claim_look_ups(
            tx,
            account=DEFAULT,
            gateway="sandbox",
            limit=5,
            now=now,
            real=real,
            lease_until=real + LEASE,
        )
