"""Stop: refunds that must not go on are taken to a person, each with a notice; nothing else stops."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from refunds.domain.notice import NoticeKind
from refunds.domain.status import Status
from refunds.flow.notify import recipients_for
from refunds.flow.parts import Parts
from refunds.store import accounts, moves, notices, refunds
from refunds.store.accounts import Account
from refunds.store.database import Tx, clocks
from refunds.store.notices import Told
from refunds.store.refunds import Refund

log = structlog.get_logger(__name__)

_STOPPABLE = {Status.REQUESTED, Status.QUEUED}
_UNKNOWN = {Status.ATTEMPTING, Status.IN_DOUBT, Status.SUBMITTED}
_GIVEN_UP = {Status.FAILED, Status.CANCELLED, Status.REFUNDED_EXTERNALLY}


def ask_a_person(parts: Parts, tx: Tx, ids: Sequence[str], *, why: str) -> None:
    """Move those of these refunds whose outcome is not known to `needs_review`, and tell people.

    Slot and reservation stay.
    """
    now, known = clocks(tx)[1], accounts.get_all(tx)
    found = refunds.get_many(tx, ids)
    for refund_id in sorted(found, key=lambda each: found[each].payment_id):
        refund = refunds.get(tx, refund_id, lock=True)
        if refund is None or refund.status not in _UNKNOWN:
            continue
        values = {"extra": False, "waiting_since": None, **parts.watch_from(refund.gateway, now)}
        moves.move(tx, refund, new=Status.NEEDS_REVIEW, actor=parts.worker, why=why, now=now, values=values)
        _tell(parts, tx, known, refund, NoticeKind.OUTCOME_UNKNOWN, now=now)
        log.error("refund.stopped", refund_id=refund.id, why=why)


def tell_late_proof(parts: Parts, tx: Tx, ids: Sequence[str]) -> None:
    """A late answer says that these were paid, and their gateway cannot be asked.

    What waits is taken to a person, for what was given up an alarm is raised.
    """
    why = "an answer that came too late says that it was paid"
    stop_for_review(parts, tx, ids, why=why)
    now, known = clocks(tx)[1], accounts.get_all(tx)
    for refund in refunds.get_many(tx, ids).values():
        if refund.status in _GIVEN_UP:
            _tell(parts, tx, known, refund, NoticeKind.PAID_ANYWAY, now=now)


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
            watch = parts.watch_from(refund.gateway, now)
            moves.give_up_try(tx, refund, actor=parts.worker, why=why, now=now, watch=watch)
        elif refund.status in _STOPPABLE:
            kind = NoticeKind.NEEDS_REVIEW
            values = {"extra": False, **parts.watch_from(refund.gateway, now)}
            moves.move(
                tx, refund, new=Status.NEEDS_REVIEW, actor=parts.worker, why=why, now=now, values=values
            )
        else:
            continue
        _tell(parts, tx, known, refund, kind, now=now)
        log.error("refund.stopped", refund_id=refund.id, why=why)
        stopped.append(refund.id)
    return stopped


def _tell(
    parts: Parts, tx: Tx, known: dict[str, Account], refund: Refund, kind: NoticeKind, *, now: datetime
) -> None:
    told = Told(refund.id, refund.episode, kind, int(now.timestamp()))
    notices.add(tx, [(told, recipients_for(parts, tx, known, [refund])[refund.id])], now=now)
