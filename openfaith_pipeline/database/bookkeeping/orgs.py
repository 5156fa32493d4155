"""Orgs, their settings and times, and their connections to the source."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from openfaith_pipeline.database.bookkeeping.columns import ENCRYPTED, METADATA, count, moment, moment_of_insert, one_of

ORGS: Final = Table(
    "orgs",
    METADATA,
    Column("org_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # Equal to the first source's number in source_accounts, by triggers, for the version before.
    Column("organization_id", Text, comment="Planning Center's own id of the church"),
    moment_of_insert("created_at"),
    moment("paused_at"),
    moment("removed_at"),
    moment("resumed_at"),
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
    moment("token_expires_at"),
    moment("refresh_began_at"),
    moment("refresh_failed_at"),
    Column("refresh_error", Text),
    moment("dead_since"),
    Column("dead_grant", LargeBinary, comment="fingerprint of the refresh token that is known to be dead"),
    Column("api_url", Text, comment="where this church's Planning Center answers; the setting when null"),
    Column("state", Text, nullable=False, server_default="connected"),
    Column("reason", Text),
    moment_of_insert("created_at"),
    moment_of_insert("updated_at"),
    one_of("kind", "personal_access_token", "oauth"),
    Column("adapter", Text, primary_key=True, comment="the source that it leads to"),
    Column("revived_at", DateTime(timezone=True), comment="when a dead one worked again"),
    one_of("state", "connected", "degraded", "needs_reconnect"),
    postgresql_partition_by="LIST (adapter)",
)

ACCOUNTS: Final = Table(
    "source_accounts",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column("adapter", Text, primary_key=True, comment="the source that it is of"),
    Column("number", Text, nullable=False, comment="the source's own id of the church"),
)
Index("source_accounts_number_idx", ACCOUNTS.c.adapter, ACCOUNTS.c.number)

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
    moment_of_insert("began_at"),
)

INVITATIONS: Final = Table(
    "invitations",
    METADATA,
    Column("token_hash", Text, primary_key=True),
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    moment_of_insert("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

ORG_SETTINGS: Final = Table(
    "org_settings",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), primary_key=True),
    Column("sync_every", Interval, comment="between incremental syncs; the default when null"),
    Column("poll_every", Interval, comment="between readings of what can only be read whole; the default when null"),
    Column("reconcile_within", Interval, comment="in which each stream is reconciled once; the default when null"),
    Column("streams", ARRAY(Text), comment="products and streams that are synced; all when null"),
    Column("journal_kept", Interval, comment="how long changes are kept; the instance's setting when null"),
    Column("deliveries_kept", Interval, comment="how long settled webhook deliveries are kept; the default when null"),
    Column(
        "quarantine_kept", Interval, comment="how long resolved quarantine entries are kept; as the journal when null"
    ),
    moment_of_insert("updated_at"),
)

SCHEDULES: Final = Table(
    "source_schedules",
    METADATA,
    Column("org_id", Text, ForeignKey(ORGS.c.org_id, ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("holder", Text, comment="the sweep that works on it"),
    moment("lease_expires_at"),
    Column("sync_id", Text, comment="of the sync under way, or of one whose sweep died, which is continued"),
    moment("attempted_at"),
    moment("succeeded_at"),
    count("failures", Integer),
    Column("error", Text),
    moment("polled_at"),
    Column("untransformed", ARRAY(Text), comment="streams that changed and whose canonical tables are not made yet"),
    Column("adapter", Text, nullable=False, comment="the source that it is of"),
    PrimaryKeyConstraint("org_id", "kind", "adapter"),
    one_of("kind", "incremental", "reconcile"),
    postgresql_partition_by="LIST (adapter)",
)
Index("source_schedules_due_idx", SCHEDULES.c.adapter, SCHEDULES.c.kind, SCHEDULES.c.next_at)

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
