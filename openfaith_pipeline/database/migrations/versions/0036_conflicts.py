"""Conflicts: who changed which field in OpenFaith since its last sync, policies for it, and conflicts that wait."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

SCHEMA = "sync"
KINDS = ("run_failed", "connection_dead", "connections_dying", "deletes_held", "freshness_missed", "webhooks_disabled")

# Arguments: the OpenFaith table without its prefix, the table of links, the sources' adapters, and the columns that
# these feed. Only rows of a source's records are noted. UTC, because images of moments are compared as JSON.
NOTE_EDIT = """
CREATE FUNCTION sync.note_edit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
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
    op.create_table(
        "local_edits",
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("entity_table", sa.Text, nullable=False, comment="an OpenFaith table without its prefix"),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("base", JSONB, nullable=False, comment="the source's value that the edit is known to differ from"),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_by", sa.Text, nullable=False, comment="a user of OpenFaith, or of the database"),
        sa.PrimaryKeyConstraint("org_id", "entity_table", "entity_id", "field"),
        schema=SCHEMA,
    )
    op.create_table(
        "conflict_policies",
        sa.Column("org_id", sa.Text, nullable=False, comment="* is every org without a policy of its own"),
        sa.Column("entity_table", sa.Text, nullable=False, comment="* is every table without a policy of its own"),
        sa.Column("field", sa.Text, nullable=False, comment="* is every field without a policy of its own"),
        sa.Column("policy", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "entity_table", "field"),
        sa.CheckConstraint("policy IN ('source', 'local', 'newest', 'ask')", name="policy_is_known"),
        schema=SCHEMA,
    )
    op.execute("CREATE SEQUENCE sync.conflict_number")
    op.create_table(
        "conflicts",
        sa.Column("id", sa.Text, primary_key=True, comment="conflict- and a number"),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("entity_table", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("base", JSONB, nullable=False, comment="the value of the last sync before both changed it"),
        sa.Column("local", JSONB, nullable=False, comment="the value in OpenFaith"),
        sa.Column("source", JSONB, nullable=False, comment="the value at the source"),
        sa.Column("source_changed_at", sa.DateTime(timezone=True)),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_by", sa.Text, nullable=False),
        sa.Column("sync_id", sa.Text, nullable=False, comment="the sync that found it"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("decision", sa.Text),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.Text, comment="a person, or the sync that settled it"),
        sa.CheckConstraint("decision IN ('approved', 'rejected', 'settled')", name="decision_is_known"),
        schema=SCHEMA,
    )
    op.create_index(
        "conflicts_one_open",
        "conflicts",
        ["org_id", "entity_table", "entity_id", "field"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("decision IS NULL"),
    )
    op.execute(NOTE_EDIT)
    _know((*KINDS, "conflicts_waiting"))


def downgrade() -> None:
    op.execute("DROP FUNCTION sync.note_edit() CASCADE")
    for table in ("conflicts", "conflict_policies", "local_edits"):
        op.drop_table(table, schema=SCHEMA)
    op.execute("DROP SEQUENCE sync.conflict_number")
    op.execute("DELETE FROM sync.alerts WHERE kind = 'conflicts_waiting'")
    _know(KINDS)


def _know(kinds: tuple[str, ...]) -> None:
    op.drop_constraint("kind_is_known", "alerts", schema=SCHEMA)
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint("kind_is_known", "alerts", f"kind IN ({listed})", schema=SCHEMA)
