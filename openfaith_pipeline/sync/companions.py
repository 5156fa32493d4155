"""Streams that came with the pages of another, compared with the counts of their own listings.

Pages bring only the records of those whom they list. A record of nobody, or of somebody who is not listed, is in the
stream's own listing alone.
"""

from collections.abc import Iterator
from typing import Final

from openfaith_pipeline.catalog.completeness import Doubt
from openfaith_pipeline.catalog.reading import Doors, Fetches, is_own_fault
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.errors import OpenFaithError, UnavailableError
from openfaith_pipeline.load.deletions import account
from openfaith_pipeline.load.sessions import Session
from openfaith_pipeline.sources import STREAMS, reader_of
from openfaith_pipeline.sync.asking import Connecting

_ATTEMPTS: Final = 2
"""The pages wait for the answer until they are published, and nothing is lost without it."""


async def find_brought_short(connecting: Connecting, doors: Doors, session: Session) -> dict[str, Doubt]:
    """By name, the streams of a walk read whole with more records in their own listings than came with the pages.

    One request for each stream that came along. A listing that refuses, fails or does not count tells nothing.
    """
    found: dict[str, Doubt] = {}
    for stream, lead in _brought(session):
        total = await _own_total(doors, stream)
        async with connecting() as connection:
            count = await account(connection, session, stream)
        came = count.staged + count.broken
        if total is not None and came < total:
            reason = f"the source counts {total} records of {stream.name}, and {came} came with {lead.name}"
            found[stream.name] = Doubt(reason, may_pass=False)
    return found


def _brought(session: Session) -> Iterator[tuple[Stream, Stream]]:
    """Streams that came along, each with the one whose pages brought it."""
    for route in session.walk.routes:
        for carried in route.carried:
            if carried.stream.comes_with:
                yield carried.stream, route.lead


async def _own_total(doors: Doors, stream: Stream) -> int | None:
    [walk] = plan_walks([stream], STREAMS, is_full=True)
    fetch = doors.fetch_for(walk, attempts=_ATTEMPTS)
    try:
        shown = await reader_of(stream).look(Fetches(fetch, fetch, fetch), walk, walk.routes[0])
    except OpenFaithError as error:
        if not (isinstance(error, UnavailableError) or is_own_fault(error)):
            raise
        return None
    return shown.total
