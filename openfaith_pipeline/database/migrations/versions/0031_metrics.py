"""For metrics: requests counted with the rate budget, and the syncs that ended lately found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

COUNTS = {
    "requests": "requests that Planning Center has answered",
    "refused": "those it refused for the rate limit",
}


def upgrade() -> None:
    for name, comment in COUNTS.items():
        column = sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0"), comment=comment)
        op.add_column("source_rate_budgets", column, schema="sync")
    op.create_index("syncs_finished_idx", "syncs", ["finished_at"], schema="sync")


def downgrade() -> None:
    op.drop_index("syncs_finished_idx", "syncs", schema="sync")
    for name in COUNTS:
        op.drop_column("source_rate_budgets", name, schema="sync")
