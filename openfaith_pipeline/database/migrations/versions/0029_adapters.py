"""Connections and rate budgets of each org by adapter; what was there is the first adapter's.

The tables that were there become the partitions of that adapter. Their key stays the org alone, so that the version
before, which writes to them by that key, goes on.
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

ADAPTER = "the source that it leads to"

PARTITIONED = """
ALTER TABLE sync.{table} ADD COLUMN adapter text NOT NULL DEFAULT 'pco';
ALTER TABLE sync.{table} DROP CONSTRAINT {table}_pkey, ADD CONSTRAINT {table}_org_id_key UNIQUE (org_id);
CREATE TABLE sync.source_{table} (
    LIKE sync.{table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    PRIMARY KEY (org_id, adapter),
    FOREIGN KEY (org_id) REFERENCES sync.orgs ON DELETE CASCADE
) PARTITION BY LIST (adapter);
ALTER TABLE sync.source_{table} ALTER COLUMN adapter DROP DEFAULT;
COMMENT ON COLUMN sync.source_{table}.adapter IS '{comment}';
ALTER TABLE sync.source_{table} ATTACH PARTITION sync.{table} FOR VALUES IN ('pco');
CREATE TABLE sync.{table}_of_others PARTITION OF sync.source_{table} DEFAULT;
"""
WHOLE = """
DELETE FROM sync.source_{table} WHERE adapter <> 'pco';
ALTER TABLE sync.source_{table} DETACH PARTITION sync.{table};
DROP TABLE sync.source_{table};
ALTER TABLE sync.{table} DROP CONSTRAINT IF EXISTS source_{table}_pkey;
ALTER TABLE sync.{table} DROP CONSTRAINT IF EXISTS {table}_pkey;
ALTER TABLE sync.{table} DROP COLUMN adapter, DROP CONSTRAINT {table}_org_id_key, ADD PRIMARY KEY (org_id);
"""
TABLES = ("connections", "rate_budgets")


def upgrade() -> None:
    for table in TABLES:
        op.execute(PARTITIONED.format(table=table, comment=ADAPTER))


def downgrade() -> None:
    for table in TABLES:
        op.execute(WHOLE.format(table=table))
