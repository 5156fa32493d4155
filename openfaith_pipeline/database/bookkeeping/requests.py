"""Requested work, and the finished steps of workflows."""

from typing import Final

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from openfaith_pipeline.database.bookkeeping.columns import METADATA, count, moment, moment_of_insert, one_of

REQUESTS: Final = Table(
    "requests",
    METADATA,
    Column("request_id", Text, primary_key=True, comment="also the sync_id of the sync it asks for"),
    Column("workflow", Text, nullable=False),
    Column("org_id", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("trigger", Text, nullable=False, comment="what asked: api, webhook, schedule, backfill, ..."),
    Column("idempotency_key", Text),
    Column("status", Text, nullable=False, server_default="waiting"),
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    Column("run_id", Text, comment="the Dagster run that carries it out, the newest when it was retried"),
    moment("not_before"),
    moment_of_insert("requested_at"),
    moment("launched_at"),
    moment("started_at"),
    moment("cancel_requested_at"),
    moment("finished_at"),
    Column("error", Text),
    Column("result", JSONB(none_as_null=True)),
    Column("traceparent", Text, comment="the span of the call that made it, which its run continues"),
    one_of("status", "waiting", "launched", "running", "succeeded", "failed", "canceled"),
)
Index("requests_idempotency_key", REQUESTS.c.org_id, REQUESTS.c.idempotency_key, unique=True)
Index(
    "requests_open_idx",
    REQUESTS.c.org_id,
    REQUESTS.c.requested_at,
    postgresql_where=REQUESTS.c.finished_at.is_(None),
)
Index("requests_latest_idx", REQUESTS.c.org_id, REQUESTS.c.requested_at.desc())
Index("requests_newest_idx", REQUESTS.c.requested_at.desc())

ACTIVITIES: Final = Table(
    "activities",
    METADATA,
    Column("request_id", Text, ForeignKey(REQUESTS.c.request_id, ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("status", Text, nullable=False),
    count("attempts", Integer),
    Column("result", JSONB(none_as_null=True)),
    Column("error", Text),
    moment_of_insert("started_at"),
    moment("finished_at"),
    PrimaryKeyConstraint("request_id", "name"),
    one_of("status", "running", "succeeded", "failed", "undone"),
)
