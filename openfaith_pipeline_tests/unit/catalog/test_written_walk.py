"""A walk that was written is read as it was, whatever was refused of it."""

import json
from dataclasses import fields

from openfaith_pipeline.catalog.walk import Refused, Route, Walk
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.catalog.written_walk import read_walk, write_walk
from openfaith_pipeline.sources import STREAMS


def walks() -> list[Walk]:
    planned = [
        walk
        for is_full in (True, False)
        for walk in plan_walks(STREAMS.values(), STREAMS, is_full=is_full, is_rotating=not is_full)
    ]
    includes = [(walk, each.way) for walk in planned for route in walk.routes for each in route.carried]
    lessened = [walk.without([Refused(include, "it fails", is_withheld=True)]) for walk, include in includes]
    hidden = [walk.without_hidden(lead, "it is refused") for walk in planned for lead in walk.leads if lead.asks_all]
    return [*planned, *lessened, *hidden, *(walk.only(walk.routes[:1]) for walk in planned if walk.routes)]


def test_every_walk_is_read_as_it_was_written() -> None:
    for walk in walks():
        assert read_walk(json.loads(json.dumps(write_walk(walk))), STREAMS) == walk


def test_nothing_of_a_route_is_left_out() -> None:
    varied = [route for walk in walks() for route in walk.routes]
    for each in fields(Route):
        assert len({repr(getattr(route, each.name)) for route in varied}) > 1, f"{each.name} is never tried"


def test_a_walk_that_this_version_reads_otherwise_is_not_read() -> None:
    walk = next(walk for walk in walks() if len(walk.streams) > 1)
    written = write_walk(walk)
    assert read_walk(written, {name: STREAMS[name] for name in STREAMS if name != walk.streams[-1].name}) is None
    assert read_walk({**written, "signature": {**written["signature"], "format": 0}}, STREAMS) is None
    assert read_walk({"signature": walk.signature}, STREAMS) is None, "as an earlier version wrote it"
