"""Erasures, and how long an org's data is kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

KEPT = {
    "journal_kept": "how long changes are kept; the instance's setting when null",
    "deliveries_kept": "how long settled webhook deliveries are kept; the default when null",
    "quarantine_kept": "how long resolved quarantine entries are kept; as the journal when null",
}

OF_ALL = "(SELECT horizon.begins_at FROM sync.journal_horizon AS horizon)"
OF_ORG = """coalesce(
        (SELECT own.begins_at FROM sync.org_journal_horizons AS own WHERE own.org_id = of_org),
        (SELECT horizon.begins_at FROM sync.journal_horizon AS horizon))"""

AS_OF = """
CREATE OR REPLACE FUNCTION sync.as_of(of_table anyelement, of_org text, moment timestamptz) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE AS $function$
DECLARE
    relation oid := (SELECT typrelid FROM pg_type WHERE oid = pg_typeof(of_table)::oid);
    begins_at timestamptz := <BEGIN>;
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
    op.create_table(
        "erasures",
        sa.Column("erasure_id", sa.Text, primary_key=True),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("erased_by", sa.Text, nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column(
            "counts",
            postgresql.JSONB,
            nullable=False,
            comment="by place: rows removed, or cleared of the reference",
        ),
        sa.Column("lifted_at", sa.DateTime(timezone=True)),
        sa.Column("lifted_by", sa.Text),
        sa.CheckConstraint("subject IN ('person', 'org')", name="subject_is_known"),
        schema="sync",
    )
    op.create_index("erasures_org_id_idx", "erasures", ["org_id"], schema="sync")
    op.create_table(
        "erasure_salts",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("salt", sa.LargeBinary, nullable=False, comment="key of the hashes of the org's erased records"),
        schema="sync",
    )
    op.create_table(
        "erased_records",
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("record_hash", sa.LargeBinary, nullable=False, comment="HMAC-SHA256 of the record's id"),
        sa.Column("erasure_id", sa.Text, sa.ForeignKey("sync.erasures.erasure_id", ondelete="CASCADE"), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "stream", "record_hash", "erasure_id"),
        schema="sync",
    )
    op.create_index("erased_records_erasure_id_idx", "erased_records", ["erasure_id"], schema="sync")
    op.create_table(
        "org_journal_horizons",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        schema="sync",
    )
    op.execute(AS_OF.replace("<BEGIN>", OF_ORG))
    op.add_column(
        "stream_syncs",
        sa.Column(
            "withheld_by_erasure",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment="records that were listed and not stored, because they are erased",
        ),
        schema="sync",
    )
    for name, comment in KEPT.items():
        op.add_column("org_settings", sa.Column(name, sa.Interval, comment=comment), schema="sync")


def downgrade() -> None:
    for name in KEPT:
        op.drop_column("org_settings", name, schema="sync")
    op.drop_column("stream_syncs", "withheld_by_erasure", schema="sync")
    op.execute(AS_OF.replace("<BEGIN>", OF_ALL))
    for table in ("org_journal_horizons", "erased_records", "erasure_salts", "erasures"):
        op.drop_table(table, schema="sync")
