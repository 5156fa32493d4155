"""Turns and webhooks of each org by adapter, and its alerts; what was there is the first adapter's.

As for connections before, the tables that were there become the partitions of that adapter and keep their keys, so that
the version before, which writes to them by these, goes on.
"""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

ADAPTER = "the source that it is of"

PARTITIONED = """
ALTER TABLE sync.{table} ADD COLUMN adapter text NOT NULL DEFAULT 'pco';
ALTER TABLE sync.{table} DROP CONSTRAINT {table}_pkey, ADD CONSTRAINT {table}_key UNIQUE ({key});
CREATE TABLE sync.{whole} (
    LIKE sync.{table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    PRIMARY KEY ({key}, adapter),
    FOREIGN KEY (org_id) REFERENCES sync.orgs ON DELETE CASCADE
) PARTITION BY LIST (adapter);
ALTER TABLE sync.{whole} ALTER COLUMN adapter DROP DEFAULT;
COMMENT ON COLUMN sync.{whole}.adapter IS '{comment}';
ALTER TABLE sync.{whole} ATTACH PARTITION sync.{table} FOR VALUES IN ('pco');
CREATE TABLE sync.{table}_of_others PARTITION OF sync.{whole} DEFAULT;
"""
WHOLE = """
DELETE FROM sync.{whole} WHERE adapter <> 'pco';
ALTER TABLE sync.{whole} DETACH PARTITION sync.{table};
DROP TABLE sync.{whole};
ALTER TABLE sync.{table} DROP CONSTRAINT IF EXISTS {whole}_pkey;
ALTER TABLE sync.{table} DROP CONSTRAINT IF EXISTS {table}_pkey;
ALTER TABLE sync.{table} DROP COLUMN adapter, DROP CONSTRAINT {table}_key, ADD PRIMARY KEY ({key});
"""
TABLES = {
    "org_schedules": ("source_schedules", "org_id, kind"),
    "webhook_orgs": ("source_webhooks", "org_id"),
    "webhook_subscriptions": ("source_webhook_subscriptions", "org_id, subscription_id"),
}
DUE = "CREATE INDEX source_schedules_due_idx ON sync.source_schedules (adapter, kind, next_at)"

# Alerts that concern one source have its name in their incident; the version before did not distinguish them.
OF_SOURCES = "('connection_dead', 'connections_dying', 'freshness_missed', 'webhooks_disabled')"
NAMED = f"""
UPDATE sync.alerts SET incident = CASE kind WHEN 'run_failed' THEN 'pco ' || incident ELSE 'pco' END
WHERE resolved_at IS NULL AND (
    kind IN {OF_SOURCES} AND incident = ''
    OR kind = 'run_failed' AND incident IN ('incremental sweep', 'reconcile sweep'))
"""  # noqa: S608 - a part of ours
UNNAMED = f"""
UPDATE sync.alerts SET incident = CASE kind WHEN 'run_failed' THEN replace(incident, 'pco ', '') ELSE '' END
WHERE resolved_at IS NULL AND (
    kind IN {OF_SOURCES} AND incident = 'pco'
    OR kind = 'run_failed' AND incident IN ('pco incremental sweep', 'pco reconcile sweep'))
"""  # noqa: S608 - a part of ours
OTHERS = f"DELETE FROM sync.alerts WHERE resolved_at IS NULL AND kind IN {OF_SOURCES} AND incident <> ''"  # noqa: S608


def upgrade() -> None:
    for table, (whole, key) in TABLES.items():
        op.execute(PARTITIONED.format(table=table, whole=whole, key=key, comment=ADAPTER))
    op.execute(DUE)
    op.execute(NAMED)


def downgrade() -> None:
    op.execute(UNNAMED)
    op.execute(OTHERS)
    for table, (whole, key) in TABLES.items():
        op.execute(WHOLE.format(table=table, whole=whole, key=key))
