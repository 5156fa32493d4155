"""Erasures of people's data, and the marks that recognize erased records without saying anything about them."""

from typing import Final

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from openfaith_pipeline.database.bookkeeping.columns import METADATA, moment, moment_of_insert, one_of

ERASURES: Final = Table(
    "erasures",
    METADATA,
    Column("erasure_id", Text, primary_key=True),
    Column("org_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("erased_by", Text, nullable=False),
    moment_of_insert("erased_at"),
    Column("counts", JSONB, nullable=False, comment="by place: rows removed, or cleared of the reference"),
    moment("lifted_at"),
    Column("lifted_by", Text),
    Column(
        "unreclaimed",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'"),
        comment="tables to be rewritten yet, whose files may still have bytes of removed rows",
    ),
    one_of("subject", "person", "org"),
)
"""The certificates. They outlive the org."""

Index("erasures_org_id_idx", ERASURES.c.org_id)

ERASURE_SALTS: Final = Table(
    "erasure_salts",
    METADATA,
    Column("org_id", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False, comment="key of the hashes of the org's erased records"),
)

ERASED_RECORDS: Final = Table(
    "erased_records",
    METADATA,
    Column("org_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("record_hash", LargeBinary, nullable=False, comment="HMAC-SHA256 of the record's id"),
    Column("erasure_id", Text, ForeignKey(ERASURES.c.erasure_id, ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("org_id", "stream", "record_hash", "erasure_id"),
)
"""Records that a sync meets again are withheld by these. A lifted erasure has none."""

Index("erased_records_erasure_id_idx", ERASED_RECORDS.c.erasure_id)
