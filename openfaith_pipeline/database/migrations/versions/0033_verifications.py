"""The reports of verifications."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verifications",
        sa.Column("verification_id", sa.Text, primary_key=True),
        sa.Column("org_id", sa.Text, sa.ForeignKey("sync.orgs.org_id", ondelete="CASCADE"), nullable=False),
        sa.Column("trigger", sa.Text, nullable=False, comment="cli, schedule or ui"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("is_full", sa.Boolean, nullable=False, comment="everything was read, not a sample"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column(
            "report",
            postgresql.JSONB,
            nullable=False,
            comment="as `verify --json` prints it: ids and names of fields, no values",
        ),
        sa.CheckConstraint("status IN ('equal', 'differs', 'incomplete')", name="status_is_known"),
        schema="sync",
    )
    op.create_index("verifications_org_id_idx", "verifications", ["org_id", "finished_at"], schema="sync")


def downgrade() -> None:
    op.drop_table("verifications", schema="sync")
