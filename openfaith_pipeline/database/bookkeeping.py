"""Tables of schema `sync`: orgs, connections, syncs of streams and their errors."""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

SYNC_SCHEMA: Final = "sync"

METADATA: Final = MetaData(schema=SYNC_SCHEMA)

ENCRYPTED: Final = {"is_encrypted": True}
"""The `info` of columns encrypted with OPENFAITH_ENCRYPTION_KEYS, by which `org reencrypt` finds them."""


def _moment(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True))


def _moment_of_insert(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def _count(name: str, kind: type[Integer] = BigInteger) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text("0"))


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")


ORGS: Final = Table(
    "orgs",
    METADATA,
    Column("org_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("organization_id", Text, comment="Planning Center's own id of the church"),
    _moment_of_insert("created_at"),
    _moment("paused_at"),
    _moment("removed_at"),
)

CONNECTIONS: Final = Table(
    "source_connections",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("secret", LargeBinary, info=ENCRYPTED, comment="the credentials as encrypted JSON"),
    Column("previous_secret", LargeBinary, info=ENCRYPTED, comment="the tokens before these, until these have worked"),
    Column("held_in", Text, comment="schema of OpenFaith's tables, where these hold the tokens"),
    Column("is_enabled_there", Boolean, nullable=False, server_default=text("true")),
    _moment("token_expires_at"),
    _moment("refresh_began_at"),
    _moment("refresh_failed_at"),
    Column("refresh_error", Text),
    _moment("dead_since"),
    Column("dead_grant", LargeBinary, comment="fingerprint of the refresh token that is known to be dead"),
    Column("api_url", Text, comment="where this church's Planning Center answers; the setting when null"),
    Column("state", Text, nullable=False, server_default="connected"),
    Column("reason", Text),
    _moment_of_insert("created_at"),
    _moment_of_insert("updated_at"),
    _one_of("kind", "personal_access_token", "oauth"),
    Column("adapter", Text, primary_key=True, comment="the source that it leads to"),
    _one_of("state", "connected", "degraded", "needs_reconnect"),
    postgresql_partition_by="LIST (adapter)",
)

OAUTH_JOURNEYS: Final = Table(
    "oauth_journeys",
    METADATA,
    Column("state_hash", Text, primary_key=True),
    Column("browser_hash", Text, nullable=False),
    Column("verifier", LargeBinary, nullable=False, info=ENCRYPTED, comment="of PKCE, encrypted; good for ten minutes"),
    Column("redirect_uri", Text, nullable=False),
    Column("org_id", Text, comment="the org that is connected again, where that is known from the beginning"),
    Column("invitation_hash", Text, comment="of the invitation that it began with"),
    Column("granted", LargeBinary, info=ENCRYPTED, comment="tokens that wait for the person's confirmation"),
    Column("organization_id", Text, comment="of the church that the tokens are of"),
    Column("organization_name", Text),
    _moment_of_insert("began_at"),
)

INVITATIONS: Final = Table(
    "invitations",
    METADATA,
    Column("token_hash", Text, primary_key=True),
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    _moment_of_insert("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

SYNCS: Final = Table(
    "syncs",
    METADATA,
    Column("sync_id", Text, primary_key=True),
    Column("run_id", Text, comment="the Dagster run that worked for it last"),
    Column("mode", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("idempotency_key", Text, unique=True, comment="whoever asks with the same key gets this sync"),
    Column("requested", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _moment_of_insert("started_at"),
    _moment("finished_at"),
    Column("status", Text, nullable=False, server_default="running"),
    Column("error", Text),
    Column("planned_at", DateTime(timezone=True), comment="of a plan: when all of it was read"),
    _one_of("status", "running", "succeeded", "failed", "planned", "discarded", "rolled_back", "interrupted"),
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
    _moment("watermark"),
    Column(
        "look_back",
        Interval,
        comment="how far before the watermark the next syncs begin to read, by how late changes came; it halves weekly",
    ),
    Column("look_back_at", DateTime(timezone=True), comment="when the look-back was set"),
    _count("fence"),
    Column("holder", Text),
    _moment("lease_expires_at"),
    Column("availability", Text, nullable=False, server_default="available"),
    Column("availability_reason", Text),
    Column(
        "is_path_absent",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="the unconfirmed path was asked for and is not there",
    ),
    _moment("checked_at"),
    Column(
        "last_full_at", DateTime(timezone=True), comment="when everything was last read and proven, deletions included"
    ),
    _moment("last_succeeded_at"),
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
    _one_of("availability", "available", "not_granted", "forbidden", "absent", "silent", "withheld"),
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
    _count("pages", Integer),
    _count("fetched"),
    _count("inserted"),
    _count("updated"),
    _count("unchanged"),
    _count("deleted"),
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
    _count("quarantined"),
    _count("requests"),
    Column("waited_seconds", Double, nullable=False, server_default=text("0")),
    _moment_of_insert("started_at"),
    _moment("finished_at"),
    Column("error", Text),
    Column(
        "state_before",
        JSONB(none_as_null=True),
        comment="the stream's state before this was published, for a rollback",
    ),
    _one_of(
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

DELETE_GUARDS: Final = Table(
    "delete_guards",
    METADATA,
    Column("org_id", Text, nullable=False, comment="* is every org without a guard of its own"),
    Column("stream", Text, nullable=False, comment="* is every stream without a guard of its own"),
    Column("largest_share", Double, nullable=False),
    Column("largest_number", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "stream"),
)

HELD_DELETIONS: Final = Table(
    "held_deletions",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("org_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("sync_id", Text, nullable=False, comment="the reconcile that found them missing"),
    Column("ids", ARRAY(Text), nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    _moment_of_insert("held_at"),
    Column("decision", Text),
    _moment("decided_at"),
    Column("decided_by", Text, comment="a person, or the reconcile that settled it"),
    _one_of("decision", "approved", "rejected", "superseded", "lapsed"),
)
Index(
    "held_deletions_one_open",
    HELD_DELETIONS.c.org_id,
    HELD_DELETIONS.c.stream,
    unique=True,
    postgresql_where=HELD_DELETIONS.c.decision.is_(None),
)

DRIFT: Final = Table(
    "drift",
    METADATA,
    Column("org_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("attribute", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="how the source differs from the catalog"),
    _moment_of_insert("first_seen_at"),
    PrimaryKeyConstraint("org_id", "stream", "attribute", "kind"),
    _one_of("kind", "new", "gone", "retyped"),
)

QUARANTINE: Final = Table(
    "quarantine",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("org_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("sync_id", Text, nullable=False),
    Column("page", Integer),
    Column("record_id", Text),
    Column("field", Text),
    Column("reason", Text, nullable=False),
    Column("record", JSONB(none_as_null=True)),
    Column(
        "parents",
        JSONB(none_as_null=True),
        comment="relationship -> id of the records it was listed under",
    ),
    _moment_of_insert("created_at"),
    _moment("resolved_at"),
)
Index(
    "quarantine_open_idx",
    QUARANTINE.c.org_id,
    QUARANTINE.c.stream,
    postgresql_where=QUARANTINE.c.resolved_at.is_(None),
)

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("org_id", Text, comment="null for what concerns no single org"),
    Column("incident", Text, nullable=False, comment="tells incidents of one kind and org apart"),
    Column("message", Text, nullable=False),
    Column("mend", Text, nullable=False, comment="what the reader can do about it"),
    Column("count", BigInteger, nullable=False, server_default=text("1"), comment="how often it was raised"),
    _moment_of_insert("first_seen_at"),
    _moment_of_insert("last_seen_at"),
    Column("delivered_to", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    _moment("delivered_at"),
    _count("attempts", Integer),
    _moment_of_insert("next_attempt_at"),
    Column("delivery_error", Text),
    _moment("resolved_at"),
    _one_of(
        "kind",
        "run_failed",
        "connection_dead",
        "connections_dying",
        "deletes_held",
        "freshness_missed",
        "webhooks_disabled",
    ),
)
Index(
    "alerts_one_open",
    ALERTS.c.kind,
    text("coalesce(org_id, '')"),
    ALERTS.c.incident,
    unique=True,
    postgresql_where=ALERTS.c.resolved_at.is_(None),
)

WEBHOOK_ORGS: Final = Table(
    "webhook_orgs",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column("is_wanted", Boolean, nullable=False, server_default=text("true"), comment="false once ended by hand"),
    _moment("ensured_at"),
    Column("next_check_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("problem", Text, comment="why the org cannot subscribe"),
)

WEBHOOK_SUBSCRIPTIONS: Final = Table(
    "webhook_subscriptions",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    Column("subscription_id", Text, nullable=False, comment="Planning Center's own id"),
    Column("event", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False, info=ENCRYPTED, comment="what deliveries are signed with, encrypted"),
    _moment_of_insert("created_at"),
    PrimaryKeyConstraint("org_id", "subscription_id"),
)

WEBHOOK_DELIVERIES: Final = Table(
    "webhook_deliveries",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("org_id", Text, nullable=False),
    Column("event_id", Text, nullable=False, comment="the same however often an event is delivered"),
    Column("event", Text, nullable=False),
    Column("stream", Text, comment="null for an event about nothing that is synced"),
    Column("record_id", Text),
    _moment("occurred_at"),
    Column("payload", LargeBinary, nullable=False, comment="the record's document, byte for byte as it came"),
    _moment_of_insert("received_at"),
    Column("status", Text, nullable=False, server_default="pending"),
    _count("attempts", Integer),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("holder", Text),
    _moment("claimed_until"),
    Column("sync_id", Text, comment="the sync that applied it, or the request that will"),
    Column("error", Text),
    _moment("settled_at"),
    Column(
        "is_doubtful",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="tells of an end that is to be confirmed",
    ),
    _one_of("status", "pending", "applied", "superseded", "requested", "ignored", "failed"),
)
Index("webhook_deliveries_event_idx", WEBHOOK_DELIVERIES.c.org_id, WEBHOOK_DELIVERIES.c.event_id, unique=True)
Index(
    "webhook_deliveries_pending_idx",
    WEBHOOK_DELIVERIES.c.next_attempt_at,
    WEBHOOK_DELIVERIES.c.org_id,
    postgresql_where=WEBHOOK_DELIVERIES.c.status == text("'pending'"),
)
Index(
    "webhook_deliveries_record_idx",
    WEBHOOK_DELIVERIES.c.org_id,
    WEBHOOK_DELIVERIES.c.stream,
    WEBHOOK_DELIVERIES.c.record_id,
)
Index("webhook_deliveries_settled_idx", WEBHOOK_DELIVERIES.c.settled_at)
Index(
    "webhook_deliveries_org_pending_idx",
    WEBHOOK_DELIVERIES.c.org_id,
    WEBHOOK_DELIVERIES.c.next_attempt_at,
    WEBHOOK_DELIVERIES.c.id,
    postgresql_where=WEBHOOK_DELIVERIES.c.status == text("'pending'"),
)

WEBHOOK_TURNS: Final = Table(
    "webhook_turns",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column(
        "taken_at",
        DateTime(timezone=True),
        nullable=False,
        comment="when deliveries of the org were claimed last",
    ),
)

WEBHOOK_BEATS: Final = Table(
    "webhook_beats",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("beat_at", DateTime(timezone=True), nullable=False),
)

JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("id", BigInteger, nullable=False, server_default=text("nextval('sync.journal_id_seq')")),
    _moment_of_insert("changed_at"),
    Column("org_id", Text, nullable=False),
    Column("table_name", Text, nullable=False, comment="schema and table"),
    Column("row_key", JSONB, nullable=False, comment="the key's columns besides the org"),
    Column("action", Text, nullable=False, comment="delete: marked deleted; remove: the row is gone"),
    Column("before", JSON(none_as_null=True), comment="the columns that changed; of a remove the whole row"),
    Column("after", JSON(none_as_null=True), comment="the columns that changed; of an insert the whole row"),
    Column("sync_id", Text, nullable=False),
    Column("cause", Text, nullable=False, comment="a sync mode, transform, merge, webhook, rollback, ..."),
    _one_of("action", "insert", "update", "delete", "restore", "remove"),
    postgresql_partition_by="RANGE (changed_at)",
)
Index("journal_table_idx", JOURNAL.c.org_id, JOURNAL.c.table_name)
Index("journal_row_idx", func.jsonb_hash(JOURNAL.c.row_key))
Index("journal_sync_id_idx", JOURNAL.c.sync_id)

UNTRANSFORMED: Final = Table(
    "untransformed",
    METADATA,
    Column("org_id", Text, nullable=False),
    Column("source", Text, nullable=False, comment="a stream or an OpenFaith table"),
    Column("key", ARRAY(Text), nullable=False, comment="what names the row; empty for all rows"),
)
Index("untransformed_org_id_idx", UNTRANSFORMED.c.org_id)

TRANSFORMS: Final = Table(
    "transforms",
    METADATA,
    Column("org_id", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False, comment="of the code and declarations it was made by"),
    Column("totals", JSONB, nullable=False, comment="by table: records and live rows"),
    Column("field_names", JSONB, nullable=False, comment="what the church's own fields are called"),
    _moment_of_insert("transformed_at"),
)

ROLLBACKS: Final = Table(
    "rollbacks",
    METADATA,
    Column("rollback_id", Text, nullable=False, comment="the sync that the undoing is journaled as"),
    Column("org_id", Text, nullable=False),
    Column("sync_id", Text, nullable=False, comment="the sync that was undone"),
    Column("streams", JSONB(none_as_null=True), comment="only these of it; null for all"),
    Column("reason", Text, nullable=False),
    Column("rows", JSONB, nullable=False, comment="by table: restored, removed, returned, kept"),
    _moment_of_insert("created_at"),
    Column("undone_at", DateTime(timezone=True), comment="when it was itself rolled back"),
    PrimaryKeyConstraint("rollback_id", "org_id"),
)
Index("rollbacks_sync_id_idx", ROLLBACKS.c.sync_id)

JOURNAL_HORIZON: Final = Table(
    "journal_horizon",
    METADATA,
    Column(
        "begins_at",
        DateTime(timezone=True),
        nullable=False,
        comment="what the tables were before this is not known",
    ),
)

RUN_LEASES: Final = Table(
    "run_leases",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("beat_at", DateTime(timezone=True), nullable=False),
)

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
    _moment("not_before"),
    _moment_of_insert("requested_at"),
    _moment("launched_at"),
    _moment("started_at"),
    _moment("cancel_requested_at"),
    _moment("finished_at"),
    Column("error", Text),
    Column("result", JSONB(none_as_null=True)),
    _one_of("status", "waiting", "launched", "running", "succeeded", "failed", "canceled"),
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
    _count("attempts", Integer),
    Column("result", JSONB(none_as_null=True)),
    Column("error", Text),
    _moment_of_insert("started_at"),
    _moment("finished_at"),
    PrimaryKeyConstraint("request_id", "name"),
    _one_of("status", "running", "succeeded", "failed", "undone"),
)

ORG_SETTINGS: Final = Table(
    "org_settings",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column("sync_every", Interval, comment="between incremental syncs; the default when null"),
    Column("poll_every", Interval, comment="between readings of what can only be read whole; the default when null"),
    Column("reconcile_within", Interval, comment="in which each stream is reconciled once; the default when null"),
    Column("streams", ARRAY(Text), comment="products and streams that are synced; all when null"),
    _moment_of_insert("updated_at"),
)

ORG_SCHEDULES: Final = Table(
    "org_schedules",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("holder", Text, comment="the sweep that works on it"),
    _moment("lease_expires_at"),
    Column("sync_id", Text, comment="of the sync under way, or of one whose sweep died, which is continued"),
    _moment("attempted_at"),
    _moment("succeeded_at"),
    _count("failures", Integer),
    Column("error", Text),
    _moment("polled_at"),
    Column("untransformed", ARRAY(Text), comment="streams that changed and whose canonical tables are not made yet"),
    PrimaryKeyConstraint("org_id", "kind"),
    _one_of("kind", "incremental", "reconcile"),
)
Index("org_schedules_due_idx", ORG_SCHEDULES.c.kind, ORG_SCHEDULES.c.next_at)

RATE_BUDGETS: Final = Table(
    "source_rate_budgets",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column("ledger", JSONB, nullable=False, comment="who leased which requests, and what the server has counted"),
    Column("version", BigInteger, nullable=False),
    Column("adapter", Text, primary_key=True, comment="the source that it leads to"),
    Column(
        "requests",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="requests that Planning Center has answered",
    ),
    Column(
        "refused",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="those it refused for the rate limit",
    ),
    postgresql_partition_by="LIST (adapter)",
)
