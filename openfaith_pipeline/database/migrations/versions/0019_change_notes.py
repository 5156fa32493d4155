"""Triggers that note changed rows, so that a transform reads only those."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

SCHEMA = "sync"

# Arguments: the source, a condition, and columns that each name a record. SECURITY DEFINER, because a role that may
# write the table need not know about ours. A statement with very many rows leaves a single note: that everything
# changed.
NOTE_RECORDS = """
CREATE FUNCTION sync.note_records() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    images text[] := CASE TG_OP WHEN 'INSERT' THEN '{after}' WHEN 'DELETE' THEN '{before}' ELSE '{before,after}' END;
    image text;
    named text;
    rows bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I', images[1]) INTO rows;
    IF rows = 0 THEN
        RETURN NULL;
    END IF;
    FOREACH image IN ARRAY images LOOP
        FOREACH named IN ARRAY TG_ARGV[2:TG_NARGS - 1] LOOP
            EXECUTE format(
                'INSERT INTO sync.untransformed (org_id, source, key) SELECT DISTINCT org_id, %L, %s FROM %I'
                ' WHERE %I IS NOT NULL AND (%s)',
                TG_ARGV[0], CASE WHEN rows > 10000 THEN '''{}''::text[]' ELSE format('ARRAY[%I::text]', named) END,
                image, named, TG_ARGV[1]);
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$
"""

# Arguments: the source and the columns of the key; without columns the note says that everything changed.
NOTE_ROW = """
CREATE FUNCTION sync.note_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO sync.untransformed (org_id, source, key)
    SELECT DISTINCT image ->> 'orgId', TG_ARGV[0],
        ARRAY(SELECT image ->> part.name FROM unnest(TG_ARGV[1:TG_NARGS - 1]) WITH ORDINALITY AS part (name, place)
            ORDER BY part.place)
    FROM (VALUES (CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END),
        (CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END)) AS images (image)
    WHERE image IS NOT NULL;
    RETURN NULL;
END $$
"""

NOTE_TRUNCATE = """
CREATE FUNCTION sync.note_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM sync.transforms;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "untransformed",
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False, comment="a stream or an OpenFaith table"),
        sa.Column("key", ARRAY(sa.Text), nullable=False, comment="what names the row; empty for all rows"),
        schema=SCHEMA,
    )
    # No key, so that sessions that note changes never wait for each other; a duplicate note costs one more comparison.
    op.create_index("untransformed_org_id_idx", "untransformed", ["org_id"], schema=SCHEMA)
    op.create_table(
        "transforms",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False, comment="of the code and declarations it was made by"),
        sa.Column("totals", JSONB, nullable=False, comment="by table: records and live rows"),
        sa.Column("field_names", JSONB, nullable=False, comment="what the church's own fields are called"),
        sa.Column("transformed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )
    for function in (NOTE_RECORDS, NOTE_ROW, NOTE_TRUNCATE):
        op.execute(function)
