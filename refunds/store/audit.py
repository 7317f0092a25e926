"""How far the audit of the payments' sums has come."""

from sqlalchemy import text

from refunds.store.database import Tx


def next_page(tx: Tx, *, limit: int) -> tuple[str, str | None]:
    """(after, through): the next payments in id order, taken for this transaction; through None: none left.

    After the last page it begins anew.
    """
    lock = "" if tx.dialect.name == "sqlite" else " FOR UPDATE"
    after = str(tx.execute(text(f"SELECT payment_id FROM audits{lock}")).scalar_one())
    through: str | None = tx.execute(
        text(
            """SELECT MAX(id) FROM (SELECT id FROM payments WHERE id > :after ORDER BY id LIMIT :limit)
            AS page""",
        ),
        {"after": after, "limit": limit},
    ).scalar_one()
    if through is not None or after:
        tx.execute(text("UPDATE audits SET payment_id = :at"), {"at": through or ""})
    return after, through
