"""The sandbox's own ledger: one SQLite file, written by one server, read by judges while it runs."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from refunds.sandbox.messages import Options, PaymentEntry
from refunds.sandbox.records import Later, Payment, Refund, Seen, Stored, stamp, unknown_payment
from refunds.sandbox.schema import SCHEMA
from refunds.sandbox.script import Progress, Script, Step


class Ledger:
    """Plain reads and writes; the rules are the teller's. Writes belong between `begin` and `commit`."""

    def __init__(self, path: Path) -> None:
        # synchronous=OFF: the kernel keeps what a killed process has written, and only losing the whole
        # machine could lose a commit; a sandbox need not outlive that. No WAL: with a rollback journal the
        # one file is the truth, and any SQLite may open it read-only at any time.
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=TRUNCATE")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        """Start a transaction."""
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make it last; waits up to 30 s for a judge who is reading."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Forget it; a failed commit may have done so already."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def now(self) -> datetime:
        """The sandbox's clock: this machine's plus the stored offset."""
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset())

    def clock_offset(self) -> float:
        """Seconds by which the sandbox's clock is ahead."""
        return float(self._one("SELECT clock_offset_seconds FROM setting")[0])

    def set_clock_offset(self, seconds: float) -> None:
        """Move the clock; it may go back, and nothing that happened is undone by that."""
        self._db.execute("UPDATE setting SET clock_offset_seconds = ?", (seconds,))

    def payment(self, transaction_id: str) -> Payment | None:
        """The payment as it stands, or None."""
        row = self._first(
            "SELECT *, refunded_before_minor + (SELECT COALESCE(SUM(amount_minor), 0) FROM refund"
            " WHERE transaction_id = payment.transaction_id AND kind = 'refund' AND status <> 'failed')"
            " AS refunded_minor FROM payment WHERE transaction_id = ?",
            (transaction_id,),
        )
        if row is None:
            return None
        return Payment(
            transaction_id=row["transaction_id"],
            currency=row["currency"],
            captured_minor=row["captured_minor"],
            authorized_minor=row["authorized_minor"],
            refunded_minor=row["refunded_minor"],
            disputed=bool(row["disputed"]),
            voided=bool(row["voided"]),
            script=row["script"],
            options=_options(row["options"]),
        )

    def open_payment(self, transaction_id: str, currency: str) -> Payment:
        """Take on an unknown payment as captured without limit."""
        payment = unknown_payment(transaction_id, currency)
        self._db.execute(
            "INSERT INTO payment (transaction_id, currency, captured_minor, open) VALUES (?, ?, ?, 1)",
            (transaction_id, currency, payment.captured_minor),
        )
        return payment

    def put_payments(self, entries: Iterable[PaymentEntry]) -> None:
        """Add or replace payments; refunds, disputes and the progress of an unchanged script stay."""
        rows = [
            (
                entry.transaction_id,
                entry.currency,
                entry.captured_minor,
                entry.authorized_minor,
                entry.refunded_before_minor,
                _json(entry.script),
                _json(entry.options),
            )
            for entry in entries
        ]
        self._db.executemany(
            "DELETE FROM progress WHERE transaction_id = ?1 AND ?2 <> COALESCE("
            "(SELECT script FROM payment WHERE transaction_id = ?1), '')",
            [(row[0], row[5]) for row in rows if row[5] is not None],
        )
        self._db.executemany(
            "INSERT INTO payment (transaction_id, currency, captured_minor, authorized_minor,"
            " refunded_before_minor, script, options) VALUES (?1, ?2, ?3, ?4, ?5, ?6, COALESCE(?7, '{}'))"
            " ON CONFLICT (transaction_id) DO UPDATE SET currency = ?2, captured_minor = ?3,"
            " authorized_minor = ?4, refunded_before_minor = ?5, open = 0,"
            " script = COALESCE(?6, script), options = COALESCE(?7, options)",
            rows,
        )

    def set_disputed(self, transaction_id: str, *, disputed: bool) -> None:
        """Mark or unmark a dispute."""
        self._db.execute(
            "UPDATE payment SET disputed = ? WHERE transaction_id = ?", (disputed, transaction_id)
        )

    def set_voided(self, transaction_id: str, *, voided: bool) -> None:
        """Mark or unmark the payment as voided."""
        self._db.execute("UPDATE payment SET voided = ? WHERE transaction_id = ?", (voided, transaction_id))

    def set_script(self, transaction_id: str, script: Script | None) -> None:
        """Replace the payment's script and begin it anew; None: the default script holds again."""
        self._db.execute(
            "UPDATE payment SET script = ? WHERE transaction_id = ?", (_json(script), transaction_id)
        )
        self._db.execute("DELETE FROM progress WHERE transaction_id = ?", (transaction_id,))

    def set_default_script(self, script: Script | None) -> None:
        """Replace the script of all payments without one of their own, and begin it anew for each."""
        self._db.execute("UPDATE setting SET default_script = ?", (_json(script),))
        self._db.execute(
            "DELETE FROM progress WHERE transaction_id IN"
            " (SELECT transaction_id FROM payment WHERE script IS NULL)"
        )

    def steps(self, payment: Payment) -> Sequence[Step]:
        """Steps of the payment's own script, else of the default script."""
        text = payment.script or self._one("SELECT default_script FROM setting")[0]
        return () if text is None else _steps(text)

    def progress(self, transaction_id: str) -> Progress:
        """How far the payment is in its script."""
        row = self._first("SELECT * FROM progress WHERE transaction_id = ?", (transaction_id,))
        if row is None:
            return Progress()
        first = row["first_used_on"]
        return Progress(row["step"], row["used"], None if first is None else date.fromisoformat(first))

    def set_progress(self, transaction_id: str, progress: Progress) -> None:
        """Keep how far the payment is in its script."""
        first = progress.first_used_on
        self._db.execute(
            "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)",
            (transaction_id, progress.step, progress.used, None if first is None else first.isoformat()),
        )

    def add_refund(self, refund: Refund) -> None:
        """Money moved or was promised."""
        self._db.execute(
            "INSERT INTO refund VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                refund.id,
                refund.transaction_id,
                refund.reference,
                refund.key,
                refund.kind,
                refund.amount_minor,
                refund.currency,
                refund.status,
                refund.code,
                refund.created_at,
                refund.final_at,
            ),
        )

    def finish_refund(self, refund_id: str, *, status: str, code: str | None, at: datetime) -> Refund:
        """Give a refund its final status."""
        row = self._one(
            "UPDATE refund SET status = ?, code = ?, final_at = ? WHERE id = ? RETURNING *",
            (status, code, stamp(at), refund_id),
        )
        return Refund(*row)

    def refunds(self, transaction_id: str, reference: str | None) -> list[Refund]:
        """Refunds and voids of a payment, oldest first; with a reference only those that carry it."""
        rows = self._db.execute(
            "SELECT * FROM refund WHERE transaction_id = ?1 AND (?2 IS NULL OR reference = ?2)"
            " ORDER BY rowid",
            (transaction_id, reference),
        )
        return [Refund(*row) for row in rows]

    def has_equal_refund(self, transaction_id: str, *, amount_minor: int, since: datetime) -> bool:
        """Whether an equal amount was paid or promised after that moment."""
        row = self._first(
            "SELECT 1 FROM refund WHERE transaction_id = ? AND kind = 'refund' AND status <> 'failed'"
            " AND amount_minor = ? AND created_at > ?",
            (transaction_id, amount_minor, stamp(since)),
        )
        return row is not None

    def stored(self, key: str, now: datetime) -> Stored | None:
        """What is kept under the key, if its life has not ended."""
        row = self._first(
            "SELECT fingerprint, status, body FROM idempotency WHERE key = ? AND expires_at > ?",
            (key, stamp(now)),
        )
        return None if row is None else Stored(*row)

    def store(self, key: str, stored: Stored, *, expires_at: datetime) -> None:
        """Keep this under the key until then."""
        self._db.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)",
            (key, stored.fingerprint, stored.status, stored.body, stamp(expires_at)),
        )

    def add_later(self, later: Later) -> None:
        """Let this happen when the clock gets there."""
        self._db.execute(
            "INSERT INTO later (due_at, refund_id, status, code, money_order) VALUES (?, ?, ?, ?, ?)",
            (stamp(later.due_at), later.refund_id, later.status, later.code, later.money_order),
        )

    def is_due(self, now: datetime) -> bool:
        """Whether anything waits to happen; needs no transaction."""
        return self._first("SELECT 1 FROM later WHERE due_at <= ?", (stamp(now),)) is not None

    def take_due(self, now: datetime) -> Later | None:
        """The next thing that is due, taken off the list."""
        row = self._first(
            "DELETE FROM later WHERE id = (SELECT id FROM later WHERE due_at <= ? ORDER BY due_at, id)"
            " RETURNING due_at, refund_id, status, code, money_order",
            (stamp(now),),
        )
        return None if row is None else Later(datetime.fromisoformat(row[0]), *row[1:])

    def add_request(
        self, seen: Seen, *, at: datetime, step: str | None, moved: bool, status: int | None
    ) -> None:
        """Note a money or look-up request and what was answered."""
        self._db.execute(
            "INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                seen.number,
                stamp(at),
                seen.method,
                seen.path,
                seen.transaction_id,
                seen.reference,
                seen.key,
                step,
                moved,
                status,
            ),
        )

    def last_request(self) -> int:
        """Highest request number so far."""
        return int(self._one("SELECT COALESCE(MAX(id), 0) FROM request")[0])

    def _one(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row:
        row = self._first(sql, values)
        if row is None:
            raise LookupError(f"no row for {sql}")
        return row

    def _first(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return row


def _json(message: Script | Options | None) -> str | None:
    return None if message is None else message.model_dump_json(exclude_unset=True)


@lru_cache(maxsize=1024)
def _options(text: str) -> Options:
    return Options.model_validate_json(text)


@lru_cache(maxsize=1024)
def _steps(text: str) -> Sequence[Step]:
    return tuple(Script.model_validate_json(text).steps)
