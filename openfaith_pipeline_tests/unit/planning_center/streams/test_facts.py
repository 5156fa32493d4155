"""The declarations agree with Planning Center's public reference and its corrections.

Intended differences are listed in differences.py. Any other difference fails, and so does a listed one that no longer
exists.
"""

from collections.abc import Iterator, Mapping

from openfaith_pipeline.catalog.placeholders import placeholders_of
from openfaith_pipeline.catalog.stream import ColumnType, Strategy, Stream, snake
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.streams.not_synced import NOT_SYNCED
from openfaith_pipeline.sources import STREAMS, carried_names
from openfaith_pipeline_tests.unit.planning_center.streams import differences
from openfaith_pipeline_tests.unit.planning_center.streams.reference import (
    UNTOLD,
    Better,
    Documented,
    added_types,
    better_ways,
    planned,
    read_corrections,
    read_facts,
)

COLUMN_TYPES: Mapping[str, ColumnType] = {
    "string": ColumnType.TEXT,
    "primary_key": ColumnType.TEXT,
    "currency_abbreviation": ColumnType.TEXT,  # "USD"; other types call the same attribute a string
    "unknown": ColumnType.TEXT,  # embed codes, which other types call strings
    "integer": ColumnType.INTEGER,
    "float": ColumnType.FLOAT,
    "boolean": ColumnType.BOOLEAN,
    "date": ColumnType.DATE,
    "date_time": ColumnType.TIMESTAMP,
    "array": ColumnType.JSON,
    "hash": ColumnType.JSON,
    "json": ColumnType.JSON,
    "object": ColumnType.JSON,
    "repeatable_schedule": ColumnType.JSON,
    "text": ColumnType.TEXT,
    "object or array": ColumnType.JSON,
    "object or text": ColumnType.JSON,
    "not documented": ColumnType.JSON,
    UNTOLD: ColumnType.JSON,  # which takes any
}
STRATEGIES: Mapping[str, tuple[Strategy, ...]] = {
    "incremental": (Strategy.INCREMENTAL, Strategy.FILTERED),
    "incremental_by_order": (Strategy.ORDERED,),
    "append_by_created_at": (Strategy.APPEND,),
    "full": (Strategy.FULL,),
    "singleton": (Strategy.SINGLETON,),
    "via_include": (Strategy.INCLUDED,),
    "child": (Strategy.CHILD,),
    "child_incremental": (Strategy.CHILD,),
}


def documented_streams() -> Iterator[tuple[Stream, Documented]]:
    for stream in STREAMS.values():
        yield stream, Documented(stream)


def all_paths(stream: Stream) -> tuple[str, ...]:
    return (*stream.paths(), *stream.paths(is_path_absent=True))


def type_of(stream_name: str | None) -> str:
    return STREAMS[stream_name or ""].type


def test_every_documented_type_is_a_stream_or_listed_as_none() -> None:
    streams = {(stream.product.value, stream.type) for stream in STREAMS.values()}
    left_out = {(product.value, type_name) for product, types in NOT_SYNCED.items() for type_name in types}
    added = {(product, type_name) for product, type_name, _ in added_types()}

    assert streams - added == {(product, type_name) for product, type_name, strategy in planned() if strategy != "skip"}
    assert left_out - added == {
        (product, type_name) for product, type_name, strategy in planned() if strategy == "skip"
    }
    assert added == (streams | left_out) & added
    assert not streams & left_out
    assert len(streams) == len(STREAMS)


def test_attributes_and_their_types() -> None:
    different = set()
    for stream, documented in documented_streams():
        asked = {name: documented.only_asked[name] for name in stream.only_asked}
        expected = {name: COLUMN_TYPES[kind] for name, kind in {**documented.attributes, **asked}.items()}
        declared = {**stream.attributes, **{name: expected.get(name) for name in stream.withheld}}
        names = expected.keys() | declared.keys()
        different |= {f"{stream.name}.{name}" for name in names if expected.get(name) != declared.get(name)}

    assert different == differences.ATTRIBUTES.keys()


def test_attributes_shown_only_on_request_are_requested_or_not_missed() -> None:
    left_out = set()
    for stream, documented in documented_streams():
        assert documented.only_asked.keys() >= {*stream.only_asked}, stream.name
        left_out |= {f"{stream.name}.{name}" for name in documented.only_asked.keys() - {*stream.only_asked}}

    assert left_out == differences.ONLY_ASKED.keys()


def test_the_cursor_is_a_field_the_api_filters_or_orders_by() -> None:
    different = {
        stream.name
        for stream, documented in documented_streams()
        if (stream.cursor, stream.is_cursor_filterable, stream.is_cursor_orderable) != _best_cursor(stream, documented)
    }

    assert different == differences.CURSORS.keys()


