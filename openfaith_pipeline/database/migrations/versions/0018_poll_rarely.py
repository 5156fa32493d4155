"""A longer interval for streams that can only be read whole."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "org_settings",
        sa.Column(
            "poll_every", sa.Interval, comment="between readings of what can only be read whole; the default when null"
        ),
        schema="sync",
    )
    op.add_column("org_schedules", sa.Column("polled_at", sa.DateTime(timezone=True)), schema="sync")
