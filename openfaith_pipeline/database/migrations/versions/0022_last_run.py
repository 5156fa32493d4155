"""A sync's run is the last one that worked on it, not the one that began it."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column(
        "syncs",
        "run_id",
        comment="the Dagster run that worked for it last",
        existing_comment="the Dagster run that began it",
        schema="sync",
    )


def downgrade() -> None:
    op.alter_column(
        "syncs",
        "run_id",
        comment="the Dagster run that began it",
        existing_comment="the Dagster run that worked for it last",
        schema="sync",
    )
