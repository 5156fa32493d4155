"""What an org's turns between two polls ask for: what is cheap to ask, and likely to have changed or wanted at once."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from psycopg import Connection

from openfaith_pipeline.catalog import STREAMS, Stream
from openfaith_pipeline.extract.walks import quick_walks
from openfaith_pipeline.load.sync_log import newest_changes
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
