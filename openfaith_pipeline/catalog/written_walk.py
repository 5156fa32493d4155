"""A walk as JSON, so that a later process publishes exactly the records that an earlier one read."""

from collections.abc import Mapping
from typing import Any

from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.walk import Carried, Refused, Route, Walk


def write_walk(walk: Walk) -> dict[str, Any]:
    """JSON: the walk, and the signature by which a version that reads otherwise is recognized."""
    return {
        "signature": walk.signature,
        "streams": [stream.name for stream in walk.streams],
        "routes": [_write_route(route) for route in walk.routes],
    }


def read_walk(written: Mapping[str, Any], catalog: Mapping[str, Stream]) -> Walk | None:
    """The walk that `write_walk` wrote; None if this version lacks one of its streams or reads it otherwise."""
    try:
        routes = tuple(_read_route(route, catalog) for route in written["routes"])
        walk = Walk(routes, tuple(catalog[name] for name in written["streams"]))
    except KeyError:
        return None
    return walk if walk.signature == written["signature"] else None


def _write_route(route: Route) -> dict[str, Any]:
    return {
        **vars(route),
        "lead": route.lead.name,
        "carried": [_write_carried(each) for each in route.carried],
        "refused": [each._asdict() for each in route.refused],
    }


def _read_route(written: Mapping[str, Any], catalog: Mapping[str, Stream]) -> Route:
    return Route(
        lead=catalog[written["lead"]],
        path=written["path"],
        carried=tuple(_read_carried(each, catalog) for each in written["carried"]),
        listing=Strategy(written["listing"]),
        is_whole=written["is_whole"],
        is_rotating=written["is_rotating"],
        filters=tuple((name, value) for name, value in written["filters"]),
        is_of_hidden=written["is_of_hidden"],
        refusal=written["refusal"],
        refused=tuple(Refused(**each) for each in written["refused"]),
    )


def _write_carried(carried: Carried) -> dict[str, Any]:
    return {
        "stream": carried.stream.name,
        "parent": carried.parent.name,
        "include": carried.way,
        "relationship": carried.relationship,
        "outer": _write_carried(carried.outer) if carried.outer else None,
    }


def _read_carried(written: Mapping[str, Any], catalog: Mapping[str, Stream]) -> Carried:
    return Carried(
        stream=catalog[written["stream"]],
        parent=catalog[written["parent"]],
        way=written["include"],
        relationship=written["relationship"],
        outer=_read_carried(written["outer"], catalog) if written["outer"] else None,
    )
