"""When an org was resumed and when its connection came back: it is not late for the time before."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orgs", sa.Column("resumed_at", sa.DateTime(timezone=True)), schema="sync")
    revived_at = sa.Column("revived_at", sa.DateTime(timezone=True), comment="when a dead one worked again")
    op.add_column("source_connections", revived_at, schema="sync")


def downgrade() -> None:
    op.drop_column("source_connections", "revived_at", schema="sync")
    op.drop_column("orgs", "resumed_at", schema="sync")
