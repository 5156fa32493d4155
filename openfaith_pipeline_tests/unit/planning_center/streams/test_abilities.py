"""The parameters that the simulator's lists take are those of Planning Center, and the declarations go by them."""

from collections.abc import Mapping

import orjson
import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.planning_center.abilities import ABILITIES
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.planning_center.streams.reference import FACTS, Documented, added_types

MEANT = {"can_query_by": "query", "can_order_by": "order", "can_filter": "filter", "can_include": "include"}
REFERENCED = {name: STREAMS[name] for name in ABILITIES if name in STREAMS}


def names(text: str) -> set[str]:
    return set(text.split())


def test_only_streams_have_abilities_and_no_name_is_there_twice() -> None:
    assert ABILITIES.keys() <= STREAMS.keys()
    for each in ABILITIES.values():
        for text in vars(each).values():
            assert len(text.split()) == len(names(text))


@pytest.mark.parametrize("name", [name for name, stream in REFERENCED.items() if stream.cursor])
def test_the_cursor_can_be_filtered_and_ordered_by_as_declared(name: str) -> None:
    stream, abilities = STREAMS[name], ABILITIES[name]
    assert (stream.cursor in names(abilities.query)) is stream.is_cursor_filterable
    assert (stream.cursor in names(abilities.order)) is stream.is_cursor_orderable


@pytest.mark.parametrize("name", REFERENCED)
def test_everything_that_the_declaration_requests_is_offered(name: str) -> None:
    stream = STREAMS[name]
    asked = [tuple(stream.asks_all.items())]
    asked += [(tuple(listing.partition("?")[2].split("=")),) for listing in stream.hidden_under]
    for parameter, value in (pair for pairs in asked for pair in pairs):
        if parameter == "filter":
            assert value in names(ABILITIES[name].filter)
        elif parameter.count("[") == 1:  # the reference names no attributes of a relationship
            assert parameter.removeprefix("where[").removesuffix("]") in names(ABILITIES[name].query)
    assert set(stream.asks_for) <= names(ABILITIES[name].include)
    carried = {each.carried_as for each in STREAMS.values() if each.carried_as and each.parent == name}
    carried |= {each.comes_with[name] for each in STREAMS.values() if name in each.comes_with}
    assert carried <= names(ABILITIES[name].include)


def test_they_are_those_of_the_reference_its_corrections_and_the_recordings() -> None:
    recorded = _recorded()
    added = {(product, type_name) for product, type_name, _ in added_types()}
    assert {s.path for s in STREAMS.values()} >= recorded.keys()
    for stream in STREAMS.values():
        if (stream.product.value, stream.type) in added:
            assert stream.name not in ABILITIES
            continue
        expected = recorded.get(stream.path) or _documented(stream)
        made = {field: names(getattr(ABILITIES[stream.name], field)) for field in MEANT.values()}
        assert made == {field: set(expected.get(field, ())) for field in MEANT.values()}, stream.name


def _documented(stream: Stream) -> Mapping[str, set[str]]:
    documented = Documented(stream)
    better = {way.can for way in documented.better if way.can}
    filters = (
        each["name"]
        for endpoint in documented.type["list_endpoints"]
        if endpoint["path"] in stream.all_paths
        for each in endpoint.get("filters", ())
    )
    return {
        "query": {*documented.type["can_query"], *(can[6:] for can in better if can.startswith("where_"))},
        "order": {*documented.type["can_order"], *(can[6:] for can in better if can.startswith("order_"))},
        "filter": set(filters),
        "include": set(documented.includable),
    }


def _recorded() -> Mapping[str, Mapping[str, list[str]]]:
    """By path, the abilities in the recorded lists."""
    found: dict[str, Mapping[str, list[str]]] = {}
    for path in (FACTS.parent / "samples").glob("*.json"):
        sample = orjson.loads(path.read_bytes())
        body = sample.get("response", {}).get("body", {})
        if isinstance(body.get("data"), list):
            meta = body["meta"]
            found[f"/people/v2{sample['request']['path']}"] = {
                field: meta[can] for can, field in MEANT.items() if can in meta
            }
    return found
