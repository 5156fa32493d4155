"""Plans that are published later, counts of merges, and the parents that a quarantined record was found under."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SCHEMA = "sync"
STATUSES = {
    "syncs": "'running', 'succeeded', 'failed', 'planned', 'discarded'",
    "stream_syncs": "'running', 'succeeded', 'failed', 'incomplete', 'abandoned', 'unavailable', 'planned'",
}


def upgrade() -> None:
    op.add_column(
        "syncs",
        sa.Column("planned_at", sa.DateTime(timezone=True), comment="of a plan: when all of it was read"),
        schema=SCHEMA,
    )
    op.add_column(
        "stream_syncs",
        sa.Column(
            "merged",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
            comment="rows marked deleted because their records were merged into others",
        ),
        schema=SCHEMA,
    )
    op.add_column(
        "quarantine",
        sa.Column("parents", JSONB, comment="relationship -> id of the records it was listed under"),
        schema=SCHEMA,
    )
    for table, statuses in STATUSES.items():
        op.drop_constraint("status_is_known", table, schema=SCHEMA)
        op.create_check_constraint("status_is_known", table, f"status IN ({statuses})", schema=SCHEMA)
