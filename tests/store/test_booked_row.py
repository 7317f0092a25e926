"""What a verdict leaves on the refund's row and on its payment's, column by column."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from refunds.domain.judge import Reservation, Verdict
from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Status, Wait
from refunds.store import claims, tables
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import clocks
from refunds.store.settled import Settled
from tests.store.till import LEASE, Till, failed, paid

DAY = timedelta(days=1)
USED = {
    "extra": True,
    "deferrals": 5,
    "look_ups": 5,
    "lost_leases": 5,
    "gateway_reference": "re_before",
}


def test_a_doubt_keeps_the_extra_try_and_says_since_when(till: Till) -> None:
    claim, _ = _claimed(till, **USED)
    due_at = claim.claimed_at + DAY
    verdict = Verdict(Status.IN_DOUBT, "timeout", due_at=due_at, free_slot=False)

    till.settle(Settled(claim, verdict, answer=Answer(Outcome.UNKNOWN, "timeout", "no answer")))

    row = _row(till, claim.refund_id)
    assert (row["status"], row["due_at"], row["wait"]) == ("in_doubt", due_at, None)
    assert (row["extra"], row["deferrals"], row["look_ups"], row["lost_leases"]) == (True, 0, 0, 0)
    assert (row["lease_until"], row["absent_at"]) == (None, None)
    assert row["waiting_since"] >= claim.claimed_at
    assert (row["generation"], row["episode"], row["attempts_counted"]) == (1, 1, 0)
    assert (row["gateway_reference"], row["failure_code"]) == ("re_before", "timeout")
    assert (row["failure_text"], row["failure_at"]) == ("no answer", row["updated_at"])


def test_a_refusal_is_counted_by_the_moment_of_its_claim_and_ends_the_key_and_the_extra_try(
    till: Till,
) -> None:
    claim, _ = _claimed(till, **USED, told_at=_now(till), key_sent_at=_now(till))
    verdict = Verdict(
        Status.QUEUED, "no", due_at=claim.claimed_at + DAY, wait=Wait.DAILY, counted=True, new_key=True
    )

    till.settle(Settled(claim, verdict, answer=Answer(Outcome.DECLINED, "no")))

    row = _row(till, claim.refund_id)
    assert (row["status"], row["wait"], row["extra"]) == ("queued", "daily", False)
    assert (row["attempts_counted"], row["last_counted_at"]) == (1, claim.claimed_at)
    assert (row["generation"], row["key_sent_at"], row["told_at"]) == (2, None, None)
    assert (row["waiting_since"], row["watch_at"], row["watch_until"]) == (None, None, None)


def test_an_outage_counts_nothing_and_keeps_the_key_and_what_people_were_told(till: Till) -> None:
    told_at, sent_at = _now(till), _now(till)
    claim, _ = _claimed(till, told_at=told_at, key_sent_at=sent_at, last_counted_at=told_at)
    verdict = Verdict(Status.QUEUED, "away", due_at=told_at + DAY, wait=Wait.OUTAGE, deferrals=6)

    till.settle(Settled(claim, verdict, answer=Answer(Outcome.UNAVAILABLE, "away", sent=False)))

    row = _row(till, claim.refund_id)
    assert (row["wait"], row["deferrals"], row["attempts_counted"]) == ("outage", 6, 0)
    assert (row["generation"], row["key_sent_at"], row["told_at"]) == (1, sent_at, told_at)
    assert row["last_counted_at"] == told_at


def test_what_was_paid_keeps_its_reference_and_no_failure_and_is_watched(till: Till) -> None:
    claim, payment = _claimed(till, failure_code="before", failure_text="earlier")
    settled = paid(claim, reference="re_1")
    first, last = claim.claimed_at + DAY, claim.claimed_at + 2 * DAY

    till.settle(replace(settled, verdict=replace(settled.verdict, watch_at=first, watch_until=last)))

    row = _row(till, claim.refund_id)
    assert (row["gateway_reference"], row["failure_code"], row["failure_text"]) == (
        "re_1",
        "before",
        "earlier",
    )
    assert (row["watch_at"], row["watch_until"]) == (first, last)
    assert till.row("payments", payment)["slot"] is None


def test_a_new_episode_begins_with_no_try_counted_on_the_day_it_began(till: Till) -> None:
    claim, payment = _watched(till)
    verdict = Verdict(
        Status.QUEUED,
        "taken back",
        due_at=claim.claimed_at + DAY,
        wait=Wait.DAILY,
        new_key=True,
        new_episode=True,
        reservation=Reservation.TAKE_BACK,
    )

    till.settle(Settled(claim, verdict, found=LookUpAnswer(Finding.DECLINED, "returned")))

    row = _row(till, claim.refund_id)
    assert (row["episode"], row["attempts_counted"], row["generation"]) == (2, 0, 2)
    assert row["last_counted_at"] == row["updated_at"] > claim.claimed_at
    assert row["told_at"] is None
    assert till.sums(payment) == (100, 0)
    assert till.rows("SELECT finding, code FROM look_ups") == [("declined", "returned")]


def test_a_look_up_that_learned_nothing_final_keeps_since_when_and_what_was_said(till: Till) -> None:
    claim, _ = _claimed(till, failure_code="timeout")
    doubt = Verdict(Status.IN_DOUBT, "timeout", due_at=claim.claimed_at, free_slot=False)
    till.settle(Settled(claim, doubt, answer=Answer(Outcome.UNKNOWN, "timeout")))
    since = _row(till, claim.refund_id)["waiting_since"]
    [asked] = _look_ups(till)
    again = Verdict(
        Status.IN_DOUBT, "nothing", due_at=since + DAY, free_slot=False, look_ups=3, absent_at=since
    )

    till.settle(Settled(asked, again, found=LookUpAnswer(Finding.ABSENT, "none")))

    row = _row(till, claim.refund_id)
    assert (row["waiting_since"], row["absent_at"], row["look_ups"]) == (since, since, 3)
    assert (row["failure_code"], row["lease_until"]) == ("timeout", None)
    assert till.rows("SELECT COUNT(*) FROM history WHERE old = new") == [(0,)]


def test_a_watch_that_found_nothing_new_moves_nothing_but_its_next_look(till: Till) -> None:
    claim, payment = _watched(till)
    before, sums = _row(till, claim.refund_id), till.row("payments", payment)
    again = before["updated_at"] + DAY
    kept = Verdict(Status.REFUNDED, "nothing new", unmoved=True, look_ups=2, watch_at=again)

    assert till.settle(Settled(claim, kept, found=LookUpAnswer(Finding.REFUNDED))) == {claim.refund_id}

    changed = {"lease_until": None, "look_ups": 2, "watch_at": again}
    assert _row(till, claim.refund_id) == {**before, **changed}
    assert till.row("payments", payment) == sums


@pytest.mark.parametrize("settled", [failed, paid])
def test_a_stale_fence_leaves_the_row_as_it_is(till: Till, settled: Any) -> None:
    claim, _ = _claimed(till)
    before = _row(till, claim.refund_id)

    assert till.settle(settled(replace(claim, fence=claim.fence + 1))) == set()

    assert _row(till, claim.refund_id) == before


def _claimed(till: Till, **columns: Any) -> tuple[Claim, str]:
    payment = till.payment()
    refund_id = till.refund(payment, **columns)
    claim = till.claim_one(refund_id)
    return claim, payment


def _watched(till: Till) -> tuple[Claim, str]:
    """A paid refund whose watch is due, claimed for its look-up."""
    claim, payment = _claimed(till, told_at=_now(till), attempts_counted=2)
    till.settle(paid(claim))
    with till.database.begin() as tx:
        tx.execute(
            update(tables.refunds).values(watch_at=clocks(tx)[1] - DAY, watch_until=clocks(tx)[1] + DAY)
        )
    [asked] = _look_ups(till)
    return asked, payment


def _look_ups(till: Till) -> list[Claim]:
    with till.database.begin() as tx:
        real, now = clocks(tx)
        return claims.claim_look_ups(
            tx, account=DEFAULT, gateway="sandbox", limit=5, now=now, real=real, lease_until=real + LEASE
        )


def _row(till: Till, refund_id: str) -> dict[str, Any]:
    """Typed as the code reads it."""
    refunds = tables.refunds
    with till.database.read() as tx:
        found = tx.execute(select(refunds).where(refunds.c.id == refund_id)).mappings().one()
        return dict(found)


def _now(till: Till) -> datetime:
    with till.database.read() as tx:
        return clocks(tx)[1]
