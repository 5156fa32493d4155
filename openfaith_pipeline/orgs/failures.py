"""Streams of a source whose newest sync failed, by org."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row

from openfaith_pipeline.sources import names_of_source

_FAILING: Final = """
SELECT failing.org_id, failing.stream, newest.status, newest.error
  FROM sync.failing_streams AS failing
  JOIN sync.stream_syncs AS newest ON newest.id = failing.stream_sync_id
  JOIN sync.orgs AS org ON org.org_id = failing.org_id AND org.removed_at IS NULL AND org.paused_at IS NULL
 WHERE failing.stream = ANY(%s)
 ORDER BY failing.org_id, failing.stream
"""


@dataclass(frozen=True)
class Failing:
    """status: `failed` or `incomplete`."""

    org_id: str
    stream: str
    status: str
    error: str | None


def read_failures(connection: Connection[Any], adapter: str) -> Mapping[str, Sequence[Failing]]:
    """Failures by org, of all orgs that are neither paused nor removed."""
    found: defaultdict[str, list[Failing]] = defaultdict(list)
    with connection.cursor(row_factory=class_row(Failing)) as cursor:
        for failing in cursor.execute(_FAILING, (names_of_source(adapter),)):
            found[failing.org_id].append(failing)
    return found
