"""`sync.as_of` leaves out rows that somebody has removed since: the journal has only the columns that syncs changed."""

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

# A row that a sync removed is in the journal with its key.
OR_WHOLE = "AND (live.row_key IS NOT NULL OR undone.image ?& $3)"

AS_OF = """
CREATE OR REPLACE FUNCTION sync.as_of(of_table anyelement, of_org text, moment timestamptz) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE AS $function$
DECLARE
    relation oid := (SELECT typrelid FROM pg_type WHERE oid = pg_typeof(of_table)::oid);
    begins_at timestamptz := coalesce(
        (SELECT own.begins_at FROM sync.org_journal_horizons AS own WHERE own.org_id = of_org),
        (SELECT horizon.begins_at FROM sync.journal_horizon AS horizon));
    org_column text;
    row_key text;
    key_columns text[];
BEGIN
    IF moment IS NULL OR of_org IS NULL THEN
        RAISE EXCEPTION 'sync.as_of needs an org and a moment';
    ELSIF moment < begins_at THEN
        RAISE EXCEPTION 'the journal begins at %, what was before is not known', begins_at;
    END IF;
    SELECT attname INTO org_column FROM pg_attribute WHERE attrelid = relation AND attname IN ('org_id', 'orgId');
    SELECT string_agg(format('%L, present.%I', attname, attname), ', '), array_agg(attname::text)
    INTO row_key, key_columns
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
        WHERE NOT undone.is_new <OR_WHOLE>
    $query$, row_key, org_column, relation, relation::regclass) USING of_org, moment, key_columns;
END
$function$
"""


def upgrade() -> None:
    op.execute(AS_OF.replace("<OR_WHOLE>", OR_WHOLE))


def downgrade() -> None:
    op.execute(AS_OF.replace("<OR_WHOLE>", ""))
