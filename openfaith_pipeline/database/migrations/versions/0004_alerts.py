"""Alerts: one row for each incident."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "sync"
MOMENT = sa.DateTime(timezone=True)
NOW = sa.func.now()
KINDS = (
    "kind IN ('run_failed', 'connection_dead', 'connections_dying', 'deletes_held', 'freshness_missed',"
    " 'webhooks_disabled')"
)


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("org_id", sa.Text, comment="null for what concerns no single org"),
        sa.Column("incident", sa.Text, nullable=False, comment="tells incidents of one kind and org apart"),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("mend", sa.Text, nullable=False, comment="what the reader can do about it"),
        sa.Column(
            "count", sa.BigInteger, nullable=False, server_default=sa.text("1"), comment="how often it was raised"
        ),
        sa.Column("first_seen_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("last_seen_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("delivered_to", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
        sa.Column("delivered_at", MOMENT),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("delivery_error", sa.Text),
        sa.Column("resolved_at", MOMENT),
        sa.CheckConstraint(KINDS, name="kind_is_known"),
        schema=SCHEMA,
    )
    op.create_index(
        "alerts_one_open",
        "alerts",
        ["kind", sa.text("coalesce(org_id, '')"), "incident"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
