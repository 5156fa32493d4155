"""Kinds of findings: area, severity, meaning and remedy of each. docs/doctor.md lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Something does not work, or rows are wrong."""
    WARNING = "warning"
    """Something will not work for long, or waits for a person."""
    NOTE = "note"
    """Somebody's choice, or the source's; nothing has to be done."""


class Area(StrEnum):
    """The parts that are looked at, in this order."""

    SETTINGS = "settings"
    HOME = "home"
    DATABASE = "database"
    SYNCS = "syncs"
    CONNECTIONS = "connections"
    STREAMS = "streams"
    BUDGETS = "budgets"
    DELIVERIES = "deliveries"
    SUBSCRIPTIONS = "subscriptions"
    RECORDS = "records"
    OPENFAITH = "openfaith"


OF_DATABASE: Final = tuple(area for area in Area if area not in {Area.SETTINGS, Area.HOME})
"""The areas that cannot be looked at without the database."""


@dataclass(frozen=True)
class Kind:
    """mend: a command, with {org} for the org's id, or advice. is_repairable: whether `--repair` mends it."""

    name: str
    area: Area
    severity: Severity
    says: str
    mend: str
    is_repairable: bool = False


_REPAIR: Final = "openfaith-pipeline doctor --org {org} --repair"

_ENVIRONMENT: Final = (
    Kind(
        "settings_unusable",
        Area.SETTINGS,
        Severity.ERROR,
        "the settings cannot be used",
        "correct the named variables; docs/settings.md explains each",
    ),
    Kind(
        "no_home",
        Area.HOME,
        Severity.ERROR,
        "there is nothing to look at",
        "go to where yours was created, or point OPENFAITH_HOME at it; openfaith-pipeline org add creates a new one",
    ),
    Kind(
        "home_unwritable",
        Area.HOME,
        Severity.ERROR,
        "this user may not write in the home",
        "give the directory to the user that runs openfaith-pipeline",
    ),
    Kind(
        "home_full",
        Area.HOME,
        Severity.ERROR,
        "the home's disk is nearly full",
        "make room: Postgres stops writing when it is full",
    ),
    Kind(
        "secrets_readable",
        Area.HOME,
        Severity.ERROR,
        "other users of this machine may read secrets",
        "chmod 600 each of these files",
    ),
)
_SERVER: Final = (
    Kind(
        "database_unanswering",
        Area.DATABASE,
        Severity.ERROR,
        "the database does not answer",
        "start it, or correct DB_*; openfaith-pipeline db status",
    ),
    Kind(
        "database_refusing",
        Area.DATABASE,
        Severity.ERROR,
        "the database refuses the connection, or cannot be used as it is",
        "correct DB_HOST_PRIMARY, DB_PORT, DB_NAME, DB_USERNAME and DB_PASSWORD",
    ),
    Kind(
        "postgres_old",
        Area.DATABASE,
        Severity.WARNING,
        "this Postgres is too old for the views",
        "upgrade to PostgreSQL 15 or newer, then openfaith-pipeline db upgrade",
    ),
    Kind(
        "encoding_narrow",
        Area.DATABASE,
        Severity.ERROR,
        "the database cannot hold every name: its encoding is not UTF8",
        "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, name it in DB_NAME, openfaith-pipeline db upgrade",
    ),
    Kind(
        "role_superuser",
        Area.DATABASE,
        Severity.WARNING,
        "syncs run as a superuser, which none of them needs",
        "openfaith-pipeline db roles owner",
    ),
    Kind(
        "schema_behind",
        Area.DATABASE,
        Severity.ERROR,
        "the tables are behind this version, or some are missing",
        "openfaith-pipeline db upgrade",
    ),
    Kind(
        "schema_other",
        Area.DATABASE,
        Severity.ERROR,
        "the tables are those of a newer version, or of another OPENFAITH_SCHEMA",
        "install that version, or set OPENFAITH_SCHEMA as it was",
    ),
    Kind(
        "links_key_narrow",
        Area.DATABASE,
        Severity.ERROR,
        "a unique index of openfaith_externalLinks lacks the type, so that records of one id are joined",
        "DROP INDEX, or ALTER TABLE ... DROP CONSTRAINT, for each; the primary key guards the links",
    ),
    Kind(
        "changes_unnoted",
        Area.DATABASE,
        Severity.WARNING,
        "triggers that note changes are missing or disabled, so that every sync compares everything",
        "openfaith-pipeline db upgrade",
    ),
    Kind(
        "erasures_unfinished",
        Area.DATABASE,
        Severity.WARNING,
        "the rows are erased, but files of tables may still have bytes of them",
        "the same person erase or org erase again; openfaith-pipeline dev, or dagster daemon, also does it once a day",
    ),
    Kind(
        "extension_behind",
        Area.DATABASE,
        Severity.WARNING,
        "extensions of the database are older than the server's",
        "ALTER EXTENSION ... UPDATE, for each",
    ),
    Kind(
        "collation_changed",
        Area.DATABASE,
        Severity.ERROR,
        "the system sorts text differently from when the indexes were created, so rows may not be found",
        "REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION VERSION",
    ),
)
_SYNCS: Final = (
    Kind(
        "syncs_left_running",
        Area.SYNCS,
        Severity.WARNING,
        "syncs are recorded as running whose process is gone",
        "openfaith-pipeline syncs list ends those of a terminal, openfaith-pipeline dev or dagster daemon those of"
        " Dagster's runs; the next sync continues from where they were",
    ),
    Kind(
        "leases_left",
        Area.SYNCS,
        Severity.WARNING,
        "streams are still leased by processes that are gone",
        "openfaith-pipeline sync {org} takes them over",
    ),
    Kind(
        "walks_left",
        Area.SYNCS,
        Severity.WARNING,
        "unfinished readings are older than OPENFAITH_ABANDONED_HOURS: the daily maintenance does not run",
        "openfaith-pipeline dev, or openfaith-pipeline dagster daemon, runs it",
    ),
)
_CONNECTIONS: Final = (
    Kind(
        "org_paused",
        Area.CONNECTIONS,
        Severity.NOTE,
        "the church is paused",
        "openfaith-pipeline org resume {org}",
    ),
    Kind(
        "not_connected",
        Area.CONNECTIONS,
        Severity.ERROR,
        "the church has no credentials",
        "openfaith-pipeline org add {org} --app-id ...",
    ),
    Kind(
        "needs_reconnect",
        Area.CONNECTIONS,
        Severity.ERROR,
        "Planning Center refuses the credentials",
        "openfaith-pipeline org add {org} --app-id ..., with a new token",
    ),
    Kind(
        "credentials_unreadable",
        Area.CONNECTIONS,
        Severity.ERROR,
        "the stored credentials cannot be decrypted",
        "set OPENFAITH_ENCRYPTION_KEYS to the key that encrypted them, or"
        " openfaith-pipeline org add {org} --app-id ...",
    ),
    Kind(
        "source_withholds",
        Area.CONNECTIONS,
        Severity.NOTE,
        "Planning Center withholds a part",
        "give the token's user access there, then openfaith-pipeline sync {org}",
    ),
    Kind(
        "never_synced",
        Area.CONNECTIONS,
        Severity.WARNING,
        "nothing was synced yet",
        "openfaith-pipeline sync {org}",
    ),
)
_STREAMS: Final = (
    Kind(
        "streams_failing",
        Area.STREAMS,
        Severity.ERROR,
        "the newest sync of these streams failed",
        "openfaith-pipeline status {org} has the reasons; openfaith-pipeline sync {org} tries again",
    ),
    Kind(
        "streams_late",
        Area.STREAMS,
        Severity.WARNING,
        "these streams have not succeeded within OPENFAITH_FRESHNESS_HOURS",
        "openfaith-pipeline sync {org}, and have openfaith-pipeline dev or dagster daemon run",
    ),
    Kind(
        "streams_drifted",
        Area.STREAMS,
        Severity.NOTE,
        "Planning Center sends attributes otherwise than this version knows them; their values are kept",
        "upgrade openfaith-pipeline",
    ),
    Kind(
        "records_quarantined",
        Area.STREAMS,
        Severity.WARNING,
        "values could not be loaded as they came",
        "openfaith-pipeline quarantine list {org}",
    ),
    Kind(
        "deletions_held",
        Area.STREAMS,
        Severity.WARNING,
        "deletions wait for a person",
        "openfaith-pipeline deletes list {org}",
    ),
    Kind(
        "conflicts_waiting",
        Area.STREAMS,
        Severity.WARNING,
        "conflicts wait for a person",
        "openfaith-pipeline review list {org}",
    ),
    Kind(
        "alerts_open",
        Area.STREAMS,
        Severity.WARNING,
        "alerts are open",
        "openfaith-pipeline alerts list",
    ),
)
_BUDGETS: Final = (
    Kind(
        "requests_paused",
        Area.BUDGETS,
        Severity.WARNING,
        "Planning Center wants no requests for a while",
        "wait; if it happens often, find the other programs that use this token, or sync less often:"
        " openfaith-pipeline org set {org} --every 1h",
    ),
    Kind(
        "budget_crowded",
        Area.BUDGETS,
        Severity.NOTE,
        "requests wait for the rate budget",
        "wait, or sync less often: openfaith-pipeline org set {org} --every 1h",
    ),
)
_WEBHOOKS: Final = (
    Kind(
        "receiver_silent",
        Area.DELIVERIES,
        Severity.ERROR,
        "churches are subscribed, and no service receives deliveries",
        "openfaith-pipeline serve",
    ),
    Kind(
        "deliveries_waiting",
        Area.DELIVERIES,
        Severity.ERROR,
        "deliveries are due, and nobody applies them",
        "openfaith-pipeline serve, or openfaith-pipeline dagster daemon",
    ),
    Kind(
        "deliveries_failed",
        Area.DELIVERIES,
        Severity.WARNING,
        "deliveries could not be applied",
        "openfaith-pipeline webhooks replay {org}",
    ),
    Kind(
        "subscribing_failed",
        Area.SUBSCRIPTIONS,
        Severity.WARNING,
        "the church could not be subscribed to all events; it is synced by the clock",
        "openfaith-pipeline webhooks subscribe {org}",
    ),
    Kind(
        "subscriptions_missing",
        Area.SUBSCRIPTIONS,
        Severity.WARNING,
        "Planning Center does not send these events",
        "openfaith-pipeline webhooks subscribe {org}",
    ),
    Kind(
        "subscriptions_disabled",
        Area.SUBSCRIPTIONS,
        Severity.WARNING,
        "Planning Center has disabled these subscriptions",
        "openfaith-pipeline webhooks subscribe {org}",
    ),
    Kind(
        "subscriptions_elsewhere",
        Area.SUBSCRIPTIONS,
        Severity.WARNING,
        "our subscriptions point to an address other than OPENFAITH_PUBLIC_URL",
        "openfaith-pipeline webhooks subscribe {org}",
    ),
    Kind(
        "subscriptions_extra",
        Area.SUBSCRIPTIONS,
        Severity.WARNING,
        "events are sent twice, or to an address that is not known here",
        "delete these subscriptions at api.planningcenteronline.com",
    ),
    Kind(
        "subscriptions_unwanted",
        Area.SUBSCRIPTIONS,
        Severity.WARNING,
        "the church was unsubscribed, and events are still sent",
        "openfaith-pipeline webhooks unsubscribe {org}",
    ),
    Kind(
        "source_refuses",
        Area.SUBSCRIPTIONS,
        Severity.ERROR,
        "Planning Center does not answer, or refuses",
        "openfaith-pipeline status {org}",
    ),
)
_RECORDS: Final = (
    Kind(
        "rows_parentless",
        Area.RECORDS,
        Severity.ERROR,
        "rows name no parent, although they are listed under one",
        "openfaith-pipeline sync {org} --mode reconcile, with --stream for each",
    ),
    Kind(
        "rows_orphaned",
        Area.RECORDS,
        Severity.ERROR,
        "live rows have a parent that is gone or marked deleted",
        "openfaith-pipeline sync {org} --mode reconcile, with --stream for each",
    ),
)
_OPENFAITH: Final = (
    Kind(
        "entities_without_link",
        Area.OPENFAITH,
        Severity.ERROR,
        "no external link leads to these entities",
        _REPAIR,
        is_repairable=True,
    ),
    Kind(
        "links_without_entity",
        Area.OPENFAITH,
        Severity.ERROR,
        "the links of these records lead to no entity",
        _REPAIR,
        is_repairable=True,
    ),
    Kind(
        "links_of_other_org",
        Area.OPENFAITH,
        Severity.ERROR,
        "the links of these records lead to entities of another org",
        _REPAIR,
        is_repairable=True,
    ),
    Kind(
        "edges_to_nothing",
        Area.OPENFAITH,
        Severity.ERROR,
        "one end of these edges is not an entity of the church",
        _REPAIR,
        is_repairable=True,
    ),
    Kind(
        "entities_joined",
        Area.OPENFAITH,
        Severity.ERROR,
        "OpenFaith's engine joined these entities with one of another type whose record has the same id",
        _REPAIR,
        is_repairable=True,
    ),
    Kind(
        "edges_joined",
        Area.OPENFAITH,
        Severity.ERROR,
        "these edges belong to entities that were joined with another type's",
        _REPAIR,
        is_repairable=True,
    ),
    Kind(
        "deletes_unmarked",
        Area.OPENFAITH,
        Severity.ERROR,
        "these entities are live, and the source no longer has their records",
        _REPAIR,
        is_repairable=True,
    ),
    Kind(
        "deletes_unproven",
        Area.OPENFAITH,
        Severity.WARNING,
        "no sync has seen the records of these entities, and none has read all of the source since",
        "openfaith-pipeline sync {org} --mode reconcile, then this again",
    ),
    Kind(
        "logins_of_other_org",
        Area.OPENFAITH,
        Severity.ERROR,
        "a login and a person of different orgs are joined",
        _REPAIR,
        is_repairable=True,
    ),
)

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        *_ENVIRONMENT,
        *_SERVER,
        *_SYNCS,
        *_CONNECTIONS,
        *_STREAMS,
        *_BUDGETS,
        *_WEBHOOKS,
        *_RECORDS,
        *_OPENFAITH,
    )
}
