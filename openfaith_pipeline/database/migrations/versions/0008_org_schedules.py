"""Schedules of orgs: their own settings, and their turns in the periodic sweep."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "sync"


def upgrade() -> None:
    op.create_table(
        "org_settings",
        _org(primary_key=True),
        sa.Column("sync_every", sa.Interval, comment="between incremental syncs; the default when null"),
        sa.Column(
            "reconcile_within", sa.Interval, comment="in which each stream is reconciled once; the default when null"
        ),
        sa.Column("streams", ARRAY(sa.Text), comment="products and streams that are synced; all when null"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )
    op.create_table(
        "org_schedules",
        _org(primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("holder", sa.Text, comment="the sweep that works on it"),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True)),
        sa.Column("sync_id", sa.Text, comment="of the sync under way, or of one whose sweep died, which is continued"),
        sa.Column("attempted_at", sa.DateTime(timezone=True)),
        sa.Column("succeeded_at", sa.DateTime(timezone=True)),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("error", sa.Text),
        sa.Column(
            "untransformed",
            ARRAY(sa.Text),
            comment="streams that changed and whose canonical tables are not made yet",
        ),
        sa.CheckConstraint("kind IN ('incremental', 'reconcile')", name="kind_is_known"),
        schema=SCHEMA,
    )
    op.create_index("org_schedules_due_idx", "org_schedules", ["kind", "next_at"], schema=SCHEMA)


def _org(*, primary_key: bool) -> sa.Column[str]:
    return sa.Column(
        "org_id", sa.Text, sa.ForeignKey(f"{SCHEMA}.orgs.org_id", ondelete="CASCADE"), primary_key=primary_key
    )
