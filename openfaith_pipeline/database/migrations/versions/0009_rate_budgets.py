"""One rate budget for each connection, shared by all processes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_budgets",
        sa.Column("org_id", sa.Text, sa.ForeignKey("sync.orgs.org_id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "ledger", JSONB, nullable=False, comment="who leased which requests, and what the server has counted"
        ),
        sa.Column("version", sa.BigInteger, nullable=False),
        schema="sync",
    )
