"""What is judged, read once at the end: the product's database, the sandbox's ledger, the mail sink's."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from refunds.sandbox import judge
from refunds.store import tables
from refunds.store.refunds import broken_sums
from tests.guarantees.processes.city import City
from tests.servers.mail_ledger import SunkMail

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MoneyRequest:
    """One POST or look-up as the sandbox's ledger has it; no status: closed without an answer."""

    at: datetime
    method: str
    transaction_id: str
    reference: str
    key: str | None
    step: str
    moved: bool
    status: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """A mail that the sink took: about which refund, to whom, what of."""

    refund_id: str
    address: str
    event: str
    message_id: str
    dropped: bool


@dataclass
class Facts:
    """All of it."""

    refunds: dict[str, Row]
    payments: dict[str, Row]
    keys: list[Row]
    attempts: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    history: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    look_ups: list[Row] = field(default_factory=list)
    evidence: list[Row] = field(default_factory=list)
    notices: list[Row] = field(default_factory=list)
    broken_sums: list[str] = field(default_factory=list)
    requests: dict[str, list[MoneyRequest]] = field(default_factory=lambda: defaultdict(list))
    moves: list[Row] = field(default_factory=list)
    """The sandbox's refunds."""
    doubled: list[str] = field(default_factory=list)
    mails: list[Told] = field(default_factory=list)
    logs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How often our processes logged each event."""

    def status(self, refund_id: str) -> str:
        """Of a refund of ours; anything else is no refund of ours."""
        refund = self.refunds.get(refund_id)
        return "no refund of ours" if refund is None else str(refund["status"])

    def paid(self) -> dict[str, int]:
        """Minor units that the sandbox moved and did not take back, by reference."""
        sums: dict[str, int] = defaultdict(int)
        for move in self.moves:
            if move["status"] != "failed":
                sums[move["reference"]] += move["amount_minor"]
        return sums


def gather(city: City) -> Facts:
    """Read everything, after the city has come to rest."""
    with city.database.read() as tx:

        def rows(table: Table) -> list[Row]:
            return [dict(row) for row in tx.execute(select(table)).mappings()]

        facts = Facts(
            refunds={row["id"]: row for row in rows(tables.refunds)},
            payments={row["id"]: row for row in rows(tables.payments)},
            keys=rows(tables.intake_log),
            look_ups=rows(tables.look_ups),
            evidence=rows(tables.evidence),
            notices=rows(tables.notices),
            broken_sums=broken_sums(tx),
        )
        for row in sorted(rows(tables.attempts), key=lambda row: row["number"]):
            facts.attempts[row["refund_id"]].append(row)
        for row in sorted(rows(tables.history), key=lambda row: row["id"]):
            facts.history[row["refund_id"]].append(row)
    _read_ledger(city.bank.ledger, facts)
    facts.doubled = judge.doubled(city.bank.ledger)
    facts.mails = [_told(mail) for mail in city.sink.mails()]
    for resident in city.residents.values():
        _count_events(resident.log, facts)
    return facts


def _read_ledger(path: Path, facts: Facts) -> None:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as db:
        db.row_factory = sqlite3.Row
        facts.moves = [dict(row) for row in db.execute("SELECT * FROM refund ORDER BY created_at")]
        for row in db.execute("SELECT * FROM request ORDER BY id"):
            facts.requests[row["reference"] or ""].append(
                MoneyRequest(
                    datetime.fromisoformat(row["at"]),
                    row["method"],
                    row["transaction_id"],
                    row["reference"] or "",
                    row["key"],
                    row["step"] or "",
                    bool(row["moved"]),
                    row["status"],
                )
            )


def _told(mail: SunkMail) -> Told:
    message = message_from_bytes(mail.raw)
    refund = str(message["X-Moneyback-Refund"] or "").strip()
    event = str(message["X-Moneyback-Event"] or "").strip()
    return Told(refund, mail.rcpt, event, mail.message_id, mail.dropped)


def _count_events(log: Path, facts: Facts) -> None:
    for line in log.read_bytes().splitlines():
        _, mark, rest = line.partition(b'"event": "')
        if mark:
            facts.logs[rest.partition(b'"')[0].decode("utf-8", "replace")] += 1


def story(facts: Facts, refund_id: str) -> str:
    """Everything known of one refund, for whoever has to find out what happened."""
    refund = facts.refunds.get(refund_id)
    lines = [f"== {refund_id}: {refund and {k: refund[k] for k in ('status', 'gateway', 'amount_minor')}}"]
    lines += [
        f"history {row['at']} {row['old']} -> {row['new']}: {row['why']}" for row in facts.history[refund_id]
    ]
    lines += [f"attempt {dict(row)}" for row in facts.attempts[refund_id]]
    lines += [f"look-up {dict(row)}" for row in facts.look_ups if row["refund_id"] == refund_id]
    lines += [f"evidence {dict(row)}" for row in facts.evidence if row["refund_id"] == refund_id]
    lines += [f"sandbox request {request}" for request in facts.requests[refund_id]]
    lines += [f"sandbox refund {move}" for move in facts.moves if move["reference"] == refund_id]
    return "\n".join(lines)
