"""The tables. All state of moneyback is here; amounts are integer minor units, times UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from refunds.store.types import JSON_DOCUMENT, Instant

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only INTEGER keys by itself


def _money(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _row_number() -> Column[int]:
    return Column("id", _ROW_NUMBER, Identity(always=False), primary_key=True)


clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("offset_seconds", Float, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
"""One row: how far the virtual clock of tests and demos is ahead. Refused in production."""

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("zone", String(64), nullable=False),
    Column("run_at", String(5), nullable=False),
    Column("retry_days", Integer, nullable=False),
    Column("permanent_failures", String(8), nullable=False),
    Column("notify_emails", JSON_DOCUMENT, nullable=False),
    Column("notify_domains", JSON_DOCUMENT, nullable=False),
)

lanes = Table(
    "lanes",
    metadata,
    Column("account", String(64), ForeignKey("accounts.id"), primary_key=True),
    Column("gateway", String(32), primary_key=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    # Set: closed. No attempt begins before a probe has gone well; none is made before this instant.
    Column("closed_until", Instant),
    # Set: open again, with no more than so many calls at once in each process.
    Column("reopening", Integer),
)

pauses = Table(
    "pauses",
    metadata,
    Column("gateway", String(32), primary_key=True),
    Column("by", String(200), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("at", Instant, nullable=False),
)
"""Gateways on which no attempt may begin, in all accounts; the name `*` stands for every gateway."""

restores = Table(
    "restores",
    metadata,
    _row_number(),
    Column("at", Instant, nullable=False),
    Column("by", String(200), nullable=False),
    Column("why", String(500), nullable=False),
)
"""When this database was found or told to be an older one than the gateways' answers."""

