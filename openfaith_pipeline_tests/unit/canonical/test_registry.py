"""Tables and relationships derived from declarations, and declarations that are refused."""

from types import ModuleType
from typing import Any

import pytest

from openfaith_pipeline.canonical.model import Alias, Declaration, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.registry import Model, declaration_of, model_of
from openfaith_pipeline.canonical.relationships import relationship_type
from openfaith_pipeline.canonical.rules import Day, FirstOf, Integer32, Money, Phone, Reference, Take
from openfaith_pipeline.planning_center.mapping.people import ADDRESSES, CAMPUSES, EMAILS, PEOPLE, PHONE_NUMBERS
from openfaith_pipeline.planning_center.streams import calendar, giving, groups, people, people_lists
from openfaith_pipeline.sources import CANONICAL, STREAMS

FIRST = {
    ("person", "primary_campus", "campus"),
    ("email", "person", "person"),
    ("phoneNumber", "person", "person"),
    ("address", "person", "person"),
}
GROUPS = Entity(table="groups", tag="group", stream=groups.GROUPS, columns={"name": Take("name", default="")})


def model(*declared: Declaration) -> Model:
    """The first five entities and these."""
    module = ModuleType("made_up")
    every = (CAMPUSES, PEOPLE, EMAILS, PHONE_NUMBERS, ADDRESSES, *declared)
    vars(module).update({f"D{number}": each for number, each in enumerate(every)})
    return model_of([module], STREAMS)


def edges_of(found: Model) -> set[tuple[str, str, str]]:
    return {(each.owner.tag, each.key, each.target.tag) for each in found.relationships if each.is_edge}


def test_relationships_follow_from_the_catalog() -> None:
    assert edges_of(CANONICAL) >= FIRST
    assert edges_of(model()) == FIRST
    # Not between two records of one table.
    assert all(each.owner.table != each.target.table for each in CANONICAL.relationships if each.is_edge)


@pytest.mark.parametrize(
    ("source", "relationship", "target", "name"),
    [
        ("campus", "primary_campus", "person", "campus_primary_campus_person"),
        ("email", "person", "person", "email_has_person"),
        ("person", "person", "phoneNumber", "person_has_phoneNumber"),
    ],
)
def test_names_of_edges(source: str, relationship: str, target: str, name: str) -> None:
    assert relationship_type(source, relationship, target) == name


def test_a_person_of_another_product_is_the_person() -> None:
    joined = edges_of(
        model(
            GROUPS,
            Alias(stream=groups.PEOPLE, of=people.PEOPLE),
            Edge(stream=groups.MEMBERSHIPS, between=("person", "group")),
        )
    )
    assert ("person", "membership", "group") in joined


def test_streams_of_one_table_are_distinguished_by_their_external_ids() -> None:
    one = Entity(table="events", tag="event", stream=calendar.EVENTS, columns={"name": Take("name", default="")})
    other = Entity(
        table="events", tag="event", stream=groups.EVENTS, columns={"title": Take("name")}, is_qualified=True
    )
    found = model(one, other, Folder(stream=people_lists.LISTS), Folder(stream=people_lists.LIST_CATEGORIES))
    assert [entity.namespace for entity in found.tables["events"].entities] == ["", "groups.events:"]
    assert {entity.namespace for entity in found.tables["folders"].entities} == {
        "people.lists:",
        "people.list_categories:",
    }
    # A column that not every stream feeds may be null.
    assert found.tables["events"].columns["name"].default is None
    assert found.tables["folders"].columns["name"].default == ""


EVENTS: dict[str, Any] = {"table": "events", "tag": "event"}
REFUSED: dict[str, tuple[Declaration, ...]] = {
    "does not have: ['nonsense']": (Entity(**EVENTS, stream=groups.EVENTS, columns={"x": Take("nonsense")}),),
    "not of type date": (Entity(**EVENTS, stream=groups.EVENTS, columns={"x": Day("name")}),),
    "not of type integer": (Entity(**EVENTS, stream=groups.EVENTS, columns={"x": Money("name")}),),
    "refers to a relationship that groups.events does not have": (
        Entity(**EVENTS, stream=groups.EVENTS, columns={"x": Reference("nobody")}),
    ),
    "refers to 'location', which is not an entity": (
        Entity(**EVENTS, stream=groups.EVENTS, columns={"x": Reference("location")}),
    ),
    "one needs is_qualified": (
        Entity(**EVENTS, stream=groups.EVENTS, columns={}),
        Entity(**EVENTS, stream=calendar.EVENTS, columns={}),
    ),
    "has several tags": (GROUPS, Entity(table="groups", tag="circle", stream=groups.EVENTS, columns={})),
    "events.x has several types": (
        Entity(**EVENTS, stream=groups.EVENTS, columns={"x": Take("visitors_count")}),
        Entity(**EVENTS, stream=calendar.EVENTS, columns={"x": Integer32("percent_approved")}, is_qualified=True),
    ),
    "has several types": (
        Entity(**EVENTS, stream=groups.EVENTS, columns={"x": Take("name")}),
        Entity(**EVENTS, stream=calendar.EVENTS, columns={"x": Take("created_at")}, is_qualified=True),
    ),
    "declared twice": (GROUPS, Entity(table="groups", tag="group", stream=groups.GROUPS, columns={})),
    "declared as two things": (GROUPS, Alias(stream=groups.GROUPS, of=people.PEOPLE)),
    "which is not an entity, and 'group'": (GROUPS, Edge(stream=groups.MEMBERSHIPS, between=("person", "group"))),
    "and 'group', which is not an entity": (
        Alias(stream=groups.PEOPLE, of=people.PEOPLE),
        Edge(stream=groups.MEMBERSHIPS, between=("person", "group")),
    ),
    "joins neither to the other": (
        Field(stream=people.TABS, on=people.PEOPLE, via="tab", values={"tab_name": Take("name")}),
    ),
    "neither an entity nor an edge": (
        Field(stream=groups.ENROLLMENTS, on=groups.GROUPS, via="group", values={"strategy": Take("strategy")}),
    ),
    "are called so already: ['nickname']": (
        Field(stream=people.NAME_PREFIXES, on=people.PEOPLE, via="name_prefix", values={"nickname": Take("value")}),
    ),
    "no Reference and no Phone": (
        GROUPS,
        Field(stream=groups.ENROLLMENTS, on=groups.GROUPS, via="group", values={"of": Reference("group")}),
    ),
    "stands for giving.funds, which is not an entity": (Alias(stream=groups.PEOPLE, of=giving.FUNDS),),
    "choose a name": (
        GROUPS,
        Alias(stream=groups.PEOPLE, of=people.PEOPLE),
        Edge(stream=groups.MEMBERSHIPS, between=("person", "group")),
        Edge(stream=groups.GROUP_APPLICATIONS, between=("person", "group"), name="application"),
    ),
    "only one is worked out": (
        Entity(**EVENTS, stream=groups.EVENTS, columns={name: Phone("name", "name", "name") for name in "xy"}),
    ),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_declarations_that_do_not_fit_are_refused(problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("[", "\\[").replace("]", "\\]")):
        model(*REFUSED[problem])


def test_a_declaration_is_the_same_by_its_content() -> None:
    again = Entity(table="groups", tag="group", stream=groups.GROUPS, columns={"name": Take("name", default="")})
    other = Entity(table="groups", tag="group", stream=groups.GROUPS, columns={"name": FirstOf("name", default="")})
    assert repr(declaration_of(GROUPS)) == repr(declaration_of(again)) != repr(declaration_of(other))
