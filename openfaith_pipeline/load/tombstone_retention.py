"""Retention of rows that are marked deleted: for ever, unless the settings limit it.

A row is removed only once the journal has forgotten its deletion: until then a rollback may bring it back, and
`sync.as_of` needs it. Its entity in the OpenFaith tables stays, marked deleted: others may refer to it.
"""

from datetime import timedelta
from functools import cache
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.leases import lock_holders
from openfaith_pipeline.sources import STREAMS

_ORGS: Final = """
SELECT DISTINCT gone.org_id FROM {raw} AS gone CROSS JOIN sync.journal_horizon AS whole
LEFT JOIN sync.org_journal_horizons AS own ON own.org_id = gone.org_id
WHERE gone._deleted_at < least(now() - %(kept)s, coalesce(own.begins_at, whole.begins_at))
"""
_REMOVE: Final = """
DELETE FROM {raw} AS gone WHERE gone.org_id = %(org_id)s AND gone._deleted_at < least(now() - %(kept)s, coalesce(
    (SELECT begins_at FROM sync.org_journal_horizons WHERE org_id = %(org_id)s),
    (SELECT begins_at FROM sync.journal_horizon)))
"""


def remove_tombstones(connection: Connection[Any], kept: timedelta) -> int:
    """Remove rows marked deleted for longer than `kept`, of every org; returns their number.

    A stream that is being synced waits for the next time. Needs an autocommit connection.
    """
    removed = 0
    for stream in STREAMS.values():
        for (org_id,) in connection.execute(_statement(_ORGS, stream), {"kept": kept}).fetchall():
            with connection.transaction():
                if not lock_holders(connection, org_id, [stream.name]):
                    asked = {"kept": kept, "org_id": org_id}
                    removed += connection.execute(_statement(_REMOVE, stream), asked).rowcount
    return removed


@cache
def _statement(statement: str, stream: Stream) -> bytes:
    return sql.SQL(statement).format(raw=raw_name(stream)).as_bytes()
