"""The start of a stream's last successful read, so that changes made during it count as newer."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "stream_states",
        sa.Column("read_from", sa.DateTime(timezone=True), comment="when the reading that last succeeded began"),
        schema="sync",
    )


def downgrade() -> None:
    op.drop_column("stream_states", "read_from", schema="sync")
