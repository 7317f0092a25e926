"""A worker that lost its lease changes no status and no sum, and sends nothing."""

from datetime import timedelta

import pytest

from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from refunds.flow.parts import Parts
from refunds.flow.sweep import sweep
from refunds.store import claims, evidence, leases, refunds
from refunds.store.database import clocks
from tests.house_fixture import HouseMaker
from tests.store.till import Till, declined, failed, paid

MOMENT = timedelta(seconds=20)


def test_a_settle_after_the_lease_was_taken_over_changes_nothing_and_leaves_evidence(till: Till) -> None:
    payment = till.payment()
    refund_id = till.refund(payment)
    late = till.claim_one(refund_id)
    till.end_lease(refund_id)
    assert till.take_over() == [refund_id]
    current = till.claim_one(refund_id)
    before = till.row("refunds", refund_id), till.row("payments", payment), _counts(till)

    assert till.settle(paid(late, reference="sre_late")) == set()

    assert (till.row("refunds", refund_id), till.row("payments", payment), _counts(till)) == before
    with till.database.read() as tx:
        [kept] = evidence.evidence_of(tx, refund_id)
    assert kept["source"] == "late_answer"
    assert kept["content"] == {"attempt": 1, "outcome": "refunded", "code": "", "reference": "sre_late"}
    assert till.settle(paid(current)) == {refund_id}
    assert till.sums(payment) == (0, 100)


@pytest.mark.parametrize("verdict", [paid, failed])
def test_a_settle_after_a_settle_books_nothing_twice(till: Till, verdict: type) -> None:
    payment = till.payment()
    claim = till.claim_one(till.refund(payment))
    till.settle(paid(claim))

    assert till.settle(verdict(claim)) == set()
    assert till.sums(payment) == (0, 100)
    assert len(till.rows("SELECT 1 FROM history WHERE new = 'refunded'")) == 1


def test_a_late_answer_that_says_nothing_was_sent_is_no_evidence(till: Till) -> None:
    refund_id = till.refund(till.payment())
    late = till.claim_one(refund_id)
    till.end_lease(refund_id)
    till.take_over()
    answer = Answer(Outcome.UNAVAILABLE, "not_reached", sent=False)

    till.settle(type(paid(late))(late, paid(late).verdict, answer=answer))

    assert till.rows("SELECT COUNT(*) FROM evidence") == [(0,)]


def test_a_stranger_in_a_group_loses_alone(till: Till) -> None:
    one, two = till.payment(), till.payment()
    lost, kept = till.refunds([one, two])
    claimed = {claim.refund_id: claim for claim in till.claim()}
    till.end_lease(lost)
    till.take_over()

    assert till.settle(paid(claimed[lost]), paid(claimed[kept])) == {kept}
    assert (till.sums(one), till.sums(two)) == ((100, 0), (0, 100))


@pytest.mark.parametrize("stale_first", [True, False])
def test_a_stale_claim_beside_the_current_one_of_its_refund_books_nothing(
    till: Till, *, stale_first: bool
) -> None:
    """A worker that was frozen holds the late answer of its old claim and has claimed the refund anew."""
    payment = till.payment()
    refund_id = till.refund(payment)
    late = till.claim_one(refund_id)
    till.end_lease(refund_id)
    till.take_over()
    current = till.claim_one(refund_id)
    other = till.refund(payment)
    group = [paid(late, reference="sre_late"), paid(current)]

    assert till.settle(*(group if stale_first else reversed(group))) == {refund_id}

    assert till.sums(payment) == (100, 100)
    assert till.row("refunds", other)["status"] == "requested"
    assert len(till.rows("SELECT 1 FROM history WHERE new = 'refunded'")) == 1
    with till.database.read() as tx:
        [kept] = evidence.evidence_of(tx, refund_id)
    assert kept["content"]["reference"] == "sre_late"


def test_what_is_about_to_be_sent_is_written_first(till: Till) -> None:
    claim = till.claim_one(till.refund(till.payment()))

    assert till.mark(claim) == {claim.refund_id}

    [(attempt, refund, key)] = till.rows(
        """SELECT a.sending_at, r.sending_at, r.key_sent_at FROM attempts a
        JOIN refunds r ON r.id = a.refund_id"""
    )
    assert attempt is not None
    assert attempt == refund == key


def test_a_lease_too_short_for_the_call_is_not_sent(till: Till) -> None:
    claim = till.claim_one(till.refund(till.payment()), lease=timedelta(seconds=10))

    assert till.mark(claim, call_limit=timedelta(seconds=20)) == set()
    assert till.rows("SELECT sending_at FROM attempts") == [(None,)]
    assert till.row("refunds", claim.refund_id)["sending_at"] is None


