"""What a judge asks of a ledger file from outside, while the sandbox runs or after it was killed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One money or look-up request as the sandbox saw it; no status: closed without an answer."""

    at: str
    method: str
    path: str
    transaction_id: str
    key: str | None
    step: str | None
    moved: bool
    status: int | None


def totals(path: Path) -> dict[str, int]:
    """Minor units refunded and not taken back, by currency; voids move no money and do not count."""
    with _reading(path) as db:
        return dict(
            db.execute(
                "SELECT currency, SUM(amount_minor) FROM refund"
                " WHERE kind = 'refund' AND status <> 'failed' GROUP BY currency"
            )
        )


def doubled(path: Path) -> list[str]:
    """References for which money moved or was promised more than once, and was not taken back."""
    with _reading(path) as db:
        return _doubled(db)


def paid(path: Path) -> dict[str, tuple[int, str]]:
    """Minor units and currency by reference, refunds and voids, not taken back; a double shows its sum."""
    with _reading(path) as db:
        rows = db.execute(
            "SELECT reference, SUM(amount_minor), currency FROM refund"
            " WHERE reference IS NOT NULL AND status <> 'failed' GROUP BY reference, currency"
        )
        return {reference: (amount_minor, currency) for reference, amount_minor, currency in rows}


def requests_for(path: Path, reference: str) -> list[SeenRequest]:
    """All requests that carried the reference, oldest first."""
    with _reading(path) as db:
        rows = db.execute(
            "SELECT at, method, path, transaction_id, key, step, moved, status FROM request"
            " WHERE reference = ? ORDER BY id",
            (reference,),
        )
        return [
            SeenRequest(at, method, path, transaction_id, key, step, bool(moved), status)
            for at, method, path, transaction_id, key, step, moved, status in rows
        ]


def summary(path: Path) -> dict[str, object]:
    """Counts, sums by currency, kind and status, and the doubled references, for a person to read."""
    with _reading(path) as db:
        return {
            "payments": db.execute("SELECT COUNT(*) FROM payment").fetchone()[0],
            "requests": db.execute("SELECT COUNT(*) FROM request").fetchone()[0],
            "refunds": [
                dict(zip(("currency", "kind", "status", "count", "amount_minor"), row, strict=True))
                for row in db.execute(
                    "SELECT currency, kind, status, COUNT(*), SUM(amount_minor) FROM refund"
                    " GROUP BY currency, kind, status ORDER BY currency, kind, status"
                )
            ],
            "doubled": _doubled(db),
        }


def _doubled(db: sqlite3.Connection) -> list[str]:
    rows = db.execute(
        "SELECT reference FROM refund WHERE reference IS NOT NULL AND status <> 'failed'"
        " GROUP BY reference HAVING COUNT(*) > 1 ORDER BY reference"
    )
    return [reference for (reference,) in rows]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    # Not mode=ro: a server killed in the middle of a commit leaves a journal that the next reader must be
    # able to roll back.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as db:
        db.execute("PRAGMA query_only=ON")
        yield db
