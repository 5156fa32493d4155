"""Webhooks: subscriptions with their secrets, and deliveries with their outcome."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = "sync"
TABLE = "webhook_deliveries"
MOMENT = sa.DateTime(timezone=True)
NOW = sa.func.now()
STATUSES = "status IN ('pending', 'applied', 'superseded', 'requested', 'ignored', 'failed')"


def upgrade() -> None:
    op.create_table(
        "webhook_orgs",
        sa.Column("org_id", sa.Text, sa.ForeignKey(f"{SCHEMA}.orgs.org_id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "is_wanted",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("true"),
            comment="false once ended by hand",
        ),
        sa.Column("ensured_at", MOMENT),
        sa.Column("next_check_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("problem", sa.Text, comment="why the org cannot subscribe"),
        schema=SCHEMA,
    )
    op.create_table(
        "webhook_subscriptions",
        sa.Column("org_id", sa.Text, sa.ForeignKey(f"{SCHEMA}.orgs.org_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("subscription_id", sa.Text, primary_key=True, comment="Planning Center's own id"),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False, comment="what deliveries are signed with, encrypted"),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        schema=SCHEMA,
    )
    _create_deliveries()
    op.create_table(
        "webhook_beats",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("beat_at", MOMENT, nullable=False),
        schema=SCHEMA,
    )


def _create_deliveries() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False, comment="the same however often an event is delivered"),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, comment="null for an event about nothing that is synced"),
        sa.Column("record_id", sa.Text),
        sa.Column("occurred_at", MOMENT),
        sa.Column("payload", sa.LargeBinary, nullable=False, comment="the record's document, byte for byte as it came"),
        sa.Column("received_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("status", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("holder", sa.Text),
        sa.Column("claimed_until", MOMENT),
        sa.Column("sync_id", sa.Text, comment="the sync that applied it, or the request that will"),
        sa.Column("error", sa.Text),
        sa.Column("settled_at", MOMENT),
        sa.CheckConstraint(STATUSES, name="status_is_known"),
        schema=SCHEMA,
    )
    op.create_index("webhook_deliveries_event_idx", TABLE, ["org_id", "event_id"], unique=True, schema=SCHEMA)
    op.create_index(
        "webhook_deliveries_pending_idx",
        TABLE,
        ["next_attempt_at", "org_id"],
        schema=SCHEMA,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("webhook_deliveries_record_idx", TABLE, ["org_id", "stream", "record_id"], schema=SCHEMA)
    op.create_index("webhook_deliveries_settled_idx", TABLE, ["settled_at"], schema=SCHEMA)
