"""Which listings a set of streams needs: a walk reads one listing and feeds the streams that its pages carry."""

from collections.abc import Iterable, Mapping

from openfaith_pipeline.catalog import Strategy, Stream
from openfaith_pipeline.walk import Walk

FOLLOWS_CURSOR = frozenset({Strategy.INCREMENTAL, Strategy.ORDERED, Strategy.APPEND})


def plan_walks(streams: Iterable[Stream], catalog: Mapping[str, Stream], *, is_full: bool) -> list[Walk]:
    """Group streams into walks, parents before children.

    is_full: list everything, whatever the cursor (reconcile and full refresh).
    """
    members: dict[str, list[Stream]] = {}
    for stream in streams:
        members.setdefault(lead_of(stream, catalog).name, []).append(stream)
    order = {name: place for place, name in enumerate(catalog)}
    return [
        _walk(catalog[name], tuple(members[name]), catalog, is_full=is_full)
        for name in sorted(members, key=lambda name: (_depth(catalog[name], catalog), order[name]))
    ]


def lead_of(stream: Stream, catalog: Mapping[str, Stream]) -> Stream:
    """The stream whose listing carries this one: itself, or the ancestor it is included with."""
    while stream.include and stream.parent:
        stream = catalog[stream.parent]
    return stream


def _depth(stream: Stream, catalog: Mapping[str, Stream]) -> int:
    return 1 + _depth(catalog[stream.parent], catalog) if stream.parent else 0


def _walk(lead: Stream, streams: tuple[Stream, ...], catalog: Mapping[str, Stream], *, is_full: bool) -> Walk:
    includes = {stream.name: _include_path(stream, catalog) for stream in streams if stream.include}
    # A child's change need not touch the parent's cursor, so a walk that carries children reads the whole listing.
    is_whole = is_full or bool(includes) or lead.strategy not in FOLLOWS_CURSOR
    # Windows from the beginning of time read everything too, without deep offsets; newest-first would gain nothing.
    strategy = Strategy.FULL if is_whole and lead.strategy is Strategy.ORDERED else lead.strategy
    return Walk(lead, streams, includes, strategy, is_whole)


def _include_path(stream: Stream, catalog: Mapping[str, Stream]) -> str:
    """Dotted path from the lead: a child of an included child is `rules.conditions`."""
    parent = catalog[stream.parent or ""]
    return f"{_include_path(parent, catalog)}.{stream.include}" if parent.include else str(stream.include)
