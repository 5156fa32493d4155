"""Syncs, the state of each stream of an org, and the runs that read them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from openfaith_pipeline.database.bookkeeping.columns import METADATA, count, moment, moment_of_insert, one_of

SYNCS: Final = Table(
    "syncs",
    METADATA,
    Column("sync_id", Text, primary_key=True),
    Column("run_id", Text, comment="the Dagster run that worked for it last"),
    Column("mode", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("idempotency_key", Text, unique=True, comment="whoever asks with the same key gets this sync"),
    Column("requested", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    moment_of_insert("started_at"),
    moment("finished_at"),
    Column("status", Text, nullable=False, server_default="running"),
    Column("error", Text),
    Column("planned_at", DateTime(timezone=True), comment="of a plan: when all of it was read"),
    Column(
        "lease_expires_at",
        DateTime(timezone=True),
        comment="of a sync without a run: when its process, which renews this, counts as gone",
    ),
    one_of("status", "running", "succeeded", "failed", "planned", "discarded", "rolled_back", "interrupted"),
)
Index(
    "syncs_unfinished_idx",
    SYNCS.c.started_at.desc(),
    postgresql_where=text("status IN ('running', 'interrupted')"),
)
Index("syncs_finished_idx", SYNCS.c.finished_at)

STREAM_STATES: Final = Table(
    "stream_states",
    METADATA,
    Column("org_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    moment("watermark"),
    Column(
        "look_back",
        Interval,
        comment="how far before the watermark the next syncs begin to read, by how late changes came; it halves weekly",
    ),
    Column("look_back_at", DateTime(timezone=True), comment="when the look-back was set"),
    count("fence"),
    Column("holder", Text),
    moment("lease_expires_at"),
    Column("availability", Text, nullable=False, server_default="available"),
    Column("availability_reason", Text),
    Column(
        "is_path_absent",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="the unconfirmed path was asked for and is not there",
    ),
    moment("checked_at"),
    Column(
        "last_full_at", DateTime(timezone=True), comment="when everything was last read and proven, deletions included"
    ),
    moment("last_succeeded_at"),
    Column("read_from", DateTime(timezone=True), comment="when the reading that last succeeded began"),
    Column("row_count", BigInteger),
    Column("parentless", BigInteger),
    Column(
        "parents_read_at",
        DateTime(timezone=True),
        comment="when rows without their parent were looked for, or all parents read again; null: yet to be done",
    ),
    Column(
        "left_out",
        JSONB,
        comment="path -> id of the parent -> why its children could not be read; they are tried again by the next sync",
    ),
    PrimaryKeyConstraint("org_id", "stream"),
    one_of("availability", "available", "not_granted", "forbidden", "absent", "silent", "withheld"),
)
Index(
    "stream_states_oldest_idx",
    STREAM_STATES.c.org_id,
    STREAM_STATES.c.last_succeeded_at,
    postgresql_where=text("availability IN ('available', 'silent')"),
)
Index(
    "stream_states_withheld_idx",
    STREAM_STATES.c.org_id,
    postgresql_where=text("availability IN ('not_granted', 'forbidden', 'withheld')"),
)

STREAM_SYNCS: Final = Table(
    "stream_syncs",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("sync_id", Text, ForeignKey(SYNCS.c.sync_id), nullable=False),
    Column("org_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("lead_stream", Text, nullable=False, comment="the stream whose pages these records came with"),
    Column("mode", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="running"),
    Column("checkpoint", JSONB(none_as_null=True)),
    count("pages", Integer),
    count("fetched"),
    count("inserted"),
    count("updated"),
    count("unchanged"),
    count("deleted"),
    Column(
        "caught",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="changes that came without a new cursor value, found by content",
    ),
    Column(
        "merged",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="rows marked deleted because their records were merged into others",
    ),
    count("quarantined"),
    Column(
        "withheld_by_erasure",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="records that were listed and not stored, because they are erased",
    ),
    count("requests"),
    Column("waited_seconds", Double, nullable=False, server_default=text("0")),
    moment_of_insert("started_at"),
    moment("finished_at"),
    Column("error", Text),
    Column(
        "state_before",
        JSONB(none_as_null=True),
        comment="the stream's state before this was published, for a rollback",
    ),
    one_of(
        "status",
        "running",
        "succeeded",
        "failed",
        "incomplete",
        "abandoned",
        "unavailable",
        "planned",
        "rolled_back",
        "withheld",
    ),
)
Index(
    "stream_syncs_one_running",
    STREAM_SYNCS.c.org_id,
    STREAM_SYNCS.c.stream,
    unique=True,
    postgresql_where=STREAM_SYNCS.c.status == text("'running'"),
)
Index(
    "stream_syncs_unfinished_idx",
    STREAM_SYNCS.c.org_id,
    STREAM_SYNCS.c.stream,
    postgresql_where=text("status IN ('running', 'failed')"),
)
Index("stream_syncs_sync_id_idx", STREAM_SYNCS.c.sync_id)
Index("stream_syncs_latest_idx", STREAM_SYNCS.c.org_id, STREAM_SYNCS.c.stream, STREAM_SYNCS.c.id.desc())
Index(
    "stream_syncs_changed_idx",
    STREAM_SYNCS.c.org_id,
    STREAM_SYNCS.c.finished_at,
    postgresql_where=text("inserted + updated + deleted + merged > 0 OR mode = 'rollback'"),
)

FAILING_STREAMS: Final = Table(
    "failing_streams",
    METADATA,
    Column("org_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("stream_sync_id", BigInteger, nullable=False, comment="its newest sync, which failed"),
    PrimaryKeyConstraint("org_id", "stream"),
)
"""The streams of which the newest sync failed or is incomplete, kept by a trigger of `stream_syncs`."""

RUN_LEASES: Final = Table(
    "run_leases",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("beat_at", DateTime(timezone=True), nullable=False),
)

RUN_WORKERS: Final = Table(
    "run_workers",
    METADATA,
    Column("worker", Text, primary_key=True),
    Column("slots", Integer, nullable=False, comment="runs it executes at the same time"),
    Column("room_since", DateTime(timezone=True), comment="since when a slot has been free at each beat"),
    Column("beat_at", DateTime(timezone=True), nullable=False),
)
"""The workers that take runs from a broker."""
