"""Erasures whose tables are to be rewritten yet: a process that is killed after the commit leaves that to others."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "erasures",
        sa.Column(
            "unreclaimed",
            postgresql.ARRAY(sa.Text),
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="tables to be rewritten yet, whose files may still have bytes of removed rows",
        ),
        schema="sync",
    )


def downgrade() -> None:
    op.drop_column("erasures", "unreclaimed", schema="sync")
