"""The journal of changes to rows, rollbacks, and the changes that the transform has yet to follow."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from openfaith_pipeline.database.bookkeeping.columns import METADATA, moment_of_insert, one_of

JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("id", BigInteger, nullable=False, server_default=text("nextval('sync.journal_id_seq')")),
    moment_of_insert("changed_at"),
    Column("org_id", Text, nullable=False),
    Column("table_name", Text, nullable=False, comment="schema and table"),
    Column("row_key", JSONB, nullable=False, comment="the key's columns besides the org"),
    Column("action", Text, nullable=False, comment="delete: marked deleted; remove: the row is gone"),
    Column("before", JSON(none_as_null=True), comment="the columns that changed; of a remove the whole row"),
    Column("after", JSON(none_as_null=True), comment="the columns that changed; of an insert the whole row"),
    Column("sync_id", Text, nullable=False),
    Column("cause", Text, nullable=False, comment="a sync mode, transform, merge, webhook, rollback, ..."),
    one_of("action", "insert", "update", "delete", "restore", "remove"),
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
    moment_of_insert("transformed_at"),
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
    moment_of_insert("created_at"),
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

ORG_JOURNAL_HORIZONS: Final = Table(
    "org_journal_horizons",
    METADATA,
    Column("org_id", Text, primary_key=True),
    Column("begins_at", DateTime(timezone=True), nullable=False),
)
"""Where the journal of an org with a retention of its own begins."""
