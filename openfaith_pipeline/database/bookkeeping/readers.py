"""Logins that read the rows of some orgs only."""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from openfaith_pipeline.database.bookkeeping.columns import METADATA, moment_of_insert
from openfaith_pipeline.database.bookkeeping.orgs import ORGS

READERS: Final = Table(
    "readers",
    METADATA,
    Column("login", Text, primary_key=True, comment="the role of Postgres that it connects as"),
    Column("sees_giving", Boolean, nullable=False),
    Column("sees_all_orgs", Boolean, nullable=False, comment="also those that are added later"),
    moment_of_insert("created_at"),
)

READER_ORGS: Final = Table(
    "reader_orgs",
    METADATA,
    Column("login", Text, ForeignKey(READERS.c.login, ondelete="CASCADE"), nullable=False),
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("login", "org_id"),
)
Index("reader_orgs_org_id_idx", READER_ORGS.c.org_id)
