"""Which walks are unfinished is asked each time a stream is read, and not to be looked for in all its history.

A sync's run is the last one that worked for it from now on.
"""

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
    op.alter_column("syncs", "run_id", comment="the Dagster run that worked for it last", schema="sync")


def downgrade() -> None:
    op.alter_column("syncs", "run_id", comment="the Dagster run that began it", schema="sync")
    op.drop_index("stream_syncs_unfinished_idx", "stream_syncs", schema="sync")
