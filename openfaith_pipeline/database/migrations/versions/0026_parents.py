"""Counts of rows without their parent, and when all parents were last read to repair them."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stream_states", sa.Column("parentless", sa.BigInteger), schema="sync")
    op.add_column(
        "stream_states",
        sa.Column(
            "parents_read_at",
            sa.DateTime(timezone=True),
            comment="when rows without their parent were looked for, or all parents read again; null: yet to be done",
        ),
        schema="sync",
    )


def downgrade() -> None:
    op.drop_column("stream_states", "parents_read_at", schema="sync")
    op.drop_column("stream_states", "parentless", schema="sync")
