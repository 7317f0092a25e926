"""Moves of one locked refund that no attempt led to: what people decide, and what stops a refund."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text, update

from refunds.domain.status import Kind, Status, check_transition
from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.refunds import Refund


def move(
    tx: Tx,
    refund: Refund,
    *,
    new: Status,
    actor: str,
    why: str,
    now: datetime,
    values: Mapping[str, Any],
) -> None:
    """Change the status of a locked refund by hand, with its line of history.

    Raises IllegalTransitionError. `values` are further columns; the due time goes unless given.
    """
    check_transition(refund.status, new)
    changed = {"status": new, "wait": None, "due_at": None, "updated_at": now, **_ANEW, **values}
    tx.execute(update(tables.refunds).where(tables.refunds.c.id == refund.id).values(**changed))
    note(tx, refund, actor=actor, new=new, why=why, now=now)


def try_now(tx: Tx, refund: Refund, *, actor: str, why: str, now: datetime) -> None:
    """Make one extra, uncounted attempt due at once; the status moves when it is claimed."""
    tx.execute(
        update(tables.refunds)
        .where(tables.refunds.c.id == refund.id)
        .values(due_at=now, extra=True, updated_at=now, **_ANEW),
    )
    note(tx, refund, actor=actor, new=refund.status, why=why, now=now)


def give_up_try(
    tx: Tx, refund: Refund, *, actor: str, why: str, now: datetime, watch: Mapping[str, Any]
) -> None:
    """Take an extra try of a failed refund back, and what was reserved for it."""
    gone = {"due_at": None, "extra": False, "lost_leases": 0, "updated_at": now, **_ANEW, **watch}
    tx.execute(update(tables.refunds).where(tables.refunds.c.id == refund.id).values(**gone))
    shift(tx, refund, reserved=-1)
    note(tx, refund, actor=actor, new=refund.status, why=why, now=now)


def note(tx: Tx, refund: Refund, *, actor: str, new: Status, why: str, now: datetime) -> None:
    """One line of history."""
    row = {"refund_id": refund.id, "at": now, "actor": actor, "old": refund.status, "new": new, "why": why}
    tx.execute(insert(tables.history), [row])


_ANEW: Mapping[str, Any] = {
    "fence": tables.refunds.c.fence + 1,
    "lease_until": None,
    "watch_at": None,
    "watch_until": None,
}
"""Whoever is asking about it meanwhile changes nothing any more."""


def shift(tx: Tx, refund: Refund, *, reserved: int, refunded: int = 0, external: int = 0) -> None:
    """Add the amount so often (-1, 0, 1) to its payment's sums, and free the slot if this refund held it.

    A void has no amount in them. The CHECK on the payment is the last line of defence.
    """
    amount = refund.amount_minor if refund.kind is Kind.REFUND else 0
    tx.execute(
        text(
            """UPDATE payments SET reserved_minor = reserved_minor + :reserved,
            refunded_minor = refunded_minor + :refunded, external_minor = external_minor + :external,
            status = CASE WHEN :voided = 1 THEN 'voided' ELSE status END,
            slot = CASE WHEN slot = :refund THEN NULL ELSE slot END WHERE id = :id""",
        ),
        {
            "reserved": reserved * amount,
            "refunded": refunded * amount,
            "external": external * amount,
            "voided": int(refund.kind is Kind.VOID and refunded > 0),
            "refund": refund.id,
            "id": refund.payment_id,
        },
    )
