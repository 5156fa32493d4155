"""An index of unfinished walks, which are looked up each time a stream is read."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "stream_syncs_unfinished_idx",
        "stream_syncs",
        ["org_id", "stream"],
        schema="sync",
        postgresql_where=sa.text("status IN ('running', 'failed')"),
    )


def downgrade() -> None:
    op.drop_index("stream_syncs_unfinished_idx", "stream_syncs", schema="sync")
