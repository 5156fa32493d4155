"""Custom fields are noted and decided as columns are: each item of a source by its address."""

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

# Address: a column, or customFields.<name> for the item of this name that a source wrote. An item's value is the whole
# item, JSON null if there is none. Of several with one name the last counts, as OpenFaith appends.
ITEM_ADDRESS = """
CREATE FUNCTION sync.item_address(item jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN starts_with(item ->> 'name', (item ->> 'source') || '_') THEN 'customFields.' || (item ->> 'name') END
$$
"""
ITEMS = """
CREATE FUNCTION sync.items(entity jsonb) RETURNS TABLE (place bigint, address text, item jsonb)
LANGUAGE sql IMMUTABLE AS $$
SELECT ordinality, sync.item_address(value), value
FROM jsonb_array_elements(CASE jsonb_typeof(entity -> 'customFields') WHEN 'array' THEN entity -> 'customFields' END)
    WITH ORDINALITY
$$
"""
FIELD_VALUE = """
CREATE FUNCTION sync.field_value(entity jsonb, address text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
SELECT CASE
    WHEN entity IS NULL THEN NULL
    WHEN NOT starts_with(address, 'customFields.') THEN entity -> address
    ELSE coalesce((
        SELECT item FROM sync.items(entity) AS each WHERE each.address = field_value.address ORDER BY place DESC LIMIT 1
    ), 'null')
END
$$
"""
# An item keeps its place; a new one is the last.
PUT_FIELDS = """
CREATE FUNCTION sync.put_fields(entity jsonb, fields jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    field record;
BEGIN
    FOR field IN SELECT key AS address, value FROM jsonb_each(fields) LOOP
        IF NOT starts_with(field.address, 'customFields.') THEN
            entity := entity || jsonb_build_object(field.address, field.value);
            CONTINUE;
        END IF;
        entity := entity || jsonb_build_object('customFields', (
            SELECT coalesce(jsonb_agg(item ORDER BY place), '[]') FROM (
                SELECT place, item FROM sync.items(entity) WHERE address IS DISTINCT FROM field.address
                UNION ALL
                SELECT coalesce(min(place) FILTER (WHERE address = field.address), count(*) + 1), field.value
                FROM sync.items(entity) HAVING field.value <> 'null'
            ) AS items));
    END LOOP;
    RETURN entity;
END $$
"""

# Arguments: the OpenFaith table without its prefix, the table of links, the sources' adapters, and the columns that
# these feed. Only rows of a source's records are noted. UTC, because images of moments are compared as JSON.
NOTE_EDIT = """
CREATE OR REPLACE FUNCTION sync.note_edit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    was jsonb := to_jsonb(OLD);
    is_now jsonb := to_jsonb(NEW);
    changed text[];
    is_linked boolean;
BEGIN
    IF was ->> 'orgId' IS DISTINCT FROM is_now ->> 'orgId' THEN
        RETURN NULL;
    END IF;
    changed := ARRAY(
        SELECT address FROM (
            SELECT unnest(TG_ARGV[3:TG_NARGS - 1]) AS address
            UNION
            SELECT address FROM (
                SELECT address, item FROM sync.items(was) UNION ALL SELECT address, item FROM sync.items(is_now)
            ) AS every
            WHERE was -> 'customFields' IS DISTINCT FROM is_now -> 'customFields'
                AND address IS NOT NULL AND item ->> 'source' = ANY(TG_ARGV[2]::text[])
        ) AS known
        WHERE sync.field_value(was, address) IS DISTINCT FROM sync.field_value(is_now, address));
    IF cardinality(changed) = 0 THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I WHERE "entityId" = $1 AND "orgId" = $2 AND adapter = ANY($3))',
        TG_TABLE_SCHEMA, TG_ARGV[1]) INTO is_linked USING is_now ->> 'id', is_now ->> 'orgId', TG_ARGV[2]::text[];
    IF NOT is_linked THEN
        RETURN NULL;
    END IF;
    INSERT INTO sync.local_edits AS edit (org_id, entity_table, entity_id, field, base, edited_at, edited_by)
    SELECT is_now ->> 'orgId', TG_ARGV[0], is_now ->> 'id', address, coalesce(sync.field_value(was, address), 'null'),
        clock_timestamp(), coalesce(is_now ->> 'updatedBy', session_user)
    FROM unnest(changed) AS address
    ON CONFLICT (org_id, entity_table, entity_id, field)
        DO UPDATE SET edited_at = excluded.edited_at, edited_by = excluded.edited_by;
    DELETE FROM sync.local_edits AS edit
    WHERE org_id = is_now ->> 'orgId' AND entity_table = TG_ARGV[0] AND entity_id = is_now ->> 'id'
        AND field = ANY(changed) AND base = sync.field_value(is_now, field);
    RETURN NULL;
END $$
"""
NOTE_EDIT_OF_COLUMNS = """
CREATE OR REPLACE FUNCTION sync.note_edit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    was jsonb := to_jsonb(OLD);
    is_now jsonb := to_jsonb(NEW);
    changed text[] := ARRAY(
        SELECT name FROM unnest(TG_ARGV[3:TG_NARGS - 1]) AS name WHERE was -> name IS DISTINCT FROM is_now -> name);
    is_linked boolean;
BEGIN
    IF cardinality(changed) = 0 OR was ->> 'orgId' IS DISTINCT FROM is_now ->> 'orgId' THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I WHERE "entityId" = $1 AND "orgId" = $2 AND adapter = ANY($3))',
        TG_TABLE_SCHEMA, TG_ARGV[1]) INTO is_linked USING is_now ->> 'id', is_now ->> 'orgId', TG_ARGV[2]::text[];
    IF NOT is_linked THEN
        RETURN NULL;
    END IF;
    INSERT INTO sync.local_edits AS edit (org_id, entity_table, entity_id, field, base, edited_at, edited_by)
    SELECT is_now ->> 'orgId', TG_ARGV[0], is_now ->> 'id', name, coalesce(was -> name, 'null'), clock_timestamp(),
        coalesce(is_now ->> 'updatedBy', session_user)
    FROM unnest(changed) AS name
    ON CONFLICT (org_id, entity_table, entity_id, field)
        DO UPDATE SET edited_at = excluded.edited_at, edited_by = excluded.edited_by;
    DELETE FROM sync.local_edits AS edit
    WHERE org_id = is_now ->> 'orgId' AND entity_table = TG_ARGV[0] AND entity_id = is_now ->> 'id'
        AND field = ANY(changed) AND base = is_now -> field;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    for function in (ITEM_ADDRESS, ITEMS, FIELD_VALUE, PUT_FIELDS, NOTE_EDIT):
        op.execute(function)


def downgrade() -> None:
    op.execute(NOTE_EDIT_OF_COLUMNS)
    op.execute("DELETE FROM sync.local_edits WHERE starts_with(field, 'customFields.')")
    op.execute("DELETE FROM sync.conflicts WHERE starts_with(field, 'customFields.')")
    op.execute("DELETE FROM sync.conflict_policies WHERE starts_with(field, 'customFields.')")
    op.execute("DROP FUNCTION sync.put_fields(jsonb, jsonb)")
    op.execute("DROP FUNCTION sync.field_value(jsonb, text)")
    op.execute("DROP FUNCTION sync.items(jsonb)")
    op.execute("DROP FUNCTION sync.item_address(jsonb)")
