"""Verifications: the reports of how the tables compare with the source."""

from typing import Final

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from openfaith_pipeline.database.bookkeeping.columns import METADATA, count, one_of
from openfaith_pipeline.database.bookkeeping.orgs import ORGS

VERIFICATIONS: Final = Table(
    "verifications",
    METADATA,
    Column("verification_id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    Column("trigger", Text, nullable=False, comment="cli, schedule or ui"),
    Column("status", Text, nullable=False),
    Column("is_full", Boolean, nullable=False, comment="everything was read, not a sample"),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    count("requests"),
    Column("report", JSONB, nullable=False, comment="as `verify --json` prints it: ids and names of fields, no values"),
    one_of("status", "equal", "differs", "incomplete"),
)
Index("verifications_org_id_idx", VERIFICATIONS.c.org_id, VERIFICATIONS.c.finished_at)
