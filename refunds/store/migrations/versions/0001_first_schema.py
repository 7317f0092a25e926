"""First schema."""

import sqlalchemy as sa
from alembic import op

from refunds.store.types import JSON_DOCUMENT, Instant

revision = "0001"
down_revision = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_tables()
    op.execute("INSERT INTO clock (id, offset_seconds) VALUES (1, 0)")
    _refuse_changes_of_history()


def _refuse_changes_of_history() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            """CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'history is append-only'; END $$""",
        )
        op.execute(
            """CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE ON history
            FOR EACH ROW EXECUTE FUNCTION history_is_append_only()""",
        )
        op.execute(
            """CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON history
            FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only()""",
        )
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"""CREATE TRIGGER history_no_{act.lower()} BEFORE {act} ON history
            BEGIN SELECT RAISE(ABORT, 'history is append-only'); END""",
        )


def _create_tables() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("run_at", sa.String(length=5), nullable=False),
        sa.Column("retry_days", sa.Integer(), nullable=False),
        sa.Column("permanent_failures", sa.String(length=8), nullable=False),
        sa.Column("notify_emails", JSON_DOCUMENT, nullable=False),
        sa.Column("notify_domains", JSON_DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset_seconds", sa.Float(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_clock_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "parked",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_parked")),
    )
    op.create_table(
        "ticks",
        sa.Column("tick", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tick", "slot", name=op.f("pk_ticks")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", JSON_DOCUMENT, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    op.create_table(
        "lanes",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed_until", Instant(), nullable=True),
        sa.Column("paused_by", sa.String(length=200), nullable=True),
        sa.Column("paused_at", Instant(), nullable=True),
        sa.Column("paused_reason", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_lanes_account")),
        sa.PrimaryKeyConstraint("account", "gateway", name=op.f("pk_lanes")),
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.String(length=30), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=200), nullable=False),
        sa.Column("transaction_id", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("authorized_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("external_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("disputed_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("excess_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_before_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("slot", sa.String(length=30), nullable=True),
        sa.Column("method", sa.String(length=64), nullable=True),
        sa.Column("items", JSON_DOCUMENT, nullable=True),
        sa.Column("metadata", JSON_DOCUMENT, nullable=True),
        sa.Column("captured_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "captured_minor >= 0 AND authorized_minor >= 0 AND refunded_minor >= 0 AND reserved_minor >= 0 AND external_minor >= 0 AND disputed_minor >= 0 AND excess_minor >= 0",
            name=op.f("ck_payments_no_negative_sum"),
        ),
        sa.CheckConstraint(
            "reserved_minor + refunded_minor + external_minor + disputed_minor <= captured_minor + excess_minor",
            name=op.f("ck_payments_never_over_captured"),
        ),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_payments_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint(
            "account", "gateway", "transaction_id", name=op.f("uq_payments_account_gateway_transaction_id")
        ),
    )
    op.create_index("ix_payments_order_id", "payments", ["account", "order_id"], unique=False)
    op.create_index("ix_payments_transaction_id", "payments", ["account", "transaction_id"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(length=30), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("payment_id", sa.String(length=30), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("wait", sa.String(length=8), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("claimed_at", Instant(), nullable=True),
        sa.Column("sending_at", Instant(), nullable=True),
        sa.Column("prior", sa.String(length=20), nullable=True),
        sa.Column("extra", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("episode", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts_counted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_counted_at", Instant(), nullable=True),
        sa.Column("key_sent_at", Instant(), nullable=True),
        sa.Column("deferrals", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("look_ups", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("waiting_since", Instant(), nullable=True),
        sa.Column("absent_at", Instant(), nullable=True),
        sa.Column("told_at", Instant(), nullable=True),
        sa.Column("gateway_reference", sa.String(length=200), nullable=True),
        sa.Column("failure_code", sa.String(length=100), nullable=True),
        sa.Column("failure_text", sa.String(length=500), nullable=True),
        sa.Column("failure_at", Instant(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("request", JSON_DOCUMENT, nullable=False),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refunds_positive_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
    )
    op.create_index(
        "ix_refunds_due",
        "refunds",
        ["account", "gateway", "status", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_refunds_lease",
        "refunds",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("lease_until IS NOT NULL"),
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"], unique=False)
    op.create_index("ix_refunds_status", "refunds", ["status", "id"], unique=False)
    op.create_index(
        "uq_refunds_in_flight",
        "refunds",
        ["payment_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('attempting', 'in_doubt')"),
        postgresql_where=sa.text("status IN ('attempting', 'in_doubt')"),
    )
    op.create_index(
        "uq_refunds_void",
        "refunds",
        ["payment_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'void' AND status NOT IN ('failed', 'cancelled')"),
        postgresql_where=sa.text("kind = 'void' AND status NOT IN ('failed', 'cancelled')"),
    )
    op.create_table(
        "attempts",
        sa.Column("refund_id", sa.String(length=30), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("counted_number", sa.Integer(), nullable=True),
        sa.Column("extra", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("claimed_at", Instant(), nullable=False),
        sa.Column("snapshot", JSON_DOCUMENT, nullable=True),
        sa.Column("sending_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("code", sa.String(length=100), nullable=True),
        sa.Column("text", sa.String(length=500), nullable=True),
        sa.Column("request_id", sa.String(length=200), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_attempts_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", "number", name=op.f("pk_attempts")),
        sa.UniqueConstraint(
            "refund_id",
            "episode",
            "counted_number",
            name=op.f("uq_attempts_refund_id_episode_counted_number"),
        ),
    )
    op.create_table(
        "evidence",
        sa.Column("id", ROW_NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("refund_id", sa.String(length=30), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("content", JSON_DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_evidence_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_refund_id"), "evidence", ["refund_id"], unique=False)
    op.create_table(
        "follow_ups",
        sa.Column("id", ROW_NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("refund_id", sa.String(length=30), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("content", JSON_DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_follow_ups_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_ups")),
        sa.UniqueConstraint("refund_id", "kind", name=op.f("uq_follow_ups_refund_id_kind")),
    )
    op.create_table(
        "history",
        sa.Column("id", ROW_NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("refund_id", sa.String(length=30), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("old", sa.String(length=20), nullable=True),
        sa.Column("new", sa.String(length=20), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_history_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index(op.f("ix_history_refund_id"), "history", ["refund_id"], unique=False)
    op.create_table(
        "intake_log",
        sa.Column("caller", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("refund_id", sa.String(length=30), nullable=True),
        sa.Column("problem", JSON_DOCUMENT, nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["refund_id"],
            ["refunds.id"],
            name=op.f("fk_intake_log_refund_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_intake_log")),
    )
    op.create_table(
        "look_ups",
        sa.Column("id", ROW_NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("refund_id", sa.String(length=30), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("finding", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=True),
        sa.Column("text", sa.String(length=500), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_look_ups_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look_ups")),
    )
    op.create_index(op.f("ix_look_ups_refund_id"), "look_ups", ["refund_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=30), nullable=False),
        sa.Column("refund_id", sa.String(length=30), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("occurrence", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=True),
        sa.Column("response", sa.String(length=500), nullable=True),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_notices_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "refund_id",
            "episode",
            "kind",
            "occurrence",
            "address",
            name=op.f("uq_notices_refund_id_episode_kind_occurrence_address"),
        ),
    )
    op.create_index(
        "ix_notices_due",
        "notices",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