def test_a_stale_fence_is_not_sent(till: Till) -> None:
    refund_id = till.refund(till.payment())
    stale = till.claim_one(refund_id)
    till.end_lease(refund_id)
    till.take_over()
    current = till.claim_one(refund_id)

    assert till.mark(stale, current) == {refund_id}
    assert till.rows("SELECT number, sending_at IS NOT NULL FROM attempts ORDER BY number") == [
        (1, False),
        (2, True),
    ]


def test_a_snapshot_is_kept_with_the_attempt(till: Till) -> None:
    claim = till.claim_one(till.refund(till.payment()))
    with till.database.begin() as tx:
        real, now = clocks(tx)
        claims.mark_sending(tx, [(claim, {"refundable_minor": 7})], now=now, lease_beyond=real)

    with till.database.read() as tx:
        [attempt] = refunds.attempts_of(tx, claim.refund_id)
    assert attempt["snapshot"] == {"refundable_minor": 7}


def test_what_is_handed_back_is_as_if_never_claimed_and_due_at_once(till: Till) -> None:
    payment = till.payment()
    refund_id = till.refund(payment)
    claim = till.claim_one(refund_id)

    with till.database.begin() as tx:
        now = clocks(tx)[1]
        assert leases.hand_back(tx, [claim], worker="worker-1", now=now) == {refund_id}

    refund = till.get(refund_id)
    assert (refund.status, refund.due_at) == (Status.REQUESTED, now)
    assert till.row("payments", payment)["slot"] is None
    assert till.mark(claim) == set()
    assert till.claim_one(refund_id).number == 2


def test_what_was_sent_or_taken_over_cannot_be_handed_back(till: Till) -> None:
    sent, taken = till.refunds([till.payment(), till.payment()])
    claimed = {claim.refund_id: claim for claim in till.claim()}
    till.mark(claimed[sent])
    till.end_lease(taken)
    till.take_over()

    with till.database.begin() as tx:
        now = clocks(tx)[1]
        assert leases.hand_back(tx, list(claimed.values()), worker="worker-1", now=now) == set()
    assert till.get(sent).status is Status.ATTEMPTING


def test_a_lease_that_ran_out_unsent_makes_it_due_at_once_and_keeps_its_attempt_row(till: Till) -> None:
    payment = till.payment()
    refund_id = till.refund(payment, status=Status.QUEUED)
    claim = till.claim_one(refund_id)
    assert till.take_over() == []
    till.end_lease(refund_id)

    assert till.take_over() == [refund_id]

    assert till.get(refund_id).status is Status.QUEUED
    assert till.row("payments", payment)["slot"] is None
    assert till.rows("SELECT number, outcome, counted_number, sending_at FROM attempts") == [
        (1, None, None, None),
    ]
    assert till.settle(declined(claim, due_at=claim.claimed_at)) == set()
    assert till.claim_one(refund_id).number == 2


def test_a_lease_that_ran_out_in_sending_is_never_simply_due_again(till: Till) -> None:
    refund_id = till.refund(till.payment())
    till.mark(till.claim_one(refund_id))
    till.end_lease(refund_id)

    assert till.take_over() == []
    with till.database.read() as tx:
        [lost] = leases.expired_in_sending(tx, real=clocks(tx)[0], gateways=["sandbox"])
    assert (lost.refund_id, lost.sending_at is not None) == (refund_id, True)


def test_the_sweep_puts_a_refund_whose_worker_died_in_sending_in_doubt(
    till: Till, database_url: str, open_house: HouseMaker
) -> None:
    refund_id = till.refund(till.payment())
    till.mark(till.claim_one(refund_id))
    till.end_lease(refund_id)
    parts: Parts = open_house(database_url, begins=False).parts

    assert sweep(parts) == 1
    assert sweep(parts) == 0

    assert till.get(refund_id).status is Status.IN_DOUBT
    assert till.rows("SELECT new FROM history ORDER BY id DESC LIMIT 1") == [("in_doubt",)]
    assert till.claim() == []
    assert till.rows("SELECT slot FROM payments") == [(refund_id,)]


def _counts(till: Till) -> list[tuple[object, ...]]:
    return till.rows(
        """SELECT (SELECT COUNT(*) FROM history), (SELECT COUNT(*) FROM notices),
        (SELECT COUNT(*) FROM attempts WHERE outcome IS NOT NULL)"""
    )
