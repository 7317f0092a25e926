"""Refunds whose outcome has been unknown for long."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select

from refunds.store import tables
from refunds.store.database import Tx


def unknown_since(tx: Tx, *, before: datetime, real: datetime, limit: int) -> list[tuple[str, str, datetime]]:
    """(id, gateway, since when) of refunds in doubt or submitted since before then, no look-up under way."""
    refunds = tables.refunds
    rows = tx.execute(
        select(refunds.c.id, refunds.c.gateway, refunds.c.waiting_since)
        .where(refunds.c.status.in_(("in_doubt", "submitted")), refunds.c.waiting_since < before)
        .where(or_(refunds.c.lease_until.is_(None), refunds.c.lease_until < real))
        .order_by(refunds.c.waiting_since, refunds.c.id)
        .limit(limit)
    )
    return [(row.id, row.gateway, row.waiting_since) for row in rows]


def sent_to_unknown_gateways(tx: Tx, *, known: Sequence[str], real: datetime, limit: int) -> list[str]:
    """Attempts whose lease ran out after sending began, at gateways that nobody here knows."""
    refunds = tables.refunds
    rows = tx.execute(
        select(refunds.c.id)
        .where(refunds.c.status == "attempting", refunds.c.sending_at.is_not(None))
        .where(refunds.c.lease_until < real, refunds.c.gateway.not_in(list(known)))
        .order_by(refunds.c.id)
        .limit(limit)
    )
    return [row.id for row in rows]
