"""Includes and sparse fields."""

import pytest

from openfaith_pipeline_tests.unit.simulator.api import Api

PEOPLE = "/people/v2/people"


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(people=80)


def test_included_only_on_request(api: Api) -> None:
    assert "included" not in api.get(PEOPLE)
    assert api.get(f"{PEOPLE}?include=emails&per_page=0")["included"] == []


def test_a_reverse_include_lists_the_records_that_belong_to_the_page(api: Api) -> None:
    page = api.get(f"{PEOPLE}?include=emails&per_page=30")
    named = [each["id"] for row in page["data"] for each in row["relationships"]["emails"]["data"]]
    assert named
    assert [row["id"] for row in page["included"]] == named
    on_page = {row["id"] for row in page["data"]}
    expected = [
        row["id"]
        for row in api.church.truth("people.emails")
        if row["relationships"]["person"]["data"]["id"] in on_page
    ]
    assert sorted(named) == sorted(expected)


def test_included_can_lag_behind_the_linkage_that_names_it() -> None:
    api = Api(people=20)
    newest = [str(id) for id in api.church.table("people.emails").ids[-3:]]
    for is_lagging in (False, True):
        api.trap(lagging_includes=("people.emails",) if is_lagging else ())
        page = api.get(f"{PEOPLE}?include=emails&per_page=100")
        named = {each["id"] for row in page["data"] for each in row["relationships"]["emails"]["data"]}
        assert named > set(newest)
        assert named - {row["id"] for row in page["included"]} == (set(newest) if is_lagging else set())


def test_linkage_can_lag_behind_the_lists_that_show_a_record() -> None:
    api = Api(people=20)
    newest = [str(id) for id in api.church.table("people.emails").ids[-3:]]
    api.trap(late_linkage=("people.emails",))
    for query in ("include=emails", "include=emails,households&fields[Person]=emails"):
        page = api.get(f"{PEOPLE}?{query}&per_page=100")
        named = {each["id"] for row in page["data"] for each in row["relationships"]["emails"]["data"]}
        assert named and named.isdisjoint(newest)
        assert named == {row["id"] for row in page["included"] if row["type"] == "Email"}
    assert set(map(str, api.ids("/people/v2/emails?per_page=100"))) >= set(newest)


def test_to_one_include_is_given_once_and_typed_as_its_resource(api: Api) -> None:
    page = api.get(f"{PEOPLE}?include=primary_campus&per_page=100")
    relationships = [row["relationships"]["primary_campus"] for row in page["data"]]
    named = {each["data"]["id"] for each in relationships if each["data"]}
    assert {each["data"]["type"] for each in relationships if each["data"]} == {"PrimaryCampus"}
    assert {each["links"]["related"] for each in relationships if not each["data"]} == {None}
    assert sorted(row["id"] for row in page["included"]) == sorted(named)
    assert {row["type"] for row in page["included"]} == {"Campus"}


def test_include_through_memberships_goes_both_ways(api: Api) -> None:
    members = {
        (row["relationships"]["household"]["data"]["id"], row["relationships"]["person"]["data"]["id"])
        for row in api.church.truth("people.household_memberships")
    }
    households = api.get("/people/v2/households?per_page=100")["data"]
    assert {
        (row["id"], person["id"]) for row in households for person in row["relationships"]["people"]["data"]
    } == members
    people = api.get(f"{PEOPLE}?include=households&per_page=100")["data"]
    assert {(each["id"], row["id"]) for row in people for each in row["relationships"]["households"]["data"]} == members


def test_two_levels_of_includes(api: Api) -> None:
    page = api.get(f"{PEOPLE}?include=field_data.field_definition,emails&per_page=100")
    types = [row["type"] for row in page["included"]]
    assert set(types) == {"FieldDatum", "FieldDefinition", "Email"}
    keys = [(row["type"], row["id"]) for row in page["included"]]
    assert len(keys) == len(set(keys))
    used = {
        row["relationships"]["field_definition"]["data"]["id"]
        for row in page["included"]
        if row["type"] == "FieldDatum"
    }
    assert {id for kind, id in keys if kind == "FieldDefinition"} == used


def test_a_relationship_through_an_include_shows_on_the_record_itself(api: Api) -> None:
    data = {row["id"]: row["relationships"]["field_definition"] for row in api.church.truth("people.field_data")}
    rows = api.get(f"{PEOPLE}?include=field_data.field_definition&per_page=100")["data"]
    assert any("field_definition" not in row["relationships"] for row in rows)
    for row in rows:
        expected = {data[each["id"]]["data"]["id"] for each in row["relationships"]["field_data"]["data"]}
        lifted = row["relationships"].get("field_definition", {"data": []})["data"]
        assert {each["id"] for each in lifted} == expected


def test_unknown_and_not_offered_includes_are_ignored(api: Api) -> None:
    page = api.get(f"{PEOPLE}?include=no_such,person_mergers&per_page=3")
    assert page["included"] == []
    assert set(page["data"][0]["relationships"]) == {"primary_campus"}


def test_requested_relationships_are_added_as_any_other_include_is(api: Api) -> None:
    """They are spliced into the listed record; together with a shown one the record is serialized anew."""
    spliced = api.get(f"{PEOPLE}?include=marital_status,school,emails&per_page=100")
    rewritten = api.get(f"{PEOPLE}?include=marital_status,school,emails,primary_campus&per_page=100")
    for quick, slow in zip(spliced["data"], rewritten["data"], strict=True):
        slow["relationships"]["primary_campus"].pop("links")
        assert quick == slow
    named = [row["relationships"]["marital_status"]["data"] for row in spliced["data"]]
    assert None in named
    ids = {each["id"] for each in named if each}
    assert {row["id"] for row in spliced["included"] if row["type"] == "MaritalStatus"} == ids
    assert [row for row in rewritten["included"] if row["type"] != "Campus"] == spliced["included"]


def test_links_are_included(api: Api) -> None:
    page = api.get("/giving/v2/donations?include=labels&per_page=100")
    named = {each["id"] for row in page["data"] for each in row["relationships"]["labels"]["data"]}
    assert {row["id"] for row in page["included"]} == named
    assert {row["type"] for row in page["included"]} == {"Label"}
    assert {each["type"] for row in page["data"] for each in row["relationships"]["labels"]["data"]} == {"Labels"}


def test_sparse_fields_leave_the_requested_attributes_and_relationships(api: Api) -> None:
    page = api.get(f"{PEOPLE}?fields[Person]=first_name,emails,no_such&include=emails,primary_campus&per_page=5")
    for row in page["data"]:
        assert set(row["attributes"]) == {"first_name"}
        assert set(row["relationships"]) == {"emails"}
        assert set(row["links"]) == {"self", "html"}
    assert {"address", "location"} <= set(next(r for r in page["included"] if r["type"] == "Email")["attributes"])


def test_sparse_fields_without_relationships_leave_the_key_out(api: Api) -> None:
    row = api.get(f"{PEOPLE}?fields[Person]=created_at&per_page=1")["data"][0]
    assert "relationships" not in row
    assert set(row["attributes"]) == {"created_at"}


def test_single_takes_includes_and_has_links_to_all_edges(api: Api) -> None:
    definition = api.get("/people/v2/field_definitions/985?include=field_options,tab")
    assert set(definition["data"]["links"]) >= {"self", "field_options", "tab"}
    assert {row["type"] for row in definition["included"]} <= {"FieldOption", "Tab"}
    assert "included" not in api.get("/people/v2/field_definitions/985")