def _best_cursor(stream: Stream, documented: Documented) -> tuple[str | None, bool, bool]:
    if stream.is_pushed:
        return stream.cursor, True, True  # no listing is filtered by it
    if stream.strategy in (Strategy.INCLUDED, Strategy.SINGLETON):
        return None, True, True
    # Not every type that can be followed by created_at holds records that never change.
    candidates = ("updated_at", "created_at") if stream.cursor == "created_at" else ("updated_at",)
    for attribute in candidates:
        can_filter, can_order = documented.can("where", attribute), documented.can("order", attribute)
        if can_filter or can_order:
            return attribute, can_filter, can_order
    return None, True, True


def test_strategies_are_the_recommended_ones() -> None:
    by_type = {(stream.product.value, stream.type): stream for stream in STREAMS.values()}
    different = set()
    for product, type_name, recommended in planned():
        stream = by_type.get((product, type_name))
        if stream and (
            stream.strategy not in STRATEGIES[recommended]
            or (stream.strategy is Strategy.CHILD and bool(stream.cursor) != (recommended == "child_incremental"))
        ):
            different.add(stream.name)

    assert different == differences.STRATEGIES.keys()


def test_paths_are_documented_and_lead_through_the_parents_they_name() -> None:
    for stream, documented in documented_streams():
        behind = {**stream.walked_under, **stream.belongs_to}

        assert set(all_paths(stream)) <= documented.paths
        for name in {name for path in all_paths(stream) for name in placeholders_of(path)}:
            assert snake(type_of(behind[name])) == name, stream.name


def test_outer_parents_are_columns_of_the_inner_ones() -> None:
    """A walk two or three levels deep takes all ids of its path from the innermost parent's row."""
    for stream in STREAMS.values():
        for path in () if stream.carried_as else all_paths(stream):
            for name in placeholders_of(path)[:-1]:
                assert f"{name}_id" in STREAMS[stream.parent_of(path) or ""].columns, path


def test_a_singleton_is_where_the_path_leads_to_one_record() -> None:
    for stream, documented in documented_streams():
        assert stream.is_singleton == (stream.path in documented.singular_paths), stream.name


def test_records_that_no_path_shows_by_themselves_are_never_requested_so() -> None:
    listed_only = {name for name, stream in STREAMS.items() if stream.is_listed_only}

    assert listed_only == {stream.name for stream, documented in documented_streams() if documented.is_collection_only}


def test_paths_that_the_reference_is_not_sure_of_are_probed() -> None:
    unprobed = set()
    for stream, documented in documented_streams():
        assert not stream.is_unconfirmed or documented.is_unconfirmed, stream.name
        if documented.is_unconfirmed and not stream.is_unconfirmed:
            assert stream.placeholders, stream.name
            unprobed.add(stream.name)

    assert unprobed == differences.UNPROBED.keys()


def test_includes_are_offered_by_the_parents() -> None:
    for stream in STREAMS.values():
        if stream.carried_as:
            assert stream.carried_as == stream.path.rsplit("/", 1)[-1]
            for path in stream.paths():
                offered = Documented(STREAMS[stream.parent_of(path) or ""]).includable
                assert offered[path.rsplit("/", 1)[-1]] == stream.type, stream.name


def test_every_walk_requests_includes_that_are_offered() -> None:
    by_type = {(stream.product, stream.type): stream for stream in STREAMS.values()}
    asked = 0
    for is_full in (True, False):
        routes = [route for walk in plan_walks([*STREAMS.values()], STREAMS, is_full=is_full) for route in walk.routes]
        ways = [(each, way) for each in routes for way in each.query.get("include", "").split(",") if way]
        for route, way in ways:
            stream = route.lead
            for name in way.split("."):
                offered = Documented(stream).includable
                assert name in offered, f"{route.path}?include={way}: {stream.name} does not offer {name}"
                stream, asked = by_type.get((stream.product, offered[name]), stream), asked + 1
    assert asked > 200


def test_relationships_that_records_show_are_kept() -> None:
    different = {
        f"{stream.name}.{name}"
        for stream, documented in documented_streams()
        for name, relationship in documented.shown.items()
        if not _is_kept(stream, name, relationship.target, is_many=relationship.is_many)
    }

    assert different == differences.SHOWN_RELATIONSHIPS.keys()


def _is_kept(stream: Stream, name: str, target: str | None, *, is_many: bool) -> bool:
    kept: Mapping[str, str | None] = stream.has_many if is_many else stream.belongs_to
    if name not in kept:
        return False
    known = {
        named: each.name
        for each in STREAMS.values()
        if each.product is stream.product
        for named in (each.type, *each.aliases)
    }
    return kept[name] == (known.get(target) if target else None)


