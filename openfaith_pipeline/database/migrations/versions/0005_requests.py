"""Requests, which outlive the process that made them, and the activities of their workflows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "sync"
MOMENT = sa.DateTime(timezone=True)
NOW = sa.func.now()


def upgrade() -> None:
    _create_requests()
    _create_activities()


def _create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("request_id", sa.Text, primary_key=True, comment="also the sync_id of the sync it asks for"),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False, comment="what asked: api, webhook, schedule, backfill, ..."),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("status", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("run_id", sa.Text, comment="the Dagster run that carries it out, the newest when it was retried"),
        sa.Column("not_before", MOMENT),
        sa.Column("requested_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("launched_at", MOMENT),
        sa.Column("started_at", MOMENT),
        sa.Column("cancel_requested_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("error", sa.Text),
        sa.Column("result", JSONB),
        sa.CheckConstraint(
            "status IN ('waiting', 'launched', 'running', 'succeeded', 'failed', 'canceled')", name="status_is_known"
        ),
        schema=SCHEMA,
    )
    op.create_index("requests_idempotency_key", "requests", ["org_id", "idempotency_key"], unique=True, schema=SCHEMA)
    is_open = sa.text("finished_at IS NULL")
    op.create_index(
        "requests_open_idx", "requests", ["org_id", "requested_at"], schema=SCHEMA, postgresql_where=is_open
    )
    op.create_index("requests_latest_idx", "requests", ["org_id", sa.text("requested_at DESC")], schema=SCHEMA)


def _create_activities() -> None:
    request = sa.ForeignKey(f"{SCHEMA}.requests.request_id", ondelete="CASCADE")
    op.create_table(
        "activities",
        sa.Column("request_id", sa.Text, request, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("result", JSONB),
        sa.Column("error", sa.Text),
        sa.Column("started_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint("status IN ('running', 'succeeded', 'failed', 'undone')", name="status_is_known"),
        schema=SCHEMA,
    )
