"""Every stream is at its paths as its declaration says, exactly as the truth has it, before and after changes."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import Strategy, Stream, snake
from openfaith_pipeline.catalog.walk import Route
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline_tests.unit.simulator.api import Api

Row = dict[str, Any]
NAMES = tuple(name for name, stream in STREAMS.items() if not stream.is_pushed)
UNCONFIRMED = tuple(name for name, stream in STREAMS.items() if stream.is_unconfirmed)
SHARED = tuple(name for name, stream in STREAMS.items() if stream.also_under)


class Walker:
    """Reads a church by the catalog's declarations alone."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._truth: dict[str, dict[str, Row]] = {}

    def truth(self, name: str) -> dict[str, Row]:
        if name not in self._truth:
            self._truth[name] = {row["id"]: row for row in self.api.church.truth(name)}
        return self._truth[name]

    def routes(self, name: str, *, is_absent: bool = False) -> list[Route]:
        absent = UNCONFIRMED if is_absent else ()
        [walk] = plan_walks([STREAMS[name]], STREAMS, is_full=True, absent=absent)
        return list(walk.routes)

    def read(self, route: Route, *, is_asking: bool = True) -> tuple[list[Row], list[Row]]:
        """All rows of a route's listings, and all that came included."""
        rows: list[Row] = []
        included: list[Row] = []
        query = route.query if is_asking else {}
        for path in self.paths(route):
            for document in self._documents(path, query, is_single=route.lead.is_singleton):
                data = document["data"]
                rows += data if isinstance(data, list) else [data]
                included += document.get("included", [])
        return rows, included

    def paths(self, route: Route) -> Iterator[str]:
        """The route's path under each of its parents."""
        parent = route.lead.parent_of(route.path)
        *outer, innermost = placeholders_of(route.path) or ("",)
        for row in self.truth(parent).values() if parent else ():
            above = {f"{name}_id": (row["relationships"][name]["data"] or {}).get("id") for name in outer}
            if all(above.values()):
                yield route.path.format_map({**above, f"{innermost}_id": row["id"]})
        if not parent:
            yield route.path

    def _documents(self, path: str, query: Mapping[str, str], *, is_single: bool) -> Iterator[Row]:
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        offset = 0
        while True:
            answer = self.api.send(f"{path}?per_page=100&offset={offset}&{asked}")
            if is_single and answer.status == 404:
                return
            assert answer.status == 200, (path, answer.body)
            document = orjson.loads(answer.body)
            yield document
            offset = document["meta"].get("next", {}).get("offset")
            if offset is None:
                return


@pytest.fixture(scope="module")
def walker() -> Walker:
    return Walker(Api(people=60))


@pytest.fixture(scope="module")
def _emptied() -> Walker:
    api = Api(people=60)
    api.trap(absent_paths=UNCONFIRMED)
    return Walker(api)


@pytest.fixture(scope="module")
def changed() -> Walker:
    """A church in which some of everything was added, edited and deleted."""
    api = Api(people=40)
    for name in (name for name, stream in STREAMS.items() if not stream.is_singleton or stream.population.per):
        api.editor.edit(name)
        if not STREAMS[name].is_singleton or STREAMS[name].population.amount < 0.9:
            api.editor.add(name)
    for name in STREAMS:
        if len(table := api.church.table(name)) > 3:
            api.editor.delete(name, [table.ids[2]])
    api.editor.merge("people.people")
    return Walker(api)


def mismatches(row: Row, truth: Row) -> list[str]:
    """Where a resource object says something else than the truth."""
    made, known = row["attributes"], truth["attributes"]
    found = [name for name in made.keys() | known.keys() if made.get(name) != known.get(name)]
    shown = row.get("relationships", {})
    declared = truth["relationships"]
    return found + [name for name in shown.keys() & declared.keys() if shown[name]["data"] != declared[name]["data"]]


