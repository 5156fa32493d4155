"""The look-back of each stream's syncs, from the observed delay of its changes."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

LOOK_BACK = "how far before the watermark the next syncs begin to read, by how late changes came; it halves weekly"


def upgrade() -> None:
    op.add_column("stream_states", sa.Column("look_back", sa.Interval, comment=LOOK_BACK), schema="sync")
    op.add_column(
        "stream_states",
        sa.Column("look_back_at", sa.DateTime(timezone=True), comment="when the look-back was set"),
        schema="sync",
    )


def downgrade() -> None:
    op.drop_column("stream_states", "look_back_at", schema="sync")
    op.drop_column("stream_states", "look_back", schema="sync")
