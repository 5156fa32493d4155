"""Deletions held for a person's decision, and the guards that hold them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SCHEMA = "sync"
ANY = "* is every {} without a guard of its own"


def upgrade() -> None:
    op.create_table(
        "delete_guards",
        sa.Column("org_id", sa.Text, primary_key=True, comment=ANY.format("org")),
        sa.Column("stream", sa.Text, primary_key=True, comment=ANY.format("stream")),
        sa.Column("largest_share", sa.Double, nullable=False),
        sa.Column("largest_number", sa.BigInteger, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "held_deletions",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("sync_id", sa.Text, nullable=False, comment="the reconcile that found them missing"),
        sa.Column("ids", ARRAY(sa.Text), nullable=False),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("decision", sa.Text),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.Text, comment="a person, or the reconcile that settled it"),
        sa.CheckConstraint("decision IN ('approved', 'rejected', 'superseded', 'lapsed')", name="decision_is_known"),
        schema=SCHEMA,
    )
    op.create_index(
        "held_deletions_one_open",
        "held_deletions",
        ["org_id", "stream"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("decision IS NULL"),
    )
