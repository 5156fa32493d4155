"""Subscriptions, deliveries, and the turns in which they are applied."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)

from openfaith_pipeline.database.bookkeeping.columns import ENCRYPTED, METADATA, count, moment, moment_of_insert, one_of
from openfaith_pipeline.database.bookkeeping.orgs import ORGS

WEBHOOKS: Final = Table(
    "source_webhooks",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column("is_wanted", Boolean, nullable=False, server_default=text("true"), comment="false once ended by hand"),
    moment("ensured_at"),
    Column("next_check_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("problem", Text, comment="why the org cannot subscribe"),
    Column("adapter", Text, primary_key=True, comment="the source that it is of"),
    postgresql_partition_by="LIST (adapter)",
)

WEBHOOK_SUBSCRIPTIONS: Final = Table(
    "source_webhook_subscriptions",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    Column("subscription_id", Text, nullable=False, comment="Planning Center's own id"),
    Column("event", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False, info=ENCRYPTED, comment="what deliveries are signed with, encrypted"),
    moment_of_insert("created_at"),
    Column("adapter", Text, nullable=False, comment="the source that it is of"),
    PrimaryKeyConstraint("org_id", "subscription_id", "adapter"),
    postgresql_partition_by="LIST (adapter)",
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
    moment("occurred_at"),
    Column("payload", LargeBinary, nullable=False, comment="the record's document, byte for byte as it came"),
    moment_of_insert("received_at"),
    Column("status", Text, nullable=False, server_default="pending"),
    count("attempts", Integer),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("holder", Text),
    moment("claimed_until"),
    Column("sync_id", Text, comment="the sync that applied it, or the request that will"),
    Column("error", Text),
    moment("settled_at"),
    Column(
        "is_doubtful",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="tells of an end that is to be confirmed",
    ),
    Column("traceparent", Text, comment="the span in which it was received"),
    one_of("status", "pending", "applied", "superseded", "requested", "ignored", "failed"),
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