audits = Table(
    "audits",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("payment_id", String(30), nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
"""One row: the payment up to which the sums were audited."""

payments = Table(
    "payments",
    metadata,
    Column("id", String(30), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.id"), nullable=False),
    Column("gateway", String(32), nullable=False),
    Column("order_id", String(200), nullable=False),
    Column("transaction_id", String(200), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(12), nullable=False),
    _money("captured_minor"),
    _money("authorized_minor"),
    _money("refunded_minor"),
    _money("reserved_minor"),
    _money("external_minor"),
    _money("disputed_minor"),
    _money("excess_minor"),
    Column("refunded_before_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("slot", String(30)),
    Column("method", String(64)),
    Column("items", JSON_DOCUMENT),
    Column("metadata", JSON_DOCUMENT),
    Column("captured_at", Instant),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("account", "gateway", "transaction_id"),
    CheckConstraint(
        "reserved_minor + refunded_minor + external_minor + disputed_minor <= captured_minor + excess_minor",
        name="never_over_captured",
    ),
    CheckConstraint(
        "captured_minor >= 0 AND authorized_minor >= 0 AND refunded_minor >= 0 AND reserved_minor >= 0"
        " AND external_minor >= 0 AND disputed_minor >= 0 AND excess_minor >= 0",
        name="no_negative_sum",
    ),
    Index("ix_payments_order_id", "account", "order_id"),
    Index("ix_payments_transaction_id", "account", "transaction_id"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", String(30), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("account", String(64), nullable=False),
    Column("gateway", String(32), nullable=False),
    Column("payment_id", String(30), ForeignKey("payments.id"), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(20), nullable=False),
    Column("wait", String(8)),
    # When the next step is due; empty where only a person or nothing can move it, and while it is attempted.
    Column("due_at", Instant),
    # The claim. `fence` rises with every claim and is repeated by every later write.
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("lease_until", Instant),
    Column("claimed_at", Instant),
    Column("sending_at", Instant),
    Column("prior", String(20)),
    Column("extra", Boolean, nullable=False, server_default=text("false")),
    # The schedule.
    Column("episode", Integer, nullable=False, server_default=text("1")),
    Column("generation", Integer, nullable=False, server_default=text("1")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("attempts_counted", Integer, nullable=False, server_default=text("0")),
    Column("last_counted_at", Instant),
    Column("key_sent_at", Instant),
    Column("deferrals", Integer, nullable=False, server_default=text("0")),
    Column("look_ups", Integer, nullable=False, server_default=text("0")),
    Column("waiting_since", Instant),
    Column("absent_at", Instant),
    Column("told_at", Instant),  # when people were last told that it is still unpaid
    Column("look_first", Boolean, nullable=False, server_default=text("false")),
    Column("lost_leases", Integer, nullable=False, server_default=text("0")),  # in a row, without an outcome
    # When the gateway is asked again about a refund that is at its end, and until when.
    Column("watch_at", Instant),
    Column("watch_until", Instant),
    # What is known.
    Column("gateway_reference", String(200)),
    Column("failure_code", String(100)),
    Column("failure_text", String(500)),
    Column("failure_at", Instant),
    Column("reason", String(500)),
    Column("request", JSON_DOCUMENT, nullable=False),
    Column("requested_by", String(100), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("amount_minor > 0", name="positive_amount"),
    Index("ix_refunds_payment_id", "payment_id"),
    Index(
        "ix_refunds_due",
        "account",
        "gateway",
        "status",
        "due_at",
        "id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_refunds_lease",
        "lease_until",
        sqlite_where=text("lease_until IS NOT NULL"),
        postgresql_where=text("lease_until IS NOT NULL"),
    ),
    Index("ix_refunds_status", "status", "id"),
    Index(
        "ix_refunds_watch",
        "account",
        "gateway",
        "watch_at",
        sqlite_where=text("watch_at IS NOT NULL"),
        postgresql_where=text("watch_at IS NOT NULL"),
    ),
    # The last line of defence for one refund in flight per payment.
    Index(
        "uq_refunds_in_flight",
        "payment_id",
        unique=True,
        sqlite_where=text("status IN ('attempting', 'in_doubt')"),
        postgresql_where=text("status IN ('attempting', 'in_doubt')"),
    ),
    # A void takes the whole payment: one at a time.
    Index(
        "uq_refunds_void",
        "payment_id",
        unique=True,
        sqlite_where=text("kind = 'void' AND status NOT IN ('failed', 'cancelled')"),
        postgresql_where=text("kind = 'void' AND status NOT IN ('failed', 'cancelled')"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("refund_id", String(30), ForeignKey("refunds.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("counted_number", Integer),
    Column("extra", Boolean, nullable=False),
    Column("key", String(64), nullable=False),
    Column("claimed_at", Instant, nullable=False),
    Column("snapshot", JSON_DOCUMENT),
    Column("sending_at", Instant),
    Column("finished_at", Instant),
    Column("outcome", String(12)),
    Column("code", String(100)),
    Column("text", String(500)),
    Column("request_id", String(200)),
    Column("http_status", Integer),
    Column("duration_ms", Integer),
    Column("worker", String(64), nullable=False),
    UniqueConstraint("refund_id", "episode", "counted_number"),
)
"""One recorded try at one gateway call. An empty outcome reads: prepared, or sending and never heard of."""

look_ups = Table(
    "look_ups",
    metadata,
    _row_number(),
    Column("refund_id", String(30), ForeignKey("refunds.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("finding", String(12), nullable=False),
    Column("code", String(100)),
    Column("text", String(500)),
    Column("duration_ms", Integer, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    _row_number(),
    Column("refund_id", String(30), ForeignKey("refunds.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("source", String(32), nullable=False),
    Column("content", JSON_DOCUMENT, nullable=False),
)
"""Late answers of workers that had lost their lease, and other finds. They change nothing by themselves."""

history = Table(
    "history",
    metadata,
    _row_number(),
    Column("refund_id", String(30), ForeignKey("refunds.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("old", String(20)),
    Column("new", String(20), nullable=False),
    Column("why", String(500), nullable=False),
)
"""Every change of status, append-only: triggers refuse UPDATE and DELETE."""

intake_log = Table(
    "intake_log",
    metadata,
    Column("caller", String(100), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    # The key is taken first, its refund follows in the same transaction.
    Column("refund_id", String(30), ForeignKey("refunds.id", deferrable=True, initially="DEFERRED")),
    Column("problem", JSON_DOCUMENT),
    Column("at", Instant, nullable=False),
)
"""Idempotency keys. A row lives as long as its refund; a kept refusal answers the same again."""

parked = Table(
    "parked",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("source", String(32), nullable=False),
    Column("raw", Text, nullable=False),
    Column("why", String(500), nullable=False),
)
"""Messages that could not be read or were refused: kept for a person, never dropped."""

notices = Table(
    "notices",
    metadata,
    Column("id", String(30), primary_key=True),
    Column("refund_id", String(30), ForeignKey("refunds.id"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("occurrence", Integer, nullable=False, server_default=text("1")),
    Column("address", String(320), nullable=False),
    Column("why", String(200), nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("status", String(12), nullable=False),
    Column("due_at", Instant),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("lease_until", Instant),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("message_id", String(200)),
    Column("response", String(500)),
    Column("delivered_at", Instant),
    UniqueConstraint("refund_id", "episode", "kind", "occurrence", "address"),
    Index(
        "ix_notices_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

follow_ups = Table(
    "follow_ups",
    metadata,
    _row_number(),
    Column("refund_id", String(30), ForeignKey("refunds.id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("status", String(12), nullable=False),
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("content", JSON_DOCUMENT),
    UniqueConstraint("refund_id", "kind"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(30), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON_DOCUMENT, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

ticks = Table(
    "ticks",
    metadata,
    Column("tick", String(32), primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", String(64), nullable=False),
)
"""Who ticked when: any number of schedulers share the ticks, each slot is taken once."""

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("process", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("host", String(255), nullable=False),
    Column("at", Instant, nullable=False),
)
