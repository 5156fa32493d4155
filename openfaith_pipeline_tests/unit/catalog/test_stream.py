"""Properties derived from a declaration, and the refusal of declarations that contradict themselves."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest

from openfaith_pipeline.catalog.registry import registry_of
from openfaith_pipeline.catalog.stream import TIMESTAMPS, ColumnType, Strategy, Stream
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS

LONGEST_NAME = 63  # bytes, of a Postgres identifier
COLUMNS_OF_OURS = {"org_id", "id"}
PARENT: Mapping[str, str | None] = {"group": "groups.groups"}


def stream(**declared: Any) -> Stream:
    defaults = {"product": Product.GROUPS, "type": "Thing", "path": "/groups/v2/things", "attributes": TIMESTAMPS}
    return Stream(**{**defaults, **declared})


def under_group(**declared: Any) -> Stream:
    return stream(**{"path": "/groups/v2/groups/{group_id}/things", "belongs_to": PARENT, **declared})


def module_of(*streams: Stream) -> ModuleType:
    module = ModuleType("made_up")
    vars(module).update({f"STREAM_{place}": each for place, each in enumerate(streams)})
    return module


@pytest.mark.parametrize(
    ("declared", "listing"),
    [
        ({}, Strategy.FULL),
        ({"is_singleton": True}, Strategy.SINGLETON),
        ({"cursor": "updated_at"}, Strategy.INCREMENTAL),
        ({"cursor": "updated_at", "is_cursor_filterable": False}, Strategy.ORDERED),
        ({"cursor": "updated_at", "is_cursor_orderable": False}, Strategy.FILTERED),
        ({"cursor": "created_at"}, Strategy.APPEND),
    ],
)
def test_a_listing_is_read_as_the_api_allows(declared: dict[str, Any], listing: Strategy) -> None:
    assert stream(**declared).strategy is listing
    assert under_group(**declared).strategy is Strategy.CHILD
    assert under_group(**declared).listing is listing


def test_an_included_stream_is_read_with_its_parents() -> None:
    declared = under_group(
        carried_as="things",
        also_under=("/groups/v2/events/{event_id}/things",),
        walked_under={"event": "groups.events"},
    )

    assert declared.strategy is Strategy.INCLUDED
    assert declared.parents == ("groups.groups", "groups.events")
    assert list(declared.columns) == ["group_id", "created_at", "updated_at"]


def test_paths_of_an_unconfirmed_stream_depend_on_whether_its_own_exists() -> None:
    declared = stream(
        is_unconfirmed=True,
        fallback_path="/groups/v2/groups/{group_id}/things",
        also_under=("/groups/v2/events/{event_id}/things",),
        walked_under={"group": "groups.groups", "event": "groups.events"},
    )

    assert declared.parent is None
    assert declared.paths() == ("/groups/v2/things",)
    assert declared.paths(is_path_absent=True) == (declared.fallback_path, *declared.also_under)
    assert declared.parents == ("groups.groups", "groups.events")
    assert stream(is_unconfirmed=True).paths(is_path_absent=True) == ()


def test_a_parent_is_touched_only_by_a_stream_that_says_so() -> None:
    assert under_group(touches=("group",)).touches_parent
    assert not under_group().touches_parent
    assert not stream(belongs_to=PARENT, touches=("group",)).touches_parent


def test_links_are_named_after_both_sides() -> None:
    assert stream(has_many={"tags": "groups.tags"}).links == {"tags": "things_tags"}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"path": "/giving/v2/things"}, "outside /groups/v2"),
        ({"also_under": ("/groups/v2/tags/{tag_id}/things",)}, "needs belongs_to"),
        ({"carried_as": "things"}, "carried_as needs a path"),
        ({"fallback_path": "/groups/v2/others"}, "may be absent"),
        ({"walked_under": {"tag": "groups.tags"}}, "in no path"),
        ({"cursor": "changed_at"}, "not a declared attribute"),
        ({"cursor": "updated_at", "is_cursor_filterable": False, "is_cursor_orderable": False}, "neither"),
        ({"asks_for": ("tags",)}, "asks_for names"),
        ({"has_many": {"group": "groups.groups"}, "belongs_to": PARENT}, "declared twice"),
        ({"touches": ("group",)}, "touches names"),
        ({"withheld": ("updated_at",)}, "withheld attribute"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(declared: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        stream(**declared)


def test_an_included_stream_has_no_cursor() -> None:
    with pytest.raises(ValueError, match="no cursor of its own"):
        under_group(carried_as="things", cursor="updated_at")


@pytest.mark.parametrize(
    "declared",
    [
        {"belongs_to": {"group": "groups.gone"}},
        {"has_many": {"groups": "groups.gone"}},
        {"path": "/groups/v2/gone/{gone_id}/things", "walked_under": {"gone": "groups.gone"}},
    ],
)
def test_a_registry_refuses_a_stream_that_refers_to_none(declared: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"groups\.things refers to unknown streams: \['groups\.gone'\]"):
        registry_of([module_of(stream(**declared))])


def test_a_registry_refuses_two_streams_of_one_name() -> None:
    with pytest.raises(ValueError, match="have the same name"):
        registry_of([module_of(stream(), stream(type="Other"))])


def test_parents_stand_before_their_children() -> None:
    order = {name: place for place, name in enumerate(STREAMS)}

    late = {
        (each.name, parent) for each in STREAMS.values() for parent in each.parents if order[parent] > order[each.name]
    }

    assert late == set()


def test_tables_and_columns_fit_postgres_and_do_not_collide() -> None:
    for each in STREAMS.values():
        names = [each.short_name, *each.links.values(), *each.columns]
        siblings = [other.short_name for other in STREAMS.values() if other.product is each.product]

        assert max(len(name.encode()) for name in names) <= LONGEST_NAME
        assert not COLUMNS_OF_OURS & each.columns.keys()
        assert not set(each.links.values()) & set(siblings)


def test_a_column_that_could_hold_a_secret_is_named_as_withheld() -> None:
    suspicious = {
        f"{each.name}.{name}"
        for each in STREAMS.values()
        for name, kind in each.attributes.items()
        if kind is ColumnType.TEXT and any(word in name for word in ("secret", "token", "password"))
    }

    assert suspicious == set()
    assert STREAMS["webhooks.webhook_subscriptions"].withheld == ("authenticity_secret",)


def test_populations_count_by_streams_that_stand_before() -> None:
    order = {name: place for place, name in enumerate(STREAMS)}

    for each in STREAMS.values():
        per = each.population.per
        assert (each.population.amount > 0) != each.is_pushed
        assert per in (None, "church") or order[per] < order[each.name], each.name


def test_a_church_of_800_is_read_in_some_thousand_requests_of_child_walks() -> None:
    counts: dict[str, float] = {"church": 800}
    for each in STREAMS.values():
        counts[each.name] = each.population.amount * counts.get(each.population.per or "", 1)
    walks = [each for each in STREAMS.values() if each.strategy is Strategy.CHILD]

    requests = sum(counts[parent] for each in walks for parent in each.parents)

    assert 800 < requests < 1800
