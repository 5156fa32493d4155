"""Syncs without a run of Dagster have a lease, so that one whose process was killed is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

COMMENT = "of a sync without a run: when its process, which renews this, counts as gone"
# Left by versions before; one that such a version still works on records its own end.
LEFT_OVER = "status = 'running' AND run_id IS NULL AND started_at < now() - interval '1 day'"


def upgrade() -> None:
    expiry = sa.Column("lease_expires_at", sa.DateTime(timezone=True), comment=COMMENT)
    op.add_column("syncs", expiry, schema="sync")
    op.execute(f"UPDATE sync.syncs SET lease_expires_at = started_at WHERE {LEFT_OVER}")  # noqa: S608 - ours


def downgrade() -> None:
    op.drop_column("syncs", "lease_expires_at", schema="sync")
