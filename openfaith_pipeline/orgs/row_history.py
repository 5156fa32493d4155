"""How many rows each stream had on each of the last days, from its sync history: nothing is recounted.

A sync that changed the number of rows keeps the number before it, so the days are walked backwards from today's number.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

DAYS: Final = 30

# For each stream and day: the number before the first change, if it was kept, and the sum of the changes.
_CHANGES: Final = """
SELECT stream, (finished_at AT TIME ZONE 'UTC')::date AS day,
       (array_agg((state_before ->> 'row_count')::bigint ORDER BY id))[1] AS before,
       sum(inserted - deleted - merged)::bigint AS change
  FROM sync.stream_syncs
 WHERE org_id = %(org_id)s AND (%(stream)s::text IS NULL OR stream = %(stream)s)
   AND (inserted + updated + deleted + merged > 0 OR mode = 'rollback')
   AND status IN ('succeeded', 'incomplete', 'withheld', 'rolled_back')
   AND finished_at >= %(since)s
 GROUP BY 1, 2
"""
_NOW: Final = """
SELECT stream, row_count FROM sync.stream_states
 WHERE org_id = %(org_id)s AND (%(stream)s::text IS NULL OR stream = %(stream)s) AND row_count IS NOT NULL
"""


def read_row_history(
    connection: Connection[Any], org_id: str, stream: str | None = None, *, today: date | None = None
) -> dict[str, list[int]]:
    """Rows of each stream at the end of each of the last DAYS days, oldest first; the last number is today's."""
    last = today or datetime.now(UTC).date()
    since = datetime(last.year, last.month, last.day, tzinfo=UTC) - timedelta(days=DAYS - 1)
    values = {"org_id": org_id, "stream": stream, "since": since}
    with connection.cursor(row_factory=tuple_row) as cursor:
        changes: dict[str, dict[date, tuple[int | None, int]]] = defaultdict(dict)
        for name, day, before, change in cursor.execute(_CHANGES, values).fetchall():
            changes[name][day] = (before, change)
        present = cursor.execute(_NOW, values).fetchall()
    return {name: _backwards(count, changes[name], last) for name, count in present}


def _backwards(count: int, changes: Mapping[date, tuple[int | None, int]], last: date) -> list[int]:
    days: list[int] = []
    for age in range(DAYS):
        days.append(max(0, count))
        before, change = changes.get(last - timedelta(days=age), (count, 0))
        count = count - change if before is None else before
    return days[::-1]
