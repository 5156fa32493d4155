"""Plan the walks for a set of streams: the listings they need, and which of them belong together."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qsl

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.walk import Carried, Route, Walk

_NEVER_WHOLE = frozenset({Strategy.INCREMENTAL, Strategy.ORDERED, Strategy.APPEND, Strategy.FILTERED})
_MANY = 10  # with more parents, visiting all of them each time costs more than it finds
_READ_BY_WINDOWS = frozenset({Strategy.INCREMENTAL, Strategy.APPEND})


class _Extent(NamedTuple):
    """Extent of the read. See plan_walks."""

    is_full: bool
    is_rotating: bool
    reread: Collection[str]
    first: Collection[str]


def plan_walks(  # noqa: PLR0913 - the extent of the read, and facts about the streams
    streams: Collection[Stream],
    catalog: Mapping[str, Stream],
    *,
    is_full: bool,
    absent: Collection[str] = (),
    unread: Collection[str] = (),
    reread: Collection[str] = (),
    first: Collection[str] = (),
    is_rotating: bool = False,
) -> list[Walk]:
    """Group streams into walks, parents before children.

    An included stream is read with the stream it is included in; if it is included in several, all of them are one
    walk.
    is_full: list everything, regardless of cursors (reconcile and full refresh).
    absent: names of the streams whose unconfirmed path turned out to be absent.
    unread: names of the streams that have never been read, so that even a sync of changes reads all of them.
    reread: names of the streams whose records must be read with all their parents, even in a sync of changes.
    first: names of the streams that no sync has read with success. A walk of such streams alone lists everything: its
        changes since the beginning of time are all there is, and a whole listing is counted.
    is_rotating: visit only some parents each time, where there are as many as people or plans (see Route).
    """
    groups: list[tuple[set[str], list[Stream]]] = []
    joined = _joined({stream.name for stream in streams}, catalog, is_full, unread, reread)
    for stream in streams:
        leads = {lead.name for lead in _leads(stream, catalog, joined)}
        touching = [group for group in groups if group[0] & leads]
        merged = (
            leads.union(*(group[0] for group in touching)),
            [s for group in touching for s in group[1]] + [stream],
        )
        groups = [group for group in groups if group not in touching] + [merged]
    order = {name: place for place, name in enumerate(catalog)}
    ranked = sorted(
        groups,
        key=lambda group: (
            max(_depth(catalog[name], catalog) for name in group[0]),
            min(order[name] for name in group[0]),
        ),
    )
    return [
        _walk(
            sorted((catalog[name] for name in leads), key=lambda lead: order[lead.name]),
            members,
            catalog,
            absent,
            joined,
            _Extent(is_full, is_rotating and not is_full, reread, first),
        )
        for leads, members in ranked
    ]


def walk_apart(stream: Stream, catalog: Mapping[str, Stream]) -> Walk | None:
    """Separate listings for records that usually come included; None if their number grows with the church."""
    if not stream.carried_as or any(_grows(catalog[stream.parent_of(path) or ""], catalog) for path in stream.paths()):
        return None
    listing = Strategy.SINGLETON if stream.is_singleton else Strategy.FULL
    return Walk(tuple(Route(stream, path, (), listing, is_whole=True) for path in stream.paths()), (stream,))


def quick_walks(catalog: Mapping[str, Stream]) -> list[Walk]:
    """Walks whose incremental sync costs one or two requests when nothing has changed."""
    walks = plan_walks(catalog.values(), catalog, is_full=False)
    return [walk for walk in walks if walk.routes and not walk.is_whole and all(map(_is_quick, walk.routes))]


def _is_quick(route: Route) -> bool:
    return not route.placeholders or route.lead.touches_parent


def _joined(
    chosen: Collection[str],
    catalog: Mapping[str, Stream],
    is_full: bool,
    unread: Collection[str],
    reread: Collection[str],
) -> frozenset[str]:
    """Streams read with the pages of a stream they can come with, rather than by their own listing.

    In a sync of changes, only if a change of theirs also moves the other's cursor; in a full read, always.
    """
    return frozenset(
        name
        for name in chosen
        if (companion := catalog[name].companion) in chosen
        and (is_full or name in reread or catalog[name].touches_companion or {name, companion} <= set(unread))
    )


def _leads(stream: Stream, catalog: Mapping[str, Stream], joined: Collection[str]) -> list[Stream]:
    """The streams whose listings bring this one: itself, or those it is included in."""
    if stream.name in joined:
        return [catalog[stream.companion or ""]]
    if not stream.carried_as:
        return [stream]
    parents = [catalog[parent] for path in stream.paths() if (parent := stream.parent_of(path))]
    return list(dict.fromkeys(lead for parent in parents for lead in _leads(parent, catalog, joined)))


def _depth(stream: Stream, catalog: Mapping[str, Stream]) -> int:
    """Length of the longest chain of walks that must come before."""
    return max((1 + _depth(catalog[parent], catalog) for parent in stream.parents), default=0)


def _walk(
    leads: list[Stream],
    members: list[Stream],
    catalog: Mapping[str, Stream],
    absent: Collection[str],
    joined: Collection[str],
    extent: _Extent,
) -> Walk:
    routes: list[Route] = []
    is_first = extent.first and {stream.name for stream in (*leads, *members)} <= set(extent.first)
    for lead in leads:
        carried = tuple(each for stream in members for each in _carried(stream, lead, catalog, joined))
        is_reread = any(stream.name in extent.reread for stream in (lead, *(each.stream for each in carried)))
        sees_all = extent.is_full or is_first or is_reread or _must_see_all(lead, carried, catalog)
        for path in lead.paths(is_path_absent=lead.name in absent):
            is_whole = sees_all or lead.listing not in _NEVER_WHOLE or path == lead.fallback_path
            listing = _listing(lead, path, is_whole=is_whole)
            rotates = extent.is_rotating and not (is_first or is_reread) and _rotates(lead, path, catalog)
            route = Route(
                lead,
                path,
                carried,
                listing,
                is_whole and not rotates,
                is_rotating=rotates,
                filters=(*lead.asks_all.items(),),
            )
            hidden = [tuple(parse_qsl(each.partition("?")[2])) for each in lead.hidden_under if is_at(path, each)]
            routes += [route, *(replace(route, filters=filters, is_of_hidden=True) for filters in hidden)]
    return Walk(tuple(routes), tuple(members))


def _listing(lead: Stream, path: str, *, is_whole: bool) -> Strategy:
    if lead.listing is Strategy.SINGLETON or not is_whole:
        return lead.listing
    # Windows from the beginning of time read everything without deep offsets; other cursors gain nothing.
    return lead.listing if lead.listing in _READ_BY_WINDOWS and path != lead.fallback_path else Strategy.FULL


def is_at(path: str, listing: str) -> bool:
    """Whether a listing, which may have a query, is at the path."""
    return listing.partition("?")[0] == path


def _carried(stream: Stream, lead: Stream, catalog: Mapping[str, Stream], joined: Collection[str]) -> list[Carried]:
    """Ways in which the stream is included in the lead's pages: `rules.conditions` for a child of a child."""
    if stream.name in joined:
        if stream.companion != lead.name:
            return []
        return [Carried(stream, lead, stream.comes_with[lead.name], stream.companion_relationships[0])]
    if not stream.carried_as:
        return []
    found: list[Carried] = []
    for path in stream.paths():
        parent = catalog[stream.parent_of(path) or ""]
        own = stream.carried_as if path == stream.path else path.rsplit("/", 1)[-1]
        relationship = placeholders_of(path)[-1]
        if parent is lead:
            found.append(Carried(stream, parent, own, relationship))
        found += [
            Carried(stream, parent, f"{outer.way}.{own}", relationship, outer)
            for outer in _carried(parent, lead, catalog, joined)
        ]
    return found


def _must_see_all(lead: Stream, carried: tuple[Carried, ...], catalog: Mapping[str, Stream]) -> bool:
    """Whether a lead with a cursor must be listed whole for the sake of its children.

    A child's change need not move the parent's cursor. Where parents are few, the whole listing costs next to nothing;
    where their number grows with the church, only children of changed parents are read, and all of them by a reconcile.
    """
    return any(not each.stream.touches_parent for each in carried) and not _grows(lead, catalog)


def _rotates(lead: Stream, path: str, catalog: Mapping[str, Stream]) -> bool:
    parent = catalog.get(lead.parent_of(path) or "")
    return parent is not None and not lead.touches_parent and _is_many(parent, catalog)


def _is_many(stream: Stream, catalog: Mapping[str, Stream]) -> bool:
    return _grows(stream, catalog) or _amount(stream, catalog) >= _MANY


def _amount(stream: Stream, catalog: Mapping[str, Stream]) -> float:
    per = catalog.get(stream.population.per or "")
    return stream.population.amount * (_amount(per, catalog) if per else 1)


def _grows(stream: Stream, catalog: Mapping[str, Stream]) -> bool:
    per = stream.population.per
    return per == "church" or (per is not None and _grows(catalog[per], catalog))
