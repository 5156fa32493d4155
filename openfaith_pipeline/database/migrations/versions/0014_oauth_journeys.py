"""OAuth journeys, by which churches connect themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_journeys",
        sa.Column("state_hash", sa.Text, primary_key=True),
        sa.Column("browser_hash", sa.Text, nullable=False),
        sa.Column("verifier", sa.LargeBinary, nullable=False, comment="of PKCE, encrypted; good for ten minutes"),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("org_id", sa.Text, comment="the org that is connected again, where that is known from the beginning"),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        schema="sync",
    )
