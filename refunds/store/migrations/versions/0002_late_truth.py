"""Late truth: refunds are watched after their end; pauses of gateways; restored backups; audits."""

import sqlalchemy as sa
from alembic import op

from refunds.store.types import Instant

revision = "0002"
down_revision = "0001"

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pauses",
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_pauses")),
    )
    op.execute(
        """INSERT INTO pauses (gateway, "by", reason, at)
        SELECT gateway, MIN(paused_by), COALESCE(MIN(paused_reason), ''), MIN(paused_at) FROM lanes
        WHERE paused_by IS NOT NULL GROUP BY gateway""",
    )
    for column in ("paused_by", "paused_at", "paused_reason"):
        op.execute(f"ALTER TABLE lanes DROP COLUMN {column}")
    op.add_column("lanes", sa.Column("reopening", sa.Integer(), nullable=True))
    op.create_table(
        "restores",
        sa.Column("id", ROW_NUMBER, sa.Identity(always=False), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restores")),
    )
    op.create_table(
        "audits",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.String(length=30), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audits_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audits")),
    )
    op.execute("INSERT INTO audits (id, payment_id) VALUES (1, '')")
    no, nothing = sa.text("false"), sa.text("0")
    op.add_column("refunds", sa.Column("look_first", sa.Boolean(), server_default=no, nullable=False))
    op.add_column("refunds", sa.Column("lost_leases", sa.Integer(), server_default=nothing, nullable=False))
    op.add_column("refunds", sa.Column("watch_at", Instant(), nullable=True))
    op.add_column("refunds", sa.Column("watch_until", Instant(), nullable=True))
    op.create_index(
        "ix_refunds_watch",
        "refunds",
        ["account", "gateway", "watch_at"],
        sqlite_where=sa.text("watch_at IS NOT NULL"),
        postgresql_where=sa.text("watch_at IS NOT NULL"),
    )
