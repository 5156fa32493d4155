"""What an org's turns between two polls ask for: what is cheap to ask, and likely to have changed or wanted at once."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from psycopg import Connection

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.load.stream_states import last_proofs, newest_changes
from openfaith_pipeline.planning_center.extract.walk_planner import plan_walks, quick_walks
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import SOURCES

LIVELY_FOR = timedelta(days=1)
"""A stream in which nothing has changed for longer waits for the next poll."""


def streams_between_polls(connection: Connection[Any], org_id: str, now: datetime) -> set[str]:
    """Names of the streams to ask for now, which polls bring in any case.

    Of those that have a cursor and no parents to visit: what the OpenFaith tables are made of, mergers, what changed at
    the source within a day, and what was never read. Streams that are read together are asked for together.
    """
    newest = newest_changes(connection, org_id)
    unread = set(STREAMS) - set(newest)
    lively = {name for name, moment in newest.items() if moment and moment > now - LIVELY_FOR}
    wanted = unread | lively | _wanted_at_once()
    return {stream.name for streams in _quick() if wanted.intersection(s.name for s in streams) for stream in streams}


@cache
def _quick() -> tuple[tuple[Stream, ...], ...]:
    return tuple(walk.streams for walk in quick_walks(STREAMS))


@cache
def _wanted_at_once() -> frozenset[str]:
    merging = {stream.name for stream in STREAMS.values() if stream.merging}
    return frozenset(merging.union(*SOURCES.values()))


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
