"""Incidents, and whether people know of them."""

from typing import Final, Literal, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from openfaith_pipeline.database.bookkeeping.columns import METADATA, count, moment, moment_of_insert, one_of

AlertKind = Literal[
    "run_failed",
    "connection_dead",
    "connections_dying",
    "deletes_held",
    "freshness_missed",
    "webhooks_disabled",
    "conflicts_waiting",
]

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
    moment_of_insert("first_seen_at"),
    moment_of_insert("last_seen_at"),
    Column("delivered_to", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    moment("delivered_at"),
    count("attempts", Integer),
    moment_of_insert("next_attempt_at"),
    Column("delivery_error", Text),
    moment("resolved_at"),
    one_of("kind", *get_args(AlertKind)),
)
Index(
    "alerts_one_open",
    ALERTS.c.kind,
    text("coalesce(org_id, '')"),
    ALERTS.c.incident,
    unique=True,
    postgresql_where=ALERTS.c.resolved_at.is_(None),
)
