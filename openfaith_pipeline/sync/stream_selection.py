"""Selection of an org's streams for turns between two polls: cheap to read and likely to have changed."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from psycopg import Connection

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk_planner import plan_walks, quick_walks
from openfaith_pipeline.load.stream_states import last_proofs, newest_changes
from openfaith_pipeline.sources import STREAMS, names_of_source
from openfaith_pipeline.transform import SOURCES

LIVELY_FOR = timedelta(days=1)
"""A stream without changes for longer waits for the next poll."""


def streams_between_polls(connection: Connection[Any], org_id: str, now: datetime) -> set[str]:
    """Names of the streams to read now; polls read all streams.

    Of the streams with a cursor and without parents to visit: those that feed OpenFaith's people, mergers, those that
    changed at the source within a day, and those never read. Streams that are read together are selected together.
    """
    newest = newest_changes(connection, org_id)
    unread = set(STREAMS) - set(newest)
    lively = {name for name, moment in newest.items() if moment and moment > now - LIVELY_FOR}
    wanted = unread | lively | _wanted_at_once()
    return {stream.name for streams in _quick() if wanted.intersection(s.name for s in streams) for stream in streams}


_PEOPLE = "people"
"""The table whose streams are read at every turn. Nearly all streams feed some table, and a church at rest should cost
three requests a turn (docs/decisions/0010-polling.md)."""


@cache
def _quick() -> tuple[tuple[Stream, ...], ...]:
    return tuple(walk.streams for walk in quick_walks(STREAMS))


@cache
def _wanted_at_once() -> frozenset[str]:
    merging = {stream.name for stream in STREAMS.values() if stream.merging}
    return frozenset(merging.union(SOURCES[_PEOPLE]))


DAILY = timedelta(days=1)


def streams_due_for_reconcile(
    connection: Connection[Any], org_id: str, period: timedelta, now: datetime, adapter: str, every: timedelta = DAILY
) -> list[str]:
    """Names of the source's streams due for reconcile, those that have waited longest; never empty.

    Called once in `every`, it spreads an org's streams evenly over the period; streams that would be overdue by the
    next call are always included. Streams that are read together are due together. One that was never reconciled is due
    at once, one that the source withholds once in a period.
    """
    proofs = last_proofs(connection, org_id)
    own = [STREAMS[name] for name in names_of_source(adapter)]
    walks = [[stream.name for stream in walk.streams] for walk in plan_walks(own, STREAMS, is_full=True)]
    moments = sorted(((_moment(names, proofs), names) for names in walks), key=lambda each: each[0])
    quota = math.ceil(len(walks) * min(1.0, every / period))
    overdue = sum(moment + period < now + every for moment, _ in moments)
    due = {name for _, names in moments[: max(quota, overdue)] for name in names}
    return [name for name in STREAMS if name in due]


_NEVER = datetime.fromisoformat("0001-01-01T00:00:00Z")


def _moment(names: list[str], proofs: Mapping[str, datetime]) -> datetime:
    """When the walk was last proven: the time of the stream that has waited longest."""
    return min(proofs.get(name, _NEVER) for name in names)
