"""Workers of a broker say how many runs they can execute, so that no more are handed out."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_workers",
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("slots", sa.Integer, nullable=False, comment="runs it executes at the same time"),
        sa.Column("room_since", sa.DateTime(timezone=True), comment="since when a slot has been free at each beat"),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        schema="sync",
    )


def downgrade() -> None:
    op.drop_table("run_workers", schema="sync")