def test_no_record_is_shown_to_be_of_several_parents_of_one_kind() -> None:
    """One column for each kind of parent suffices, except for resources, which several groups may list."""
    kinds = {
        (stream.name, name): documented.shown[name].is_many
        for stream, documented in documented_streams()
        for path in stream.all_paths
        for name in placeholders_of(path)[-1:]
        if name in documented.shown
    }
    assert kinds["services.items", "plan"] is kinds["services.plan_people", "plan"] is False
    assert [key for key, is_many in kinds.items() if is_many] == []
    assert {stream.name: stream.listed_by for stream in STREAMS.values() if stream.listed_by} == {
        "groups.resources": {"groups": "group"}
    }


def test_relationships_that_the_reference_lacks_are_kept() -> None:
    for stream, documented in documented_streams():
        for name, is_many in documented.found_relationships.items():
            kept: Mapping[str, str | None] = stream.has_many if is_many else stream.belongs_to
            assert name in kept or name in carried_names(stream), f"{stream.name}.{name}"


def test_relationships_to_ask_for_are_offered_and_not_shown_anyway() -> None:
    for stream, documented in documented_streams():
        for name in stream.asks_for:
            assert documented.includable[name] == type_of(stream.has_many.get(name) or stream.belongs_to.get(name))
            assert documented.includes_many(name) == (name in stream.has_many), f"{stream.name}.{name}"
            assert name not in documented.shown, f"{stream.name}.{name}"


def test_relationships_are_shown_or_requested_or_part_of_the_path() -> None:
    for stream, documented in documented_streams():
        in_paths = {name for path in all_paths(stream) for name in placeholders_of(path)}
        shown = documented.shown.keys() | documented.found_relationships.keys()
        unknown = {*stream.belongs_to, *stream.has_many} - shown - in_paths - {*stream.asks_for}

        assert not unknown, stream.name


def test_a_record_names_its_parents_only_where_the_reference_shows_it() -> None:
    for stream, documented in documented_streams():
        shown = documented.shown.keys() | documented.found_relationships.keys()
        unknown = stream.belongs_to.keys() - shown - set(stream.asks_for)

        assert set(stream.unshown) == unknown, stream.name


def test_relationships_that_can_be_requested_are_kept() -> None:
    different = set()
    for stream, documented in documented_streams():
        brought = {each.carried_as for each in STREAMS.values() if stream.name in each.parents}
        told = {*documented.shown, *stream.asks_for, *stream.belongs_to, *brought, "organization"}
        different |= {
            f"{stream.name}.{name}"
            for name, target in documented.includable.items()
            if name not in told and not (documented.includes_many(name) and _names_back(stream, target))
        }

    assert different == differences.OFFERED_RELATIONSHIPS.keys()


def _names_back(stream: Stream, target: str) -> bool:
    """Whether records of the target type name the record that includes them."""
    siblings = (each for each in STREAMS.values() if each.product is stream.product)
    return any(each.type == target and stream.name in each.belongs_to.values() for each in siblings)


def test_lists_that_hide_records_are_requested_whole() -> None:
    different = set()
    for each in read_corrections()["lists_that_hide"]:
        for name in each["stream"].split(", "):
            stream = STREAMS.get(name)
            asked = {f"{key}={value}" for key, value in stream.asks_all.items()} if stream else set()
            asked |= {listing.partition("?")[2] for listing in stream.hidden_under} if stream else set()
            wanted = each["ask"].rpartition("?")[2]
            if not any(one.startswith(wanted) for one in asked):
                different.add(name)

    assert different == differences.HIDING.keys()


def test_streams_that_can_be_read_with_fewer_requests_are() -> None:
    different = {name for name, way in better_ways() if not _is_taken(STREAMS[name], way)}

    assert different == differences.BETTER.keys()


def _is_taken(stream: Stream, way: Better) -> bool:
    can = {
        f"{how}_{stream.cursor}"
        for how, is_possible in (("where", stream.is_cursor_filterable), ("order", stream.is_cursor_orderable))
        if is_possible
    }
    return (
        way.path in (None, stream.path)
        and (way.parents is None or stream.placeholders == way.parents)
        and (way.can is None or way.can in can)
    )


def test_versions_are_the_documented_ones() -> None:
    documented = {name.replace("-", "_"): each["version"] for name, each in read_facts()["products"].items()}

    assert {name for name in documented if Product(name).api_version != documented[name]} == differences.VERSIONS.keys()
