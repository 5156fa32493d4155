"""Single records: their path, and a request with everything that their listing would include."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from openfaith_pipeline.catalog.paths import fill_path, id_in, record_path
from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.reading import Brought, Client, Document, Fetch, Tally
from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.walk import Route, id_of
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.errors import UnexpectedResponse
from openfaith_pipeline.planning_center.extract.included import Answer, sort_records
from openfaith_pipeline.planning_center.extract.presence import ANY, find_record
from openfaith_pipeline.planning_center.extract.unasked import Unasked
from openfaith_pipeline.planning_center.streams import STREAMS

_PATH = re.compile(r"(/([\w.~:-]|%[0-9A-Fa-f]{2})+)+")


@cache
def route_of(stream: Stream) -> Route:
    """A route for the stream's records with everything that can be included."""
    if stream.carried_as:
        return Route(stream, stream.path, (), Strategy.FULL, is_whole=False)
    carried = [each for each in STREAMS.values() if each.carried_as and stream in _leads_of(each)]
    routes = (route for walk in plan_walks([stream, *carried], STREAMS, is_full=False) for route in walk.routes)
    return replace(next(route for route in routes if route.lead is stream), filters=())


@cache
def _leads_of(stream: Stream) -> tuple[Stream, ...]:
    [walk] = plan_walks([stream], STREAMS, is_full=False)
    return walk.leads


def brought_with(stream: Stream) -> list[Stream]:
    """The stream, and the streams of the records that are included with its own."""
    return [stream, *dict.fromkeys(each.stream for each in route_of(stream).carried)]


def brings_more(stream: Stream) -> bool:
    """Whether a request for the record brings data that its webhook payload lacks."""
    return "include" in route_of(stream).query or bool(stream.only_asked)


def path_of(stream: Stream, resource: Mapping[str, Any], row: Mapping[str, Any] | None) -> str | None:
    """Path of the record: below its listing, from its own link, or under the parents in its row."""
    if stream.is_listed_only:
        return None
    if not stream.placeholders:
        return record_path(stream.path, resource["id"])
    own = own_path(stream, resource)
    if own is not None:
        return own
    for path in stream.all_paths if row else ():
        known = {name: row[f"{name}_id"] for name in placeholders_of(path) if row and row.get(f"{name}_id")}
        if known.keys() == set(placeholders_of(path)):
            return record_path(fill_path(path, known), resource["id"])
    return None


def own_path(stream: Stream, resource: Mapping[str, Any]) -> str | None:
    """The path in the record's `self` link, if it belongs to the stream's product and to this record."""
    links = resource.get("links")
    link = links.get("self") if isinstance(links, dict) else None
    try:
        path = urlsplit(link).path if isinstance(link, str) else ""
    except ValueError:  # such as an address with half a pair of brackets
        return None
    is_sound = _PATH.fullmatch(path) and ".." not in path and path.startswith(f"{stream.product.path_prefix}/")
    return path if is_sound and id_in(path.rpartition("/")[2]) == resource["id"] else None


def parents_on(stream: Stream, path: str | None) -> dict[str, str]:
    """The ids of the parents in a record's path, by placeholder."""
    for template in stream.all_paths if path else ():
        pattern = re.sub(r"\\\{(\w+)_id\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        match = re.fullmatch(rf"{pattern}/[^/]+", path or "")
        if match:
            return {name: id_in(segment) for name, segment in match.groupdict().items()}
    return {}


async def read_record(fetch: Fetch, stream: Stream, path: str) -> Brought | None:
    """Request a record with everything that comes with it; None if it does not (or does not yet) exist."""
    route = route_of(stream)
    document = await find_record(fetch, Tally(), path, route.query, identifier=ANY)
    if document is None:
        return None
    if not isinstance(document.data, dict) or document.data.get("type") != stream.type:
        raise UnexpectedResponse(f"{path}: expected one record of type {stream.type}")
    parents = parents_on(stream, path)
    answer = Answer([document.data], [document.data], document.included)
    records = sort_records(route, brought_with(stream), answer, parents)
    return Brought(records, _children(route, [document.data, *document.included]))


def fetch_records(client: Client, stream: Stream) -> Fetch:
    """A fetch for single records of the stream, with everything that their listing shows."""

    async def fetch(path: str, params: Mapping[str, str]) -> Document:
        return await client.get(path, params, product=stream.product)

    return Unasked().asking(fetch, [stream])


def _children(route: Route, resources: list[Any]) -> dict[tuple[str, str, str], list[str]]:
    """Included children by parent, for every record that names them."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for resource in resources:
        relationships = (resource.get("relationships") or {}) if isinstance(resource, dict) else {}
        for each in route.carried if isinstance(relationships, dict) else ():
            linkage = relationships.get(each.name)
            if resource.get("type") == each.parent.type and isinstance(linkage, dict) and "data" in linkage:
                data = linkage["data"] if isinstance(linkage["data"], list) else [linkage["data"]]
                key = each.stream.name, each.relationship, id_of(resource) or ""
                found[key] = [identifier for item in data if (identifier := id_of(item))]
    return found
