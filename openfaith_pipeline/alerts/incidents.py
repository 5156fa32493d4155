"""Incidents: one alert for each, however often it is noticed, until it is over.

Code that notices a problem raises the alert in the transaction that records the problem; a sensor delivers it. Messages
go to chat rooms and mailboxes, so they contain no secrets and no personal data.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row, scalar_row

from openfaith_pipeline.database.bookkeeping.alerts import AlertKind
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.text.printable import printable

_THE_ONE: Final = ""
_LONGEST_TEXT: Final = 1000

_ALERTS: Final = """
SELECT id, kind, org_id, incident, message, mend, count, first_seen_at, last_seen_at, delivered_to, delivered_at,
       delivery_error, resolved_at
FROM sync.alerts
"""
_RAISE: Final = """
INSERT INTO sync.alerts (kind, org_id, incident, message, mend) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (kind, coalesce(org_id, ''), incident) WHERE resolved_at IS NULL
    DO UPDATE SET count = alerts.count + 1, last_seen_at = now(), message = excluded.message, mend = excluded.mend
RETURNING count
"""


@dataclass(frozen=True)
class Alert:
    """One incident.

    org_id: None for an incident that concerns no single org.
    incident: distinguishes incidents of the same kind and org: a stream, a job.
    count: how often it was noticed. delivered_to: `slack`, `email`; delivered_at: when the last of them received it.
    """

    id: int
    kind: str
    org_id: str | None
    incident: str
    message: str
    mend: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    delivered_to: list[str]
    delivered_at: datetime | None
    delivery_error: str | None
    resolved_at: datetime | None


def raise_alert(
    connection: Connection[Any],
    kind: AlertKind,
    org_id: str | None,
    message: str,
    mend: str,
    *,
    incident: str | None = None,
) -> bool:
    """Open an incident, or count another sighting of an open one. Returns True for a new one. The caller commits.

    message: the event. mend: steps the reader can take. incident: needed if there can be several of one kind and
    org.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        times = cursor.execute(_RAISE, _raised(kind, org_id, message, mend, incident)).fetchone()
    return bool(times == 1)


async def raise_alert_async(
    connection: AsyncConnection[Any],
    kind: AlertKind,
    org_id: str | None,
    message: str,
    mend: str,
    *,
    incident: str | None = None,
) -> bool:
    """Async counterpart of `raise_alert`."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_RAISE, _raised(kind, org_id, message, mend, incident))
        return bool(await cursor.fetchone() == 1)


def _raised(kind: AlertKind, org_id: str | None, message: str, mend: str, incident: str | None) -> tuple[Any, ...]:
    return kind, org_id, incident or _THE_ONE, printable(message)[:_LONGEST_TEXT], printable(mend)[:_LONGEST_TEXT]


def resolve_alert(
    connection: Connection[Any],
    kind: AlertKind,
    org_id: str | None,
    *,
    incident: str | None = None,
    unsent_for: timedelta | None = None,
) -> int:
    """Close the open incidents of a kind and org, or only the named one; returns their number. The caller commits.

    unsent_for: leave open those that no channel has received yet, for so long.
    """
    return connection.execute(
        "UPDATE sync.alerts SET resolved_at = now() WHERE kind = %(kind)s AND org_id IS NOT DISTINCT FROM %(org)s"
        " AND resolved_at IS NULL AND (%(incident)s::text IS NULL OR incident = %(incident)s)"
        " AND (%(unsent_for)s::interval IS NULL OR delivered_at IS NOT NULL OR first_seen_at < now() - %(unsent_for)s)",
        {"kind": kind, "org": org_id, "incident": incident, "unsent_for": unsent_for},
    ).rowcount


def resolve_alert_by_id(connection: Connection[Any], alert_id: int) -> Alert:
    """Close an incident by hand; UsageError if no open incident has this id."""
    statement = "UPDATE sync.alerts SET resolved_at = now() WHERE id = %s AND resolved_at IS NULL"
    if connection.execute(statement, (alert_id,)).rowcount == 0:
        raise UsageError(f"no alert {alert_id} is open; see: openfaith-pipeline alerts list")
    with connection.cursor(row_factory=class_row(Alert)) as cursor:
        [alert] = cursor.execute(f"{_ALERTS} WHERE id = %s", (alert_id,)).fetchall()
    return alert


def list_alerts(connection: Connection[Any], *, org_id: str | None = None, with_resolved: bool = False) -> list[Alert]:
    """Open incidents, oldest first; `with_resolved` also closed ones.

    org_id: None for all, also those without an org.
    """
    with connection.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(
            f"{_ALERTS} WHERE (%(org)s::text IS NULL OR org_id = %(org)s)"
            " AND (%(all)s OR resolved_at IS NULL) ORDER BY id",
            {"org": org_id, "all": with_resolved},
        ).fetchall()
