"""Webhooks: orgs take turns in having their deliveries applied, and deletions that need confirmation are marked."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SCHEMA = "sync"
TABLE = "webhook_deliveries"


def upgrade() -> None:
    op.add_column(
        TABLE,
        sa.Column(
            "is_doubtful",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("false"),
            comment="tells of an end that is to be confirmed",
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "webhook_turns",
        sa.Column("org_id", sa.Text, sa.ForeignKey(f"{SCHEMA}.orgs.org_id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "taken_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when deliveries of the org were claimed last",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "webhook_deliveries_org_pending_idx",
        TABLE,
        ["org_id", "next_attempt_at", "id"],
        schema=SCHEMA,
        postgresql_where=sa.text("status = 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("webhook_deliveries_org_pending_idx", TABLE, schema=SCHEMA)
    op.drop_table("webhook_turns", schema=SCHEMA)
    op.drop_column(TABLE, "is_doubtful", schema=SCHEMA)