def check_listing(walker: Walker, name: str, *, is_absent: bool = False) -> None:
    stream, truth = STREAMS[name], walker.truth(name)
    rows: list[Row] = []
    for route in walker.routes(name, is_absent=is_absent):
        listed, included = walker.read(route)
        rows += [row for row in included if row["type"] == stream.type] if stream.carried_as else listed
    ids = [row["id"] for row in rows]
    assert set(ids) == set(truth)
    assert stream.carried_as or stream.listed_by or len(ids) == len(set(ids))
    assert {(row["id"], *wrong) for row in rows if (wrong := mismatches(row, truth[row["id"]]))} == set()
    asked = set(stream.asks_for)
    assert all(asked <= row.get("relationships", {}).keys() for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_is_at_its_paths(walker: Walker, name: str) -> None:
    check_listing(walker, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_is_at_its_paths_after_changes(changed: Walker, name: str) -> None:
    check_listing(changed, name)


def test_there_is_something_of_everything(walker: Walker) -> None:
    assert [name for name in NAMES if not walker.truth(name)] == []


@pytest.mark.parametrize("name", UNCONFIRMED)
def test_a_stream_without_a_path_of_its_own_is_at_others(_emptied: Walker, name: str) -> None:
    assert _emptied.api.send(STREAMS[name].path).status == 404
    if STREAMS[name].fallback_path:
        check_listing(_emptied, name, is_absent=True)


@pytest.mark.parametrize("name", [name for name in SHARED if not STREAMS[name].carried_as])
def test_each_of_several_paths_lists_a_part_of_its_own(walker: Walker, name: str) -> None:
    parts = [{row["id"] for row in walker.read(route)[0]} for route in walker.routes(name, is_absent=True)]
    assert len(parts) == len(STREAMS[name].paths(is_path_absent=True))
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.carried_as])
def test_parents_name_the_records_included_with_them(walker: Walker, name: str) -> None:
    """The linkage of each parent is the records that the truth hangs on it, or its own relationship."""
    named: dict[tuple[str, str], dict[str, list[str]]] = {}
    for route in walker.routes(name):
        rows = [row for listed in walker.read(route) for row in listed]
        for carried in (each for each in route.carried if each.stream.name == name):
            relationship = carried.way.rsplit(".", 1)[-1]
            named.setdefault((carried.parent.name, relationship), {}).update(
                (row["id"], ids_of(row["relationships"][relationship]["data"]))
                for row in rows
                if row["type"] == carried.parent.type
            )
    assert named
    for (parent, relationship), found in named.items():
        assert found == expected_names(walker, STREAMS[name], STREAMS[parent], relationship)
        assert any(found.values())


def expected_names(walker: Walker, stream: Stream, parent: Stream, relationship: str) -> dict[str, list[str]]:
    rows = walker.truth(parent.name)
    if relationship in parent.belongs_to:
        return {id: ids_of(row["relationships"][relationship]["data"]) for id, row in rows.items()}
    expected: dict[str, list[str]] = {id: [] for id in rows}
    for id, row in walker.truth(stream.name).items():
        owner = row["relationships"][snake(parent.type)]["data"]
        expected[owner["id"]].append(id)
    return expected


def ids_of(data: Any) -> list[str]:
    return [each["id"] for each in (data if isinstance(data, list) else [data]) if each]


@pytest.mark.parametrize(
    "name", [name for name, stream in STREAMS.items() if stream.asks_for and not stream.carried_as]
)
def test_parts_shown_on_request_are_not_shown_without_one(walker: Walker, name: str) -> None:
    rows = [row for route in walker.routes(name) for row in walker.read(route, is_asking=False)[0]]
    assert rows
    assert not any(row.get("relationships", {}).keys() & {*STREAMS[name].asks_for} for row in rows)


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.has_many])
def test_records_link_from_none_to_four_others(walker: Walker, name: str) -> None:
    for relationship, target in STREAMS[name].has_many.items():
        if target is None:
            continue
        links = [ids_of(row["relationships"][relationship]["data"]) for row in walker.truth(name).values()]
        assert any(links) or len(links) < 3
        assert all(len(ids) <= 4 and set(ids) <= walker.truth(target).keys() for ids in links)


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.withheld])
def test_secrets_are_shown_unless_the_fields_are_chosen(walker: Walker, name: str) -> None:
    stream = STREAMS[name]
    data = walker.api.get(stream.path)["data"]
    rows = {row["id"]: row for row in (data if isinstance(data, list) else [data])}
    for id, truth in walker.truth(name).items():
        assert not stream.attributes.keys() & {*stream.withheld}
        assert truth["withheld"].keys() == {*stream.withheld}
        assert all(value.startswith("made-up-secret-") for value in truth["withheld"].values())
        assert rows[id]["attributes"].items() >= truth["withheld"].items()
        assert not truth["attributes"].keys() & {*stream.withheld}
    secrets = [each for row in walker.truth(name).values() for each in row["withheld"].values()]
    assert len(secrets) == len(set(secrets))
    thinned = walker.api.get(f"{stream.path}?fields[{stream.type}]={','.join(stream.attributes)}")["data"]
    for row in thinned if isinstance(thinned, list) else [thinned]:
        assert row["attributes"].keys() == stream.attributes.keys()


