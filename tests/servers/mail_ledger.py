"""What the mail sink took, and how it is to misbehave: one SQLite file between its process and the tests."""

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from enum import StrEnum
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mail (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,              -- seconds since 1970
    mail_from TEXT NOT NULL,
    rcpt TEXT NOT NULL,
    message_id TEXT NOT NULL,      -- '' where the recipient was turned away before the message came
    subject TEXT NOT NULL,         -- decoded
    raw BLOB NOT NULL,
    accepted INTEGER NOT NULL,     -- 1: the sink has the message, whatever the client was told
    dropped INTEGER NOT NULL       -- 1: the connection was cut instead of an answer
);
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY,
    address TEXT,                  -- NULL: every address
    kind TEXT NOT NULL,
    times INTEGER                  -- how often still; NULL: for ever
);
"""


class Fault(StrEnum):
    """One way of misbehaving. Only with the last one has the sink taken the message."""

    REFUSE_4XX = "refuse_4xx"
    """451 to RCPT."""
    REFUSE_5XX = "refuse_5xx"
    """550 to RCPT."""
    HANG = "hang"
    """No answer to RCPT, until the client goes."""
    DROP_BEFORE_DATA = "drop_before_data"
    """The connection is cut instead of an answer to RCPT."""
    DROP_AFTER_DATA = "drop_after_data"
    """The message is taken and recorded, then the connection is cut instead of the 250."""


@dataclass(frozen=True, slots=True)
class SunkMail:
    """One message to one recipient, or one recipient turned away (not accepted, without message)."""

    id: int
    at: datetime
    mail_from: str
    rcpt: str
    message_id: str
    subject: str
    raw: bytes
    accepted: bool
    dropped: bool


class MailLedger:
    """The ledger at a path; made when it is not there. Each method is one transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._transaction() as connection:
            for statement in _SCHEMA.strip().removesuffix(";").split(";\n"):
                connection.execute(statement)

    def mails(self) -> list[SunkMail]:
        """What the sink took, oldest first."""
        return self._read("accepted")

    def turned_away(self) -> list[SunkMail]:
        """Recipients refused, hung or cut off before the message, oldest first."""
        return self._read("NOT accepted")

    def set_fault(self, address: str | None, kind: Fault, *, times: int | None = None) -> None:
        """Misbehave this often (None: for ever) to an address (None: to all), after its earlier faults."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO fault (address, kind, times) VALUES (?, ?, ?)",
                (address, kind, times),
            )

    def clear_faults(self) -> None:
        """Behave."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM fault")

    def take_fault(self, address: str, kinds: Collection[Fault]) -> Fault | None:
        """Use the address's oldest live fault up by one, if it is of these kinds."""
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT id, kind FROM fault WHERE (address IS NULL OR address = ? COLLATE NOCASE)"
                " AND (times IS NULL OR times > 0) ORDER BY id LIMIT 1",
                (address,),
            ).fetchone()
            if row is None or row["kind"] not in kinds:
                return None
            connection.execute("UPDATE fault SET times = times - 1 WHERE id = ?", (row["id"],))
            return Fault(row["kind"])

    def record(
        self,
        *,
        mail_from: str,
        recipients: Sequence[str],
        raw: bytes,
        accepted: bool,
        dropped: bool,
    ) -> None:
        """Write one row a recipient, all or none."""
        headers = message_from_bytes(raw)
        message_id = str(headers["Message-ID"] or "").strip()
        subject = str(make_header(decode_header(headers["Subject"] or "")))
        rows = [
            (time.time(), mail_from, recipient, message_id, subject, raw, accepted, dropped)
            for recipient in recipients
        ]
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO mail (at, mail_from, rcpt, message_id, subject, raw, accepted, dropped)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def _read(self, condition: str) -> list[SunkMail]:
        with self._transaction() as connection:
            rows = connection.execute(
                f"SELECT * FROM mail WHERE {condition} ORDER BY id",
            ).fetchall()
        return [
            SunkMail(
                id=row["id"],
                at=datetime.fromtimestamp(row["at"], UTC),
                mail_from=row["mail_from"],
                rcpt=row["rcpt"],
                message_id=row["message_id"],
                subject=row["subject"],
                raw=row["raw"],
                accepted=bool(row["accepted"]),
                dropped=bool(row["dropped"]),
            )
            for row in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            # Processes may be killed here, but the power stays on: this loses nothing and is quick.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection
