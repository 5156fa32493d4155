"""The newest requests of all orgs, as the status page shows them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("requests_newest_idx", "requests", [sa.text("requested_at DESC")], schema="sync")
