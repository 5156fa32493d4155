"""Idempotency keys of requests, and counts of changes that a cursor missed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "sync"


def upgrade() -> None:
    op.add_column(
        "syncs",
        sa.Column("idempotency_key", sa.Text, comment="whoever asks with the same key gets this sync"),
        schema=SCHEMA,
    )
    op.create_unique_constraint("syncs_idempotency_key_key", "syncs", ["idempotency_key"], schema=SCHEMA)
    op.add_column(
        "stream_syncs",
        sa.Column(
            "caught",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
            comment="changes that came without a new cursor value, found by content",
        ),
        schema=SCHEMA,
    )
    op.alter_column(
        "stream_states",
        "last_full_at",
        comment="when everything was last read and proven, deletions included",
        schema=SCHEMA,
    )
