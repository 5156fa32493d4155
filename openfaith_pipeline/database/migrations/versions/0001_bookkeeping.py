"""Schema sync, and an empty schema for Dagster's own storage."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "sync"
MOMENT = sa.DateTime(timezone=True)
NOW = sa.func.now()
ZERO = sa.text("0")


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS dagster")
    _create_orgs()
    _create_connections()
    _create_syncs()
    _create_stream_states()
    _create_stream_syncs()
    _create_quarantine()
    op.create_table(
        "run_leases",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("beat_at", MOMENT, nullable=False),
        schema=SCHEMA,
    )


def _create_orgs() -> None:
    op.create_table(
        "orgs",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text, comment="Planning Center's own id of the church"),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("paused_at", MOMENT),
        sa.Column("removed_at", MOMENT),
        schema=SCHEMA,
    )


def _create_connections() -> None:
    op.create_table(
        "connections",
        sa.Column("org_id", sa.Text, sa.ForeignKey("sync.orgs.org_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False, comment="the credentials as encrypted JSON"),
        sa.Column("api_url", sa.Text, comment="where this church's Planning Center answers; the setting when null"),
        sa.Column("state", sa.Text, nullable=False, server_default="connected"),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("updated_at", MOMENT, nullable=False, server_default=NOW),
        sa.CheckConstraint("kind IN ('personal_access_token', 'oauth')", name="kind_is_known"),
        sa.CheckConstraint("state IN ('connected', 'degraded', 'needs_reconnect')", name="state_is_known"),
        schema=SCHEMA,
    )


def _create_syncs() -> None:
    op.create_table(
        "syncs",
        sa.Column("sync_id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, comment="the Dagster run that began it"),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("requested", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("started_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("finished_at", MOMENT),
        sa.Column("status", sa.Text, nullable=False, server_default="running"),
        sa.Column("error", sa.Text),
        sa.CheckConstraint("status IN ('running', 'succeeded', 'failed')", name="status_is_known"),
        schema=SCHEMA,
    )


def _create_stream_states() -> None:
    op.create_table(
        "stream_states",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("watermark", MOMENT),
        sa.Column("fence", sa.BigInteger, nullable=False, server_default=ZERO),
        sa.Column("holder", sa.Text),
        sa.Column("lease_expires_at", MOMENT),
        sa.Column("availability", sa.Text, nullable=False, server_default="available"),
        sa.Column("availability_reason", sa.Text),
        sa.Column("checked_at", MOMENT),
        sa.Column("last_full_at", MOMENT),
        sa.Column("last_succeeded_at", MOMENT),
        sa.Column("row_count", sa.BigInteger),
        sa.CheckConstraint(
            "availability IN ('available', 'not_granted', 'forbidden', 'absent')", name="availability_is_known"
        ),
        schema=SCHEMA,
    )


def _create_stream_syncs() -> None:
    counts = ("fetched", "inserted", "updated", "unchanged", "deleted", "quarantined", "requests")
    op.create_table(
        "stream_syncs",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("sync_id", sa.Text, sa.ForeignKey("sync.syncs.sync_id"), nullable=False),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("lead_stream", sa.Text, nullable=False, comment="the stream whose pages these records came with"),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="running"),
        sa.Column("checkpoint", JSONB),
        sa.Column("pages", sa.Integer, nullable=False, server_default=ZERO),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default=ZERO) for name in counts),
        sa.Column("waited_seconds", sa.Double, nullable=False, server_default=ZERO),
        sa.Column("started_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("finished_at", MOMENT),
        sa.Column("error", sa.Text),
        sa.CheckConstraint(
            "status IN ('running', 'succeeded', 'failed', 'incomplete', 'abandoned', 'unavailable')",
            name="status_is_known",
        ),
        schema=SCHEMA,
    )
    running = sa.text("status = 'running'")
    columns = ["org_id", "stream"]
    op.create_index(
        "stream_syncs_one_running", "stream_syncs", columns, unique=True, schema=SCHEMA, postgresql_where=running
    )
    op.create_index("stream_syncs_sync_id_idx", "stream_syncs", ["sync_id"], schema=SCHEMA)
    op.create_index("stream_syncs_latest_idx", "stream_syncs", [*columns, sa.text("id DESC")], schema=SCHEMA)


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("sync_id", sa.Text, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("record_id", sa.Text),
        sa.Column("field", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("record", JSONB),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("resolved_at", MOMENT),
        schema=SCHEMA,
    )
    is_open = sa.text("resolved_at IS NULL")
    op.create_index("quarantine_open_idx", "quarantine", ["org_id", "stream"], schema=SCHEMA, postgresql_where=is_open)
