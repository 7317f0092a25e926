"""Rows to work on: refunds that are due, and refunds finished long ago, in the product's own tables."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import bindparam, text

from refunds.domain.schedule import Policy
from refunds.store import accounts, lanes, schema
from refunds.store.accounts import DEFAULT, Account
from refunds.store.database import Database, Tx
from refunds.store.types import Instant

GATEWAY = "sandbox"
AMOUNT_MINOR = 1_275

_ROWS_A_STATEMENT = 50_000
"""Each statement has to end within the database's statement limit."""


def prepare(database: Database) -> None:
    """Migrate; write the default account and its one lane."""
    schema.upgrade(database)
    with database.begin() as tx:
        accounts.put(tx, Account(DEFAULT, Policy(zone="UTC", run_at=time(9), retry_days=3), (), ()))
        lanes.ensure(tx, DEFAULT, GATEWAY)


def add_due(database: Database, *, count: int, tag: str) -> None:
    """`count` refunds that are due now, each of its own payment; their ids begin with `rf_` and `tag`."""
    now = datetime.now(UTC)
    rows: dict[str, Any] = {"first": 1, "last": count, "tag": tag, "at": now}
    with database.begin() as tx:
        _insert(tx, _PAYMENTS, rows, reserved=AMOUNT_MINOR, refunded=0)
        _insert(tx, _REFUNDS, rows, due=now, status="requested", tries=0)


def add_finished(database: Database, *, count: int, tag: str) -> None:
    """`count` refunds paid a month ago at the first attempt, with every row they leave behind."""
    at = datetime.now(UTC) - timedelta(days=30)
    for first in range(1, count + 1, _ROWS_A_STATEMENT):
        last = min(first + _ROWS_A_STATEMENT - 1, count)
        rows: dict[str, Any] = {"first": first, "last": last, "tag": tag, "at": at}
        with database.begin() as tx:
            _insert(tx, _PAYMENTS, rows, reserved=0, refunded=AMOUNT_MINOR)
            _insert(tx, _REFUNDS, rows, due=None, status="refunded", tries=1)
            _insert(tx, _ATTEMPTS, rows)
            _insert(tx, _INTAKE_LOG, rows)
            for old, new in ((None, "requested"), ("requested", "attempting"), ("attempting", "refunded")):
                _insert(tx, _HISTORY, rows, old=old, new=new)


_PAYMENTS = f"""INSERT INTO payments (id, account, gateway, order_id, transaction_id, currency, status,
        captured_minor, reserved_minor, refunded_minor, created_at)
    {{numbered}} SELECT 'pm_' || n, '{DEFAULT}', '{GATEWAY}', 'order_' || n, 'tx_' || n, 'GBP', 'captured',
        10000, :reserved, :refunded, :at FROM numbered"""

_REFUNDS = f"""INSERT INTO refunds (id, kind, account, gateway, payment_id, amount_minor, currency, status,
        due_at, fence, attempts, attempts_counted, request, requested_by, created_at, updated_at)
    {{numbered}} SELECT 'rf_' || n, 'refund', '{DEFAULT}', '{GATEWAY}', 'pm_' || n, {AMOUNT_MINOR}, 'GBP',
        :status, :due, :tries, :tries, :tries, '[]', 'bench', :at, :at FROM numbered"""

_ATTEMPTS = """INSERT INTO attempts (refund_id, number, fence, episode, counted_number, extra, key,
        claimed_at, sending_at, finished_at, outcome, request_id, http_status, duration_ms, worker)
    {numbered} SELECT 'rf_' || n, 1, 1, 1, 1, false, 'rf_' || n || '-1', :at, :at, :at, 'refunded',
        'req_' || n, 201, 12, 'worker:bench:1' FROM numbered"""

_INTAKE_LOG = """INSERT INTO intake_log (caller, key, body_hash, refund_id, at)
    {numbered} SELECT 'bench', 'key_' || n, '0123456789abcdef0123456789abcdef', 'rf_' || n, :at
    FROM numbered"""

_HISTORY = """INSERT INTO history (refund_id, at, actor, old, new, why)
    {numbered} SELECT 'rf_' || n, :at, 'worker:bench:1', :old, :new, 'bench' FROM numbered"""

_NUMBERED = {
    "postgresql": """WITH numbered AS (SELECT :tag || lpad(i::text, 12, '0') AS n
        FROM generate_series(CAST(:first AS bigint), :last) AS g(i))""",
    "sqlite": """WITH RECURSIVE g(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM g WHERE i < :last),
        numbered AS (SELECT :tag || printf('%012d', i) AS n FROM g)""",
}


def _insert(tx: Tx, sql: str, rows: dict[str, Any], **values: Any) -> None:
    statement = text(sql.format(numbered=_NUMBERED[tx.dialect.name]))
    times = [bindparam(name, type_=Instant()) for name in {"at", "due"} & {"at", *values}]
    tx.execute(statement.bindparams(*times), {**rows, **values})
