"""Held deletions, unknown attributes, and records that could not be loaded."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from openfaith_pipeline.database.bookkeeping.columns import METADATA, moment, moment_of_insert, one_of

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
    moment_of_insert("held_at"),
    Column("decision", Text),
    moment("decided_at"),
    Column("decided_by", Text, comment="a person, or the reconcile that settled it"),
    one_of("decision", "approved", "rejected", "superseded", "lapsed"),
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
    moment_of_insert("first_seen_at"),
    PrimaryKeyConstraint("org_id", "stream", "attribute", "kind"),
    one_of("kind", "new", "gone", "retyped"),
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
    moment_of_insert("created_at"),
    moment("resolved_at"),
)
Index(
    "quarantine_open_idx",
    QUARANTINE.c.org_id,
    QUARANTINE.c.stream,
    postgresql_where=QUARANTINE.c.resolved_at.is_(None),
)
