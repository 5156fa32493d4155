"""Requests and deliveries keep the span of the call that brought them, so that a trace goes on in the run."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

COMMENTS = {
    "requests": "the span of the call that made it, which its run continues",
    "webhook_deliveries": "the span in which it was received",
}


def upgrade() -> None:
    for table, comment in COMMENTS.items():
        op.add_column(table, sa.Column("traceparent", sa.Text, comment=comment), schema="sync")


def downgrade() -> None:
    for table in COMMENTS:
        op.drop_column(table, "traceparent", schema="sync")
