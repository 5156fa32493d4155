"""The journal: every change of a raw, link or canonical row, partitioned by month."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SCHEMA = "sync"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("CREATE SEQUENCE sync.journal_id_seq")
    op.create_table(
        "journal",
        # A sequence and not an identity column: before Postgres 17 a partitioned table may not have one.
        sa.Column("id", sa.BigInteger, nullable=False, server_default=sa.text("nextval('sync.journal_id_seq')")),
        sa.Column("changed_at", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("table_name", sa.Text, nullable=False, comment="schema and table"),
        sa.Column("row_key", JSONB, nullable=False, comment="the key's columns besides the org"),
        sa.Column("action", sa.Text, nullable=False, comment="delete: marked deleted; remove: the row is gone"),
        # json and not jsonb: it is built in half the time, and every row of a first load has one.
        sa.Column("before", sa.JSON, comment="the columns that changed; of a remove the whole row"),
        sa.Column("after", sa.JSON, comment="the columns that changed; of an insert the whole row"),
        sa.Column("sync_id", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False, comment="a sync mode, transform, merge, webhook, rollback, ..."),
        sa.CheckConstraint("action IN ('insert', 'update', 'delete', 'restore', 'remove')", name="action_is_known"),
        schema=SCHEMA,
        postgresql_partition_by="RANGE (changed_at)",
    )
    # Many entries share one org and table, which costs next to nothing; a row is found by the hash of its key.
    op.create_index("journal_table_idx", "journal", ["org_id", "table_name"], schema=SCHEMA)
    op.create_index("journal_row_idx", "journal", [sa.text("jsonb_hash(row_key)")], schema=SCHEMA)
    op.create_index("journal_sync_id_idx", "journal", ["sync_id"], schema=SCHEMA)
    op.execute("CREATE TABLE sync.journal_default PARTITION OF sync.journal DEFAULT")
    op.create_table(
        "journal_horizon",
        sa.Column("begins_at", MOMENT, nullable=False, comment="what the tables were before this is not known"),
        schema=SCHEMA,
    )
    op.execute("INSERT INTO sync.journal_horizon (begins_at) VALUES (now())")
