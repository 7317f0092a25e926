"""Who may work on which refund: one claimer a refund, one refund a payment, nobody forgotten."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from refunds.domain.status import Status
from refunds.store import claims, leases
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import Database, clocks
from tests.house_of import eventually
from tests.store.till import Till, at_once, declined, failed, paid

IN_FLIGHT = """SELECT payment_id, COUNT(*) FROM refunds WHERE status = 'attempting'
    GROUP BY payment_id HAVING COUNT(*) > 1"""


def test_eight_claimers_take_every_refund_once_and_never_two_of_one_payment(till: Till) -> None:
    payments = [till.payment() for _ in range(10)]
    wanted = set(till.refunds(payments * 20))
    taken: Counter[str] = Counter()
    doubled: list[object] = []
    ending = threading.Event()

    def work() -> None:
        while len(taken) < len(wanted):
            claimed = till.claim(first=4, again=4, worker=threading.current_thread().name)
            if not claimed:
                ending.wait(0.002)
            taken.update(claim.refund_id for claim in claimed)
            till.settle(*map(paid, claimed))

    def watch() -> None:
        while not ending.wait(0.005):
            doubled.extend(till.rows(IN_FLIGHT))

    watcher = threading.Thread(target=watch)
    watcher.start()
    errors = at_once(*[work] * 8)
    ending.set()
    watcher.join()

    assert errors == [None] * 8
    assert doubled == []
    assert set(taken) == wanted
    assert set(taken.values()) == {1}
    assert {till.sums(payment) for payment in payments} == {(0, 2000)}


def test_a_claim_takes_one_refund_of_each_payment_oldest_first(till: Till) -> None:
    one, two = till.payment(), till.payment()
    oldest = till.refund(one)
    till.refund(one)
    other = till.refund(two)

    assert {claim.refund_id for claim in till.claim()} == {oldest, other}
    assert till.claim() == []


def test_a_claim_shows_the_attempt_and_writes_it_with_its_key_before_anything_is_sent(till: Till) -> None:
    refund_id = till.refund(till.payment())

    claim = till.claim_one(refund_id)

    assert (claim.status, claim.prior, claim.number, claim.fence) == (
        Status.ATTEMPTING,
        Status.REQUESTED,
        1,
        1,
    )
    assert claim.key == f"{refund_id}-1"
    assert till.rows("SELECT number, fence, key, sending_at, outcome, worker FROM attempts") == [
        (1, 1, claim.key, None, None, "worker-1"),
    ]
    assert till.row("payments", claim.payment_id)["slot"] == refund_id
    assert till.rows("SELECT old, new FROM history ORDER BY id") == [
        (None, "requested"),
        ("requested", "attempting"),
    ]


def test_first_attempts_and_the_queue_each_have_their_places(till: Till) -> None:
    till.refunds([till.payment() for _ in range(5)])
    till.refunds([till.payment() for _ in range(5)], status=Status.QUEUED)

    taken = Counter(claim.prior for claim in till.claim(first=3, again=2))

    assert taken == {Status.REQUESTED: 3, Status.QUEUED: 2}


def test_the_queue_s_places_are_not_given_out_twice_when_failed_refunds_are_tried_now(till: Till) -> None:
    till.refunds([till.payment() for _ in range(4)], status=Status.QUEUED)
    till.refunds([till.payment() for _ in range(4)], status=Status.FAILED, extra=True)

    assert len(till.claim(first=2, again=3)) == 3


def test_a_failed_refund_is_claimed_only_when_it_is_tried_now(till: Till) -> None:
    payment = till.payment()
    refund_id = till.refund(payment)
    till.settle(failed(till.claim_one(refund_id)))
    assert till.claim() == []

    with till.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET due_at = '2020-01-01T00:00:00.000000Z', extra = true"))

    claim = till.claim_one(refund_id)
    assert (claim.prior, claim.extra, claim.number) == (Status.FAILED, True, 2)


def test_nothing_is_claimed_before_it_is_due(till: Till) -> None:
    with till.database.read() as tx:
        now = clocks(tx)[1]
    till.refund(till.payment(), due_at=now + timedelta(hours=1))
    soon = till.refund(till.payment(), due_at=now - timedelta(seconds=1))

    assert [claim.refund_id for claim in till.claim()] == [soon]


def test_a_lane_claims_only_what_is_its_own(till: Till) -> None:
    here = till.refund(till.payment())
    there = till.refund(till.payment(gateway="elsewhere"), gateway="elsewhere")

    assert [claim.refund_id for claim in till.claim()] == [here]
    assert [claim.refund_id for claim in till.claim(gateway="elsewhere")] == [there]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_rows_that_another_claimer_has_locked_are_passed_over_at_once(till: Till) -> None:
    one, two = till.payment(), till.payment()
    till.refunds([one, one])
    other = till.refund(two)

    with till.database.begin() as busy:
        busy.execute(text("SELECT 1 FROM payments WHERE id = :id FOR UPDATE"), {"id": one})
        assert [claim.refund_id for claim in till.claim()] == [other]
    assert [claim.payment_id for claim in till.claim()] == [one]


@pytest.mark.parametrize("status", [Status.ATTEMPTING, Status.IN_DOUBT])
def test_the_database_itself_refuses_a_second_refund_in_flight(till: Till, status: Status) -> None:
    payment = till.payment()
    till.claim_one(till.refund(payment))
    sibling = till.refund(payment)

    with pytest.raises(IntegrityError), till.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = :new WHERE id = :id"), {"new": status, "id": sibling})


def test_the_slot_is_free_again_once_the_refund_is_settled(till: Till) -> None:
    payment = till.payment()
    first, second = till.refunds([payment, payment])
    till.settle(paid(till.claim_one(first)))

    assert till.claim_one(second).payment_id == payment


def test_look_ups_are_leased_to_one_worker_at_a_time(till: Till) -> None:
    refund_id = till.refund(till.payment(), status=Status.SUBMITTED, prior=Status.REQUESTED, attempts=1)
    with till.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET claimed_at = created_at"))

    [claim] = _look_ups(till.database)
    assert (claim.refund_id, claim.status) == (refund_id, Status.SUBMITTED)
    assert _look_ups(till.database) == []

    till.end_lease(refund_id)
    [again] = _look_ups(till.database)
    assert again.fence == claim.fence + 1


def test_a_claim_is_due_again_by_the_schedule_of_its_verdict(till: Till) -> None:
    refund_id = till.refund(till.payment())
    claim = till.claim_one(refund_id)
    with till.database.read() as tx:
        tomorrow = clocks(tx)[1] + timedelta(days=1)
    till.settle(declined(claim, due_at=tomorrow))

    refund = till.get(refund_id)
    assert (refund.status, refund.due_at, refund.generation) == (Status.QUEUED, tomorrow, 2)
    assert (refund.attempts_counted, refund.last_counted_at) == (1, claim.claimed_at)
    assert till.claim() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_sweeps_at_once_never_free_a_claim_whose_lease_still_runs(till: Till) -> None:
    refund_id = till.refund(till.payment())
    till.claim_one(refund_id)
    till.end_lease(refund_id)
    freed: list[list[str]] = []

    with till.database.begin() as first:
        real, now = clocks(first)
        assert leases.take_over_unsent(first, real=real, now=now, worker="sweep-1") == [refund_id]
        [claim] = till.claim_in(first)
        second = threading.Thread(target=lambda: freed.append(till.take_over()))
        second.start()
        waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        eventually(lambda: till.rows(waiting) == [(1,)] or not second.is_alive())
    second.join()

    assert freed == [[]]
    assert till.row("refunds", refund_id)["fence"] == claim.fence


def _look_ups(database: Database) -> list[Claim]:
    with database.begin() as tx:
        real, now = clocks(tx)
        return claims.claim_look_ups(
            tx,
            account=DEFAULT,
            gateway="sandbox",
            limit=5,
            now=now,
            real=real,
            lease_until=real + timedelta(seconds=60),
        )
