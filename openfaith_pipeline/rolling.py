"""Rolling reconcile: which streams of an org to read whole this time, so that within a period each one is."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from openfaith_pipeline.catalog import STREAMS
from openfaith_pipeline.extract.walks import plan_walks
from openfaith_pipeline.load.sync_log import last_proofs

DAILY = timedelta(days=1)


def streams_due_for_reconcile(
    connection: Connection[Any], org_id: str, period: timedelta, now: datetime, *, every: timedelta = DAILY
) -> list[str]:
    """Names of the streams to reconcile now, those that have waited longest; never empty.

    Asked once in `every`, it spreads an org's streams evenly over the period; what would be overdue by the next time is
    always among them. Streams that are read together are due together. One that was never reconciled is due at once,
    one that the source withholds once in a period.
    """
    proofs = last_proofs(connection, org_id)
    walks = [[stream.name for stream in walk.streams] for walk in plan_walks(STREAMS.values(), STREAMS, is_full=True)]
    moments = sorted(((_moment(names, proofs), names) for names in walks), key=lambda each: each[0])
    quota = math.ceil(len(walks) * min(1.0, every / period))
    overdue = sum(moment + period < now + every for moment, _ in moments)
    due = {name for _, names in moments[: max(quota, overdue)] for name in names}
    return [name for name in STREAMS if name in due]


_NEVER = datetime.fromisoformat("0001-01-01T00:00:00Z")


def _moment(names: list[str], proofs: Mapping[str, datetime]) -> datetime:
    """When the walk was last proven: the moment of the stream that has waited longest."""
    return min(proofs.get(name, _NEVER) for name in names)
