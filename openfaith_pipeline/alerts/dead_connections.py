"""Dead connections: an alert for each, and another if several die at once, which is rarely the churches' doing."""

from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.alerts.incidents import raise_alert, resolve_alert
from openfaith_pipeline.catalog.source import Source

SEVERAL: Final = 3
WITHIN: Final = timedelta(hours=1)

_LOCK: Final = 0x0FA17_DEAD


def watch_deaths(connection: Connection[Any], org_id: str, reason: str | None, source: Source) -> None:
    """Open an alert when an org's connection has died, or close it when it works again (`reason` None).

    The caller commits.
    """
    if reason is None:
        resolve_alert(connection, "connection_dead", org_id, incident=source.adapter)
    else:
        # Serialized: if several died at the same moment, no transaction would see the others' deaths.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        raise_alert(
            connection,
            "connection_dead",
            org_id,
            f"the connection to {source.title} is dead: {reason}",
            f"have the church connect again at {source.connect_path}, or give it a new token with"
            f" `openfaith-pipeline org add {org_id} --app-id ...`; its next sync continues where the last one stopped",
            incident=source.adapter,
        )
    watch_dying(connection, source)


def watch_dying(connection: Connection[Any], source: Source) -> None:
    """Keep `connections_dying` open while several of the source's have died within an hour. The caller commits."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE dead_since > now() - %(within)s),"
            " EXISTS (SELECT FROM sync.alerts WHERE kind = 'connections_dying' AND incident = %(adapter)s"
            "         AND resolved_at IS NULL)"
            " FROM sync.source_connections WHERE adapter = %(adapter)s AND state = 'needs_reconnect'",
            {"within": WITHIN, "adapter": source.adapter},
        ).fetchone()
    dead, died_lately, is_known = row or (0, 0, False)
    if died_lately < SEVERAL:
        if is_known:
            resolve_alert(connection, "connections_dying", None, incident=source.adapter)
    elif not is_known:
        raise_alert(
            connection,
            "connections_dying",
            None,
            f"{died_lately} connections to {source.title} have died within an hour; {dead} are dead in all",
            "look for one cause before contacting the churches: our OAuth application (see"
            f" {source.applications_url}), another program that refreshes the same tokens,"
            f" an outage of {source.title}. No token was discarded: each sync tries again",
            incident=source.adapter,
        )


def was_dead_since(connection: Connection[Any], org_id: str, adapter: str, since: datetime) -> bool:
    """Whether the org's connection has been dead at some moment since: its own alert tells of what failed meanwhile."""
    found = connection.execute(
        "SELECT FROM sync.source_connections WHERE org_id = %s AND adapter = %s"
        " AND (state = 'needs_reconnect' OR revived_at >= %s)",
        (org_id, adapter, since),
    )
    return found.rowcount > 0
