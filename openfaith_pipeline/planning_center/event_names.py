"""Names of webhook events, and the stream of each. Planning Center itself lists the existing events."""

import re
from collections.abc import Mapping
from functools import cache

from openfaith_pipeline.catalog.events import Event
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.planning_center.streams import STREAMS

# `people.v2.events.email.created`; one type has its app in between: `groups.church_center.v2.events...`.
_NAME = re.compile(r"(?P<product>[a-z_]+)(\.[a-z_]+)?\.v2\.events\.(?P<noun>[a-z_]+)\.(?P<action>[a-z_]+)")


def event_named(name: str) -> Event | None:
    """The event with this name; None if its type is not synced."""
    parts = _NAME.fullmatch(name)
    stream = _streams_by_noun().get((parts["product"], parts["noun"])) if parts else None
    return Event(stream, parts["action"]) if parts and stream else None


@cache
def _streams_by_noun() -> Mapping[tuple[str, str], Stream]:
    """Streams by product and noun in event names; the first of several streams counts."""
    streams = reversed(tuple(STREAMS.values()))
    return {(stream.product.value, stream.event_noun or stream.vertex): stream for stream in streams}
