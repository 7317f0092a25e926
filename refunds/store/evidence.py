"""Evidence: late answers and other finds about a refund, kept as they came."""

from typing import Any

from sqlalchemy import select

from refunds.store import tables
from refunds.store.database import Tx


def evidence_of(tx: Tx, refund_id: str) -> list[dict[str, Any]]:
    """Every find about a refund, in order."""
    evidence = tables.evidence
    rows = tx.execute(select(evidence).where(evidence.c.refund_id == refund_id).order_by(evidence.c.id))
    return [dict(row) for row in rows.mappings()]
