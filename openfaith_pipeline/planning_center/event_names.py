"""Webhook events by their names, and the stream each is about; which there are, Planning Center says itself."""

import re
from collections.abc import Mapping
from functools import cache

from openfaith_pipeline.catalog.events import Event
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.planning_center.streams import STREAMS

# `people.v2.events.email.created`; one type has its app in between: `groups.church_center.v2.events...`.
_NAME = re.compile(r"(?P<product>[a-z_]+)(\.[a-z_]+)?\.v2\.events\.(?P<noun>[a-z_]+)\.(?P<action>[a-z_]+)")


def event_named(name: str) -> Event | None:
    """The event of that name; None where it is about nothing that is synced."""
    parts = _NAME.fullmatch(name)
    stream = _streams_by_noun().get((parts["product"], parts["noun"])) if parts else None
    return Event(stream, parts["action"]) if parts and stream else None


@cache
def _streams_by_noun() -> Mapping[tuple[str, str], Stream]:
    """By product and by what its events call it; of several the first counts."""
    streams = reversed(tuple(STREAMS.values()))
    return {(stream.product.value, stream.event_noun or stream.vertex): stream for stream in streams}
