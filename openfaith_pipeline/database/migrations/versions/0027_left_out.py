"""Parents whose children could not be read, for another attempt by the next sync."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

COMMENT = "path -> id of the parent -> why its children could not be read; they are tried again by the next sync"


def upgrade() -> None:
    op.add_column("stream_states", sa.Column("left_out", JSONB, comment=COMMENT), schema="sync")


def downgrade() -> None:
    op.drop_column("stream_states", "left_out", schema="sync")
