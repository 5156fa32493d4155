"""How every church is, found without reading all of its streams: the streams that fail, and three indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

SCHEMA = "sync"

# A trigger and not the code, because a version before this one may go on syncing. It writes only where a stream begins
# or ceases to fail; for all others it looks into a table of a few rows.
NOTE_FAILING = """
CREATE FUNCTION sync.note_failing() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status NOT IN ('failed', 'incomplete') THEN
        DELETE FROM sync.failing_streams
        WHERE org_id = NEW.org_id AND stream = NEW.stream AND stream_sync_id <= NEW.id;
    ELSIF NOT EXISTS (SELECT FROM sync.stream_syncs AS newer
                      WHERE newer.org_id = NEW.org_id AND newer.stream = NEW.stream AND newer.id > NEW.id) THEN
        INSERT INTO sync.failing_streams (org_id, stream, stream_sync_id) VALUES (NEW.org_id, NEW.stream, NEW.id)
        ON CONFLICT (org_id, stream) DO UPDATE SET stream_sync_id = excluded.stream_sync_id;
    END IF;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER note_failing AFTER INSERT OR UPDATE OF status ON sync.stream_syncs
FOR EACH ROW EXECUTE FUNCTION sync.note_failing()
"""
FAILING_NOW = """
INSERT INTO sync.failing_streams (org_id, stream, stream_sync_id)
SELECT state.org_id, state.stream, newest.id FROM sync.stream_states AS state
CROSS JOIN LATERAL (SELECT id, status FROM sync.stream_syncs AS each
                    WHERE each.org_id = state.org_id AND each.stream = state.stream ORDER BY id DESC LIMIT 1) AS newest
WHERE newest.status IN ('failed', 'incomplete')
"""


def upgrade() -> None:
    op.create_table(
        "failing_streams",
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("stream_sync_id", sa.BigInteger, nullable=False, comment="its newest sync, which failed"),
        sa.PrimaryKeyConstraint("org_id", "stream"),
        schema=SCHEMA,
    )
    op.execute(NOTE_FAILING)
    op.execute(TRIGGER)
    op.execute(FAILING_NOW)
    op.create_index(
        "stream_states_oldest_idx",
        "stream_states",
        ["org_id", "last_succeeded_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("availability IN ('available', 'silent')"),
    )
    op.create_index(
        "stream_states_withheld_idx",
        "stream_states",
        ["org_id"],
        schema=SCHEMA,
        postgresql_where=sa.text("availability IN ('not_granted', 'forbidden', 'withheld')"),
    )
    op.create_index(
        "stream_syncs_changed_idx",
        "stream_syncs",
        ["org_id", "finished_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("inserted + updated + deleted + merged > 0 OR mode = 'rollback'"),
    )


def downgrade() -> None:
    op.drop_index("stream_syncs_changed_idx", "stream_syncs", schema=SCHEMA)
    op.drop_index("stream_states_withheld_idx", "stream_states", schema=SCHEMA)
    op.drop_index("stream_states_oldest_idx", "stream_states", schema=SCHEMA)
    op.execute("DROP TRIGGER note_failing ON sync.stream_syncs")
    op.execute("DROP FUNCTION sync.note_failing()")
    op.drop_table("failing_streams", schema=SCHEMA)