@pytest.mark.parametrize("name", [name for name, each in STREAMS.items() if each.is_singleton and each.placeholders])
def test_a_parent_has_one_or_is_said_to_have_none(walker: Walker, name: str) -> None:
    stream = STREAMS[name]
    routes = [Route(stream, path, (), Strategy.SINGLETON, is_whole=True) for path in stream.paths()]
    found = [walker.read(route)[0] for route in routes]
    assert {row["id"] for rows in found for row in rows} == walker.truth(name).keys()
    assert (
        stream.population.amount > 0.9
        or stream.walked_under
        or any(len(rows) < len(list(walker.paths(route))) for rows, route in zip(found, routes, strict=True))
    )


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.cursor and stream.placeholders])
def test_a_cursor_is_followed_under_each_parent(walker: Walker, name: str) -> None:
    stream, cursor = STREAMS[name], str(STREAMS[name].cursor)
    path = max(walker.paths(walker.routes(name)[0]), key=lambda path: walker.api.get(path)["meta"]["total_count"])
    every = walker.api.everything(path)
    times = sorted(row["attributes"][cursor] for row in every)
    page = walker.api.get(f"{path}?order=-{cursor}&where[{cursor}][gte]={times[-1]}&per_page=100")
    newest = [row["attributes"][cursor] for row in page["data"]]
    assert len(times) > 1
    if stream.is_cursor_filterable:
        assert newest == [time for time in times if time == times[-1]]
    if stream.is_cursor_orderable:
        assert newest == sorted(newest, reverse=True)
    else:
        assert cursor not in page["meta"].get("can_order_by", ())


@pytest.mark.parametrize("name", [name for name, each in STREAMS.items() if each.listing is Strategy.FILTERED])
def test_order_is_ignored_where_only_filters_work(walker: Walker, name: str) -> None:
    route = walker.routes(name)[0]
    path = next(walker.paths(route))
    rows = walker.api.everything(path, "&order=-updated_at")
    assert [row["id"] for row in rows] == [row["id"] for row in walker.api.everything(path)]
    middle = sorted(row["attributes"]["updated_at"] for row in rows)[len(rows) // 2]
    later = walker.api.everything(path, f"&where[updated_at][gte]={middle}")
    assert [row["id"] for row in later] == [row["id"] for row in rows if row["attributes"]["updated_at"] >= middle]


@pytest.mark.parametrize("product", Product)
def test_a_record_is_at_its_own_address(walker: Walker, product: Product) -> None:
    for stream in (stream for stream in streams_of(product) if not stream.walked_under):
        truth = walker.truth(stream.name)
        rows = [row for route in walker.routes(stream.name) for listed in walker.read(route) for row in listed[:3]]
        for row in (row for row in rows if row["type"] == stream.type):
            if stream.is_listed_only:
                assert walker.api.send(row["links"]["self"].removeprefix("http://planning.center")).status == 404
                continue
            above = [truth[row["id"]]["relationships"][name]["data"] for name in stream.placeholders]
            if all(above) or stream.also_under:
                found = walker.api.get(row["links"]["self"].removeprefix("http://planning.center"))["data"]
                assert (found["type"], found["id"]) == (row["type"], row["id"])
