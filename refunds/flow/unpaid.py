"""Still unpaid: an outage uses up no try, so somebody has to be told that a refund waits and waits."""

import structlog

from refunds.domain.schedule import TELL_AFTER, TELL_AGAIN, is_long_unpaid
from refunds.flow.notify import recipients_for
from refunds.flow.parts import Parts
from refunds.store import accounts, unpaid
from refunds.store.database import clocks

log = structlog.get_logger(__name__)

BATCH = 200


def tell_long_unpaid(parts: Parts) -> int:
    """Tell the configured addresses of refunds without a counted attempt for three local dates.

    Once, and weekly from then; whatever keeps them: an outage, a closed or paused lane, a missing worker.
    The refunds stay where they are. Returns how many were told of.
    """
    with parts.database.begin() as tx:
        now = clocks(tx)[1]
        known = accounts.get_all(tx)
        # Three local dates are never less than two days of 24 hours.
        since_before, told_before = now - TELL_AFTER * 2 / 3, now - TELL_AGAIN
        waiting = unpaid.long_waiting(tx, since_before=since_before, told_before=told_before, limit=BATCH)
        told = [
            item
            for item in waiting
            if is_long_unpaid(item.since, told_at=item.told_at, policy=known[item.account].policy, now=now)
        ]
        if told:
            unpaid.tell(tx, told, recipients_for(parts, tx, known, told), now=now)
    for item in told:
        log.warning("refund.still_unpaid", refund_id=item.refund_id, since=item.since.isoformat())
    return len(told)
