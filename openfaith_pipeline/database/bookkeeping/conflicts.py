"""Fields that were changed in OpenFaith, their policies, and conflicts that wait for a person."""

from typing import Final

from sqlalchemy import Column, DateTime, Index, PrimaryKeyConstraint, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from openfaith_pipeline.database.bookkeeping.columns import METADATA, moment, moment_of_insert, one_of

LOCAL_EDITS: Final = Table(
    "local_edits",
    METADATA,
    Column("org_id", Text, nullable=False),
    Column("entity_table", Text, nullable=False, comment="an OpenFaith table without its prefix"),
    Column("entity_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("base", JSONB, nullable=False, comment="the source's value that the edit is known to differ from"),
    Column("edited_at", DateTime(timezone=True), nullable=False),
    Column("edited_by", Text, nullable=False, comment="a user of OpenFaith, or of the database"),
    PrimaryKeyConstraint("org_id", "entity_table", "entity_id", "field"),
)

CONFLICT_POLICIES: Final = Table(
    "conflict_policies",
    METADATA,
    Column("org_id", Text, nullable=False, comment="* is every org without a policy of its own"),
    Column("entity_table", Text, nullable=False, comment="* is every table without a policy of its own"),
    Column("field", Text, nullable=False, comment="* is every field without a policy of its own"),
    Column("policy", Text, nullable=False),
    PrimaryKeyConstraint("org_id", "entity_table", "field"),
    one_of("policy", "source", "local", "newest", "ask"),
)

CONFLICTS: Final = Table(
    "conflicts",
    METADATA,
    Column("id", Text, primary_key=True, comment="conflict- and a number"),
    Column("org_id", Text, nullable=False),
    Column("entity_table", Text, nullable=False),
    Column("entity_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("base", JSONB, nullable=False, comment="the value of the last sync before both changed it"),
    Column("local", JSONB, nullable=False, comment="the value in OpenFaith"),
    Column("source", JSONB, nullable=False, comment="the value at the source"),
    moment("source_changed_at"),
    Column("edited_at", DateTime(timezone=True), nullable=False),
    Column("edited_by", Text, nullable=False),
    Column("sync_id", Text, nullable=False, comment="the sync that found it"),
    moment_of_insert("since"),
    Column("decision", Text),
    moment("decided_at"),
    Column("decided_by", Text, comment="a person, or the sync that settled it"),
    one_of("decision", "approved", "rejected", "settled"),
)
Index(
    "conflicts_one_open",
    CONFLICTS.c.org_id,
    CONFLICTS.c.entity_table,
    CONFLICTS.c.entity_id,
    CONFLICTS.c.field,
    unique=True,
    postgresql_where=CONFLICTS.c.decision.is_(None),
)
