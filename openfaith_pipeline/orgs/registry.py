"""The registered orgs and the state of their connections. The caller commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from openfaith_pipeline.errors import UnknownOrg
from openfaith_pipeline.orgs.org_ids import new_org_id

__all__ = [
    "Org",
    "OrgConnection",
    "get_org",
    "list_orgs",
    "new_org_id",
    "number_of",
    "pause_org",
    "read_connection",
    "record_number",
    "remove_org",
    "resume_org",
]

_ORGS: Final = """
SELECT org_id, name, paused_at FROM sync.orgs WHERE removed_at IS NULL
"""
_CONNECTION: Final = """
SELECT state, reason, kind, updated_at FROM sync.source_connections WHERE org_id = %s AND adapter = %s
"""
_CHURCH_LOCK: Final = 0x0FA18
_ORG_OF_CHURCH: Final = """
SELECT orgs.org_id FROM sync.orgs JOIN sync.source_accounts AS account USING (org_id)
  LEFT JOIN sync.source_connections AS link ON link.org_id = orgs.org_id AND link.adapter = %(adapter)s
 WHERE account.adapter = %(adapter)s AND account.number = %(number)s
   AND (removed_at IS NOT NULL OR api_url IS NOT DISTINCT FROM %(api_url)s)
 ORDER BY removed_at NULLS FIRST, orgs.created_at LIMIT 1
"""


@dataclass(frozen=True)
class Org:
    """A church that is synced."""

    org_id: str
    name: str
    paused_at: datetime | None


@dataclass(frozen=True)
class OrgConnection:
    """The way from an org to one source. state: connected, degraded or needs_reconnect; reason: why, for people."""

    state: str
    reason: str | None
    kind: str
    updated_at: datetime


def list_orgs(connection: Connection[Any]) -> list[Org]:
    """All orgs that were not removed, by name."""
    with connection.cursor(row_factory=class_row(Org)) as cursor:
        return cursor.execute(f"{_ORGS} ORDER BY name, org_id").fetchall()


def get_org(connection: Connection[Any], org_id: str) -> Org:
    """The org with this id; raises UnknownOrg if it was never added or was removed."""
    with connection.cursor(row_factory=class_row(Org)) as cursor:
        org = cursor.execute(f"{_ORGS} AND org_id = %s", (org_id,)).fetchone()
    if org is None:
        raise _unknown(org_id, _removed_at(connection, org_id))
    return org


def read_connection(connection: Connection[Any], org_id: str, adapter: str) -> OrgConnection | None:
    """The org's connection to this source; None without one."""
    with connection.cursor(row_factory=class_row(OrgConnection)) as cursor:
        return cursor.execute(_CONNECTION, (org_id, adapter)).fetchone()


def pause_org(connection: Connection[Any], org_id: str) -> None:
    """Stop syncing an org; pausing again keeps the first time."""
    statement = "UPDATE sync.orgs SET paused_at = coalesce(paused_at, now()) WHERE org_id = %s AND removed_at IS NULL"
    _change(connection, org_id, statement)


def resume_org(connection: Connection[Any], org_id: str) -> None:
    """Resume syncing a paused org."""
    statement = (
        "UPDATE sync.orgs SET paused_at = NULL, resumed_at = CASE WHEN paused_at IS NULL THEN resumed_at ELSE now() END"
        " WHERE org_id = %s AND removed_at IS NULL"
    )
    _change(connection, org_id, statement)


def lock_church(connection: Connection[Any], organization_id: str, adapter: str) -> None:
    """Lock this church of a source until the caller commits, so that connecting it twice at once creates one org."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_CHURCH_LOCK, f"{adapter} {organization_id}"))


def org_of_church(connection: Connection[Any], organization_id: str, api_url: str | None, adapter: str) -> str | None:
    """The org that this source knows by this id at this API, preferably a live one; None for a new one."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        values = {"number": organization_id, "api_url": api_url, "adapter": adapter}
        return cursor.execute(_ORG_OF_CHURCH, values).fetchone()


def remove_org(connection: Connection[Any], org_id: str) -> None:
    """Delete the org's credentials, stop syncing it and close its alerts; synced data stays.

    Webhook subscriptions that are still known are kept: a delivery for them is answered as one for a removed org.
    """
    statement = "UPDATE sync.orgs SET removed_at = now() WHERE org_id = %s AND removed_at IS NULL"
    _change(connection, org_id, statement)
    connection.execute("DELETE FROM sync.source_connections WHERE org_id = %s", (org_id,))
    connection.execute("DELETE FROM sync.source_webhooks WHERE org_id = %s", (org_id,))
    connection.execute(
        "UPDATE sync.alerts SET resolved_at = now() WHERE org_id = %s AND resolved_at IS NULL", (org_id,)
    )


def number_of(connection: Connection[Any], org_id: str, adapter: str) -> str | None:
    """The source's own id of the church, None if unknown."""
    statement = "SELECT number FROM sync.source_accounts WHERE org_id = %s AND adapter = %s"
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement, (org_id, adapter)).fetchone()


def record_number(connection: Connection[Any], org_id: str, number: str, adapter: str) -> None:
    """Record the source's id of the church, unless one is already known."""
    statement = (
        "INSERT INTO sync.source_accounts (org_id, adapter, number) VALUES (%s, %s, %s)"
        " ON CONFLICT (org_id, adapter) DO NOTHING"
    )
    connection.execute(statement, (org_id, adapter, number))


def _change(connection: Connection[Any], org_id: str, statement: LiteralString) -> None:
    if connection.execute(statement, (org_id,)).rowcount == 0:
        raise _unknown(org_id)


def _removed_at(connection: Connection[Any], org_id: str) -> datetime | None:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute("SELECT removed_at FROM sync.orgs WHERE org_id = %s", (org_id,)).fetchone()


def _unknown(org_id: str, removed_at: datetime | None = None) -> UnknownOrg:
    if removed_at:
        return UnknownOrg(
            f"{org_id} was removed (org remove) at {removed_at:%Y-%m-%d %H:%M} UTC and is no longer synced;"
            f" connect it again with: openfaith-pipeline org add {org_id} --app-id ..."
        )
    return UnknownOrg(f"no org {org_id[:80]!r} is connected; see: openfaith-pipeline org list")
