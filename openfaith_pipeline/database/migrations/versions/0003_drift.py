"""Attributes that the source sends and the catalog lacks, absent paths, and types with silently empty lists."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "sync"


def upgrade() -> None:
    op.add_column(
        "stream_states",
        sa.Column(
            "is_path_absent",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("false"),
            comment="the unconfirmed path was asked for and is not there",
        ),
        schema=SCHEMA,
    )
    op.drop_constraint("availability_is_known", "stream_states", schema=SCHEMA)
    op.create_check_constraint(
        "availability_is_known",
        "stream_states",
        "availability IN ('available', 'not_granted', 'forbidden', 'absent', 'silent')",
        schema=SCHEMA,
    )
    op.create_table(
        "drift",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("attribute", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True, comment="how the source differs from the catalog"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("kind IN ('new', 'gone', 'retyped')", name="kind_is_known"),
        schema=SCHEMA,
    )
