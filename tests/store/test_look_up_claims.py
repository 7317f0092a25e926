"""Which refunds are looked up next: those in doubt or submitted first, then those at their end."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from refunds.domain.status import Status
from refunds.store import claims
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import clocks
from tests.store.till import LEASE, Till

TICK = timedelta(microseconds=1)


@pytest.fixture
def now(till: Till) -> datetime:
    """One moment for a whole test."""
    with till.database.read() as tx:
        return clocks(tx)[1]


def test_what_waits_for_a_word_is_leased_when_it_is_due_and_not_before(till: Till, now: datetime) -> None:
    doubt = _waiting(till, Status.IN_DOUBT, due_at=now)
    submitted = _waiting(till, Status.SUBMITTED, due_at=now - LEASE)
    _waiting(till, Status.IN_DOUBT, due_at=now + TICK)
    _waiting(till, Status.QUEUED, due_at=now - LEASE)

    assert [claim.refund_id for claim in _look_ups(till, now)] == sorted([doubt, submitted])
    lease_until, fence, status = till.rows(
        "SELECT lease_until, fence, status FROM refunds WHERE id = :id", id=doubt
    )[0]
    assert (_instant(lease_until), fence, status) == (now + LEASE, 1, "in_doubt")


def test_what_is_at_its_end_is_looked_up_when_its_watch_falls_due(till: Till, now: datetime) -> None:
    watched = _waiting(till, Status.REFUNDED, due_at=None, watch_at=now)
    _waiting(till, Status.FAILED, due_at=None, watch_at=now + TICK)
    _waiting(till, Status.NEEDS_REVIEW, due_at=None)
    _waiting(till, Status.FAILED, due_at=now, watch_at=now)

    assert [claim.refund_id for claim in _look_ups(till, now)] == [watched]


def test_a_doubt_goes_before_a_watch_however_old_and_no_more_are_taken_than_were_asked_for(
    till: Till, now: datetime
) -> None:
    _waiting(till, Status.REFUNDED, due_at=None, watch_at=now - LEASE)
    older = _waiting(till, Status.REFUNDED, due_at=None, watch_at=now - 2 * LEASE)
    doubt = _waiting(till, Status.IN_DOUBT, due_at=now)

    assert [claim.refund_id for claim in _look_ups(till, now, limit=1)] == [doubt]
    _waiting(till, Status.IN_DOUBT, due_at=now)
    assert older in {claim.refund_id for claim in _look_ups(till, now, limit=2)}
    assert len(_look_ups(till, now, limit=2)) == 1


def test_a_lane_looks_up_only_what_is_its_own(till: Till, now: datetime) -> None:
    _waiting(till, Status.IN_DOUBT, due_at=now)

    assert _look_ups(till, now, gateway="another") == []
    assert _look_ups(till, now, account="another") == []
    assert len(_look_ups(till, now)) == 1


def test_a_lease_that_ends_this_moment_still_holds(till: Till, now: datetime) -> None:
    held = _waiting(till, Status.IN_DOUBT, due_at=now, lease_until=now)

    assert _look_ups(till, now) == []
    assert [claim.refund_id for claim in _look_ups(till, now + TICK)] == [held]


def _waiting(till: Till, status: Status, **columns: Any) -> str:
    with till.database.read() as tx:
        claimed_at = clocks(tx)[1]
    started = {"prior": Status.REQUESTED, "attempts": 1, "claimed_at": claimed_at}
    return till.refund(till.payment(), status=status, **{**started, **columns})


def _look_ups(
    till: Till, now: datetime, *, limit: int = 5, account: str = DEFAULT, gateway: str = "sandbox"
) -> list[Claim]:
    with till.database.begin() as tx:
        found = claims.claim_look_ups(
            tx,
            account=account,
            gateway=gateway,
            limit=limit,
            now=now,
            real=now,
            lease_until=now + LEASE,
        )
    return sorted(found, key=lambda claim: claim.refund_id)


def _instant(stored: Any) -> datetime:
    return datetime.fromisoformat(stored) if isinstance(stored, str) else stored
