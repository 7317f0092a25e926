"""Audit: every payment's sums are compared with its refunds, page by page, for ever."""

import structlog

from refunds.flow.parts import Parts
from refunds.flow.stop import stop_for_review
from refunds.store import audit, refunds

log = structlog.get_logger(__name__)

PAGE = 2000


def audit_sums(parts: Parts) -> int:
    """Audit the next page of payments; returns how many do not add up.

    What still waits on such a payment is stopped and told; everything else goes on.
    """
    with parts.database.begin() as tx:
        after, through = audit.next_page(tx, limit=PAGE)
        broken = refunds.broken_sums(tx, after=after, through=through) if through is not None else []
        for payment_id in broken:
            log.error("audit.broken_sum", payment_id=payment_id)
            why = f"the sums of payment {payment_id} do not add up"
            stop_for_review(parts, tx, refunds.of_payment(tx, payment_id), why=why)
        for payment_id in refunds.waiting_beyond_capture(tx, after=after, through=through or after):
            why = f"more than was captured has left payment {payment_id}"
            stop_for_review(parts, tx, refunds.of_payment(tx, payment_id), why=why)
    return len(broken)
