"""Support for rollbacks: merged images, states of streams before a publish, recorded rollbacks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SCHEMA = "sync"

# When several images are merged, the last one wins, column by column.
MERGE_IMAGES = "CREATE AGGREGATE sync.merge_images(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}')"

AS_OF = """
CREATE FUNCTION sync.as_of(of_table anyelement, of_org text, moment timestamptz) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE AS $function$
DECLARE
    relation oid := (SELECT typrelid FROM pg_type WHERE oid = pg_typeof(of_table)::oid);
    begins_at timestamptz := (SELECT horizon.begins_at FROM sync.journal_horizon AS horizon);
    org_column text;
    row_key text;
BEGIN
    IF moment IS NULL OR of_org IS NULL THEN
        RAISE EXCEPTION 'sync.as_of needs an org and a moment';
    ELSIF moment < begins_at THEN
        RAISE EXCEPTION 'the journal begins at %, what was before is not known', begins_at;
    END IF;
    SELECT attname INTO org_column FROM pg_attribute WHERE attrelid = relation AND attname IN ('org_id', 'orgId');
    SELECT string_agg(format('%L, present.%I', attname, attname), ', ') INTO row_key
    FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
    WHERE indrelid = relation AND indisprimary AND attname <> org_column;
    IF row_key IS NULL THEN
        RAISE EXCEPTION '% is not a table that is journaled', pg_typeof(of_table);
    END IF;
    RETURN QUERY EXECUTE format($query$
        WITH undone AS MATERIALIZED (
            SELECT journal.row_key, (array_agg(action ORDER BY id))[1] = 'insert' AS is_new,
                sync.merge_images(before::jsonb ORDER BY id DESC) AS image
            FROM sync.journal
            WHERE org_id = $1 AND changed_at > $2
                AND table_name = (SELECT nspname || '.' || relname FROM pg_class
                    JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = %3$s)
            GROUP BY journal.row_key
        ),
        live AS (
            SELECT present, jsonb_build_object(%1$s) AS row_key FROM %4$s AS present WHERE present.%2$I = $1
        )
        SELECT (live.present).* FROM live WHERE NOT EXISTS (SELECT FROM undone WHERE undone.row_key = live.row_key)
        UNION ALL
        SELECT past.* FROM undone LEFT JOIN live USING (row_key)
        CROSS JOIN LATERAL jsonb_populate_record(live.present, undone.image) AS past
        WHERE NOT undone.is_new
    $query$, row_key, org_column, relation, relation::regclass) USING of_org, moment;
END
$function$
"""


def upgrade() -> None:
    op.execute(MERGE_IMAGES)
    op.execute(AS_OF)
    op.add_column(
        "stream_syncs",
        sa.Column("state_before", JSONB, comment="the stream's state before this was published, for a rollback"),
        schema=SCHEMA,
    )
    _allow("syncs", "running, succeeded, failed, planned, discarded, rolled_back")
    _allow(
        "stream_syncs",
        "running, succeeded, failed, incomplete, abandoned, unavailable, planned, rolled_back",
    )
    op.create_table(
        "rollbacks",
        sa.Column("rollback_id", sa.Text, primary_key=True, comment="the sync that the undoing is journaled as"),
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("sync_id", sa.Text, nullable=False, comment="the sync that was undone"),
        sa.Column("streams", JSONB, comment="only these of it; null for all"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("rows", JSONB, nullable=False, comment="by table: restored, removed, returned, kept"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("undone_at", sa.DateTime(timezone=True), comment="when it was itself rolled back"),
        schema=SCHEMA,
    )
    op.create_index("rollbacks_sync_id_idx", "rollbacks", ["sync_id"], schema=SCHEMA)


def _allow(table: str, statuses: str) -> None:
    op.drop_constraint("status_is_known", table, schema=SCHEMA)
    listed = ", ".join(f"'{status}'" for status in statuses.split(", "))
    op.create_check_constraint("status_is_known", table, f"status IN ({listed})", schema=SCHEMA)
