"""Invitations to connect an org, and grants that wait for confirmation."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invitations",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("org_id", sa.Text, sa.ForeignKey("sync.orgs.org_id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        schema="sync",
    )
    op.add_column(
        "oauth_journeys",
        sa.Column("invitation_hash", sa.Text, comment="of the invitation that it began with"),
        schema="sync",
    )
    op.add_column(
        "oauth_journeys",
        sa.Column("granted", sa.LargeBinary, comment="tokens that wait for the person's confirmation"),
        schema="sync",
    )
    op.add_column(
        "oauth_journeys",
        sa.Column("organization_id", sa.Text, comment="of the church that the tokens are of"),
        schema="sync",
    )
    op.add_column("oauth_journeys", sa.Column("organization_name", sa.Text), schema="sync")
