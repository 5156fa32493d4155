"""The share of an org's streams that is verified each night, so that within a few nights all are."""

from collections.abc import Sequence
from datetime import date
from zlib import crc32

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.sources import STREAMS


def share_of(day: date, nights: int) -> Sequence[Stream]:
    """The streams whose turn it is on that day. Streams that are read together are verified together."""
    walks = plan_walks(STREAMS.values(), STREAMS, is_full=True)
    return [stream for walk in walks[day.toordinal() % nights :: nights] for stream in walk.streams]


def is_turn_of_canonical(org_id: str, day: date, nights: int) -> bool:
    """Whether the org's OpenFaith tables, which are compared together, are due tonight."""
    return (day.toordinal() + crc32(org_id.encode())) % nights == 0
