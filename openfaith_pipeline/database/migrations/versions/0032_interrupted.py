"""A sync that a person interrupted is `interrupted`, and no failure."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

KNOWN = ("running", "succeeded", "failed", "planned", "discarded", "rolled_back")


def upgrade() -> None:
    _know((*KNOWN, "interrupted"))
    op.create_index(
        "syncs_unfinished_idx",
        "syncs",
        [sa.text("started_at DESC")],
        schema="sync",
        postgresql_where=sa.text("status IN ('running', 'interrupted')"),
    )


def downgrade() -> None:
    op.drop_index("syncs_unfinished_idx", table_name="syncs", schema="sync")
    op.execute("UPDATE sync.syncs SET status = 'failed' WHERE status = 'interrupted'")
    _know(KNOWN)


def _know(statuses: tuple[str, ...]) -> None:
    op.drop_constraint("status_is_known", "syncs", schema="sync")
    listed = ", ".join(f"'{status}'" for status in statuses)
    op.create_check_constraint("status_is_known", "syncs", f"status IN ({listed})", schema="sync")
