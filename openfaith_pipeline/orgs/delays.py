"""Orgs with a stream of a source that has not succeeded for too long.

A paused org is left out on purpose, and one that has to be connected again is reported as
that; afterwards it has time to catch up. Streams that the org no longer syncs are never late.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row

from openfaith_pipeline.sources import names_of_source

_DELAYS: Final = """
WITH progress AS (
    SELECT org.org_id, state.stream,
           greatest(coalesce(state.last_succeeded_at,
                             (SELECT min(started_at) FROM sync.stream_syncs AS begun
                               WHERE begun.org_id = state.org_id AND begun.stream = state.stream),
                             org.created_at),
                    org.resumed_at, link.revived_at) AS since
      FROM sync.orgs AS org
      JOIN sync.source_connections AS link USING (org_id)
      LEFT JOIN sync.org_settings AS chosen USING (org_id)
      LEFT JOIN sync.stream_states AS state ON state.org_id = org.org_id AND state.stream = ANY(%(streams)s)
           AND (chosen.streams IS NULL OR chosen.streams && ARRAY[state.stream, split_part(state.stream, '.', 1)])
     WHERE link.adapter = %(adapter)s AND org.removed_at IS NULL AND org.paused_at IS NULL
       AND link.state <> 'needs_reconnect'
       AND coalesce(state.availability, 'available') IN ('available', 'silent')
)
SELECT org_id, count(stream) AS streams, (array_agg(stream ORDER BY since, stream))[1] AS oldest,
       max(now() - since) AS age
  FROM progress WHERE since < now() - %(limit)s GROUP BY org_id ORDER BY org_id
"""


@dataclass(frozen=True)
class Delay:
    """streams: number of late ones, 0 if nothing was ever synced. oldest: the stream that has waited longest."""

    org_id: str
    streams: int
    oldest: str | None
    age: timedelta

    def longer_than(self, limit: timedelta) -> str:
        """The delay as text for people. limit: the one it was read with."""
        late = f"{self.streams} streams, {self.oldest} among them, have not" if self.streams else "nothing has"
        return f"{late} been synced for {_hours(limit)} or more (the oldest: {_hours(self.age)})"


def read_delays(connection: Connection[Any], limit: timedelta, adapter: str) -> dict[str, Delay]:
    """Delays of the source's streams by org. limit: the age beyond which a stream is late."""
    values = {"limit": limit, "adapter": adapter, "streams": names_of_source(adapter)}
    with connection.cursor(row_factory=class_row(Delay)) as cursor:
        return {delay.org_id: delay for delay in cursor.execute(_DELAYS, values)}


def _hours(age: timedelta) -> str:
    """`26 hours`, or `40 s` under two hours."""
    return f"{age.total_seconds() / 3600:.0f} hours" if age >= timedelta(hours=2) else f"{age.total_seconds():.0f} s"
