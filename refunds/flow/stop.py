"""Stop: refunds that must not go on are taken to a person, each with a notice; nothing else stops."""

from collections.abc import Sequence

import structlog

from refunds.domain.notice import NoticeKind
from refunds.domain.status import Status
from refunds.flow.notify import recipients_for
from refunds.flow.parts import Parts
from refunds.store import accounts, moves, notices, refunds
from refunds.store.database import Tx, clocks
from refunds.store.notices import Told

log = structlog.get_logger(__name__)

_STOPPABLE = {Status.REQUESTED, Status.QUEUED}


def stop_for_review(parts: Parts, tx: Tx, ids: Sequence[str], *, why: str) -> list[str]:
    """Move those of these refunds that wait to `needs_review`, and tell people; returns their ids.

    A failed one that was to be tried once more stays failed.
    """
    now, known = clocks(tx)[1], accounts.get_all(tx)
    found = refunds.get_many(tx, ids)
    stopped: list[str] = []
    for refund_id in sorted(found, key=lambda each: found[each].payment_id):
        refund = refunds.get(tx, refund_id, lock=True)
        if refund is None:
            continue
        if refund.status is Status.FAILED and refund.extra:
            kind = NoticeKind.FAILED
            moves.give_up_try(tx, refund, actor=parts.worker, why=why, now=now)
        elif refund.status in _STOPPABLE:
            kind = NoticeKind.NEEDS_REVIEW
            values = {"extra": False, **parts.watch_from(refund.gateway, now)}
            moves.move(
                tx, refund, new=Status.NEEDS_REVIEW, actor=parts.worker, why=why, now=now, values=values
            )
        else:
            continue
        told = Told(refund.id, refund.episode, kind, int(now.timestamp()))
        notices.add(tx, [(told, recipients_for(parts, tx, known, [refund])[refund.id])], now=now)
        log.error("refund.stopped", refund_id=refund.id, why=why)
        stopped.append(refund.id)
    return stopped
