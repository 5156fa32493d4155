"""Tokens: the previous pair, expiry and refresh state; tokens stored by OpenFaith."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SCHEMA = "sync"
TABLE = "connections"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.alter_column(TABLE, "secret", nullable=True, schema=SCHEMA)
    for column in (
        sa.Column("previous_secret", sa.LargeBinary, comment="the tokens before these, until these have worked"),
        sa.Column("held_in", sa.Text, comment="schema of OpenFaith's tables, where these hold the tokens"),
        sa.Column("is_enabled_there", sa.Boolean, nullable=False, server_default=sa.text("true")),
        sa.Column("token_expires_at", MOMENT),
        sa.Column("refresh_began_at", MOMENT),
        sa.Column("refresh_failed_at", MOMENT),
        sa.Column("refresh_error", sa.Text),
        sa.Column("dead_since", MOMENT),
        sa.Column("dead_grant", sa.LargeBinary, comment="fingerprint of the refresh token that is known to be dead"),
    ):
        op.add_column(TABLE, column, schema=SCHEMA)
