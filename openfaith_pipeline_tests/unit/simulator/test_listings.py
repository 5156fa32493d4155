"""Paging, filters and orders."""

from datetime import datetime
from itertools import pairwise
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
import pytest

from openfaith_pipeline.simulator.compounds import Compound
from openfaith_pipeline.simulator.tables import fold
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.simulator.api import Api

PEOPLE = "/people/v2/people"


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(people=150)


def test_default_order_is_ascending_number_not_text(api: Api) -> None:
    ids = api.ids(f"{PEOPLE}?per_page=100")
    assert ids == sorted(ids)
    assert [str(id) for id in ids] != sorted(str(id) for id in ids)


def test_per_page_is_clamped_while_links_keep_the_requested_value(api: Api) -> None:
    page = api.get(f"{PEOPLE}?per_page=500")
    assert len(page["data"]) == page["meta"]["count"] == 100
    assert page["meta"]["next"] == {"offset": 100}
    assert page["links"]["next"].endswith("?offset=100&per_page=500")


def test_per_page_zero_offers_the_same_page_for_ever(api: Api) -> None:
    page = api.get(f"{PEOPLE}?per_page=0")
    assert page["data"] == []
    assert page["meta"]["next"] == {"offset": 0}


def test_offset_beyond_the_end_has_only_prev(api: Api) -> None:
    page = api.get(f"{PEOPLE}?offset=99999")
    assert page["data"] == []
    assert set(page["links"]) == {"self", "prev"}
    assert page["meta"]["prev"] == {"offset": 99974}


def test_last_page_that_is_full_has_no_next_and_prev_ends_at_zero(api: Api) -> None:
    page = api.get(f"{PEOPLE}?offset=75&per_page=75")
    assert len(page["data"]) == 75
    assert "next" not in page["meta"]
    assert api.get(f"{PEOPLE}?offset=3")["meta"]["prev"] == {"offset": 0}


@pytest.mark.parametrize("order", ["", "&order=birthdate", "&order=last_name"])
def test_nulls_are_neither_before_nor_after_a_day(api: Api, order: str) -> None:
    dates = [row["attributes"]["birthdate"] for row in api.church.truth("people.people")]
    known = sum(date is not None for date in dates)
    assert 0 < known < len(dates)
    assert api.get(f"{PEOPLE}?where[birthdate][lt]=2100-01-01{order}")["meta"]["total_count"] == known
    assert api.get(f"{PEOPLE}?where[birthdate][gt]=1000-01-01{order}")["meta"]["total_count"] == known


def test_nulls_come_first_and_ties_by_ascending_id_both_ways(api: Api) -> None:
    truth = api.church.truth("people.people")
    grades = {int(row["id"]): row["attributes"]["grade"] for row in truth}
    assert None in grades.values()
    ascending = sorted(grades, key=lambda id: (grades[id] is not None, grades[id] or 0, id))
    assert api.ids(f"{PEOPLE}?order=grade&per_page=100") == ascending[:100]
    descending = sorted(grades, key=lambda id: (grades[id] is None, -(grades[id] or 0), id))
    assert api.ids(f"{PEOPLE}?order=-grade&per_page=100") == descending[:100]


def test_text_is_ordered_without_accents_or_case(api: Api) -> None:
    rows = api.everything(PEOPLE, "&order=last_name,-first_name")
    names = [(fold(row["attributes"]["last_name"]), fold(row["attributes"]["first_name"])) for row in rows]
    assert [last for last, _ in names] == sorted(last for last, _ in names)
    assert all(first >= second for (a, first), (b, second) in pairwise(names) if a == b)
    assert fold("Édith") == "edith"


@pytest.mark.parametrize("name", ["name", "created_by_id", "avatar"])
def test_attributes_that_the_reference_does_not_name_neither_filter_nor_order(api: Api, name: str) -> None:
    page = api.get(f"{PEOPLE}?where[{name}]=x&order=-{name}&per_page=100")
    assert page["meta"]["total_count"] == 150
    assert [int(row["id"]) for row in page["data"]] == api.ids(f"{PEOPLE}?per_page=100")
    assert name not in (*page["meta"]["can_query_by"], *page["meta"]["can_order_by"])


def test_a_list_that_takes_nothing_ignores_everything(api: Api) -> None:
    everything = api.ids("/check-ins/v2/labels")
    assert len(everything) > 1
    assert (
        api.ids("/check-ins/v2/labels?order=-created_at&where[name]=x&where[updated_at][gt]=2100-01-01") == everything
    )
    assert api.get("/check-ins/v2/labels")["meta"].keys() == {"total_count", "count", "parent"}


def test_addresses_are_not_filtered_by_their_times(api: Api) -> None:
    page = api.get("/people/v2/addresses?where[created_at][gt]=2100-01-01T00:00:00Z")
    assert page["meta"]["total_count"] > 50


def test_a_stream_that_the_reference_lacks_takes_its_plain_attributes(api: Api) -> None:
    page = api.get("/people/v2/membership_types")
    assert page["meta"]["can_query_by"] == page["meta"]["can_order_by"] == ["value"]
    assert "can_filter" not in page["meta"]


def test_records_are_found_by_their_id_and_by_those_they_name(api: Api) -> None:
    first, second = api.ids(PEOPLE)[:2]
    assert api.ids(f"{PEOPLE}?where[id]={second}") == [second]
    assert api.ids(f"{PEOPLE}?where[id]=none") == []
    named = {
        row["id"]: (row["relationships"]["primary_campus"]["data"] or {}).get("id")
        for row in api.church.truth("people.people")
    }
    campus = named[str(first)]
    rows = api.everything(PEOPLE, f"&where[primary_campus_id]={campus}")
    assert {row["id"] for row in rows} == {id for id, at in named.items() if at == campus}


def test_an_order_by_id_is_by_number(api: Api) -> None:
    ids = api.ids("/people/v2/notes?per_page=100&order=-id")
    assert ids == sorted(ids, reverse=True)
    assert len(str(ids[0])) > len(str(ids[-1]))


def test_searches_of_people(api: Api) -> None:
    number = next(row for row in api.church.truth("people.phone_numbers") if row["attributes"]["e164"])
    email = api.church.truth("people.emails")[0]
    person = api.get(f"{PEOPLE}/{number['relationships']['person']['data']['id']}")["data"]
    names, e164 = person["attributes"], number["attributes"]["e164"]

    def found(name: str, text: str) -> set[str]:
        return {row["id"] for row in api.everything(PEOPLE, f"&where[{name}]={quote(text)}")}

    both = found("search_name", f"{names['last_name'][:3].upper()} {names['first_name'][:2]}")
    assert person["id"] in both < {str(id) for id in api.ids(f"{PEOPLE}?per_page=100")}
    assert found("search_name", names["last_name"][1:]) == set()
    address = email["attributes"]["address"]
    assert email["relationships"]["person"]["data"]["id"] in found("search_name_or_email", address[1:-4])
    assert found("search_name", address) == set()
    assert person["id"] in found("search_phone_number", e164[-7:])
    assert found("search_phone_number", "none") == set()
    assert person["id"] in found("search_phone_number_e164", e164)
    assert found("search_phone_number_e164", e164[1:]) == set()
    assert person["id"] in found("search_name_or_email_or_phone_number", e164[-7:])


@pytest.mark.parametrize("include", ["notes", "no_such"])
def test_includes_that_the_reference_does_not_name_bring_nothing(api: Api, include: str) -> None:
    page = api.get(f"{PEOPLE}?include={include}&per_page=3")
    assert page["included"] == []
    assert all(include not in row["relationships"] for row in page["data"])


def test_unknown_filters_and_orders_are_ignored_but_echoed(api: Api) -> None:
    page = api.get(f"{PEOPLE}?where[no_such]=x&order=no_such")
    assert page["meta"]["total_count"] == api.get(PEOPLE)["meta"]["total_count"]
    assert page["links"]["self"].endswith("?order=no_such&where[no_such]=x")


@pytest.mark.parametrize("condition", ["grade]=abc", "child]=perhaps", "birthdate]=soon", "updated_at][gte]=soon"])
def test_a_value_of_the_wrong_type_selects_nothing(api: Api, condition: str) -> None:
    page = api.get(f"{PEOPLE}?where[{condition}")
    assert (page["data"], page["meta"]["total_count"]) == ([], 0)


def test_text_filter_is_exact_case_insensitive_and_knows_wildcards(api: Api) -> None:
    someone = api.church.truth("people.people")[10]["attributes"]["last_name"]
    exact = api.everything(PEOPLE, f"&where[last_name]={someone.upper()}")
    assert {row["attributes"]["last_name"] for row in exact} == {someone}
    assert not api.ids(f"{PEOPLE}?where[last_name]={someone[:4]}")
    starting = api.everything(PEOPLE, f"&where[last_name]={someone[:4]}%25")
    assert len(starting) >= len(exact)
    assert {row["attributes"]["last_name"][:4] for row in starting} == {someone[:4]}


def test_number_and_truth_filters(api: Api) -> None:
    children = api.everything(PEOPLE, "&where[child]=true")
    assert children
    assert all(row["attributes"]["child"] is True for row in children)
    grade = next(row["attributes"]["grade"] for row in children if row["attributes"]["grade"] is not None)
    same = api.everything(PEOPLE, f"&where[child]=true&where[grade]={grade}")
    assert {row["attributes"]["grade"] for row in same} == {grade}


@pytest.mark.parametrize("order", ["", "&order=updated_at", "&order=-updated_at", "&order=last_name"])
def test_time_operators_combine(api: Api, order: str) -> None:
    times = sorted(row["attributes"]["updated_at"] for row in api.church.truth("people.people"))
    low, high = times[20], times[-20]
    query = f"&where[updated_at][gt]={low}&where[updated_at][lte]={high}{order}"
    rows = api.everything(PEOPLE, query)
    assert sorted(row["attributes"]["updated_at"] for row in rows) == [each for each in times if low < each <= high]
    if order == "&order=-updated_at":
        found = [(row["attributes"]["updated_at"], int(row["id"])) for row in rows]
        assert found == sorted(found, key=lambda pair: (_negative(pair[0]), pair[1]))


def _negative(time: str) -> list[int]:
    return [-ord(letter) for letter in time]


def test_a_date_means_its_whole_day_where_the_church_is(api: Api) -> None:
    zone = ZoneInfo(api.get("/people/v2")["data"]["attributes"]["time_zone"])
    times = [row["attributes"]["updated_at"] for row in api.church.truth("people.people")]
    days = [datetime.fromisoformat(each).astimezone(zone).date().isoformat() for each in times]
    day = sorted(days)[50]
    on_day = [each for each in days if each == day]
    assert api.get(f"{PEOPLE}?where[updated_at]={day}")["meta"]["total_count"] == len(on_day)
    upto = api.get(f"{PEOPLE}?where[updated_at][lte]={day}")["meta"]["total_count"]
    before = api.get(f"{PEOPLE}?where[updated_at][lt]={day}")["meta"]["total_count"]
    assert upto - before == len(on_day)


def test_a_list_may_have_an_order_of_its_own_until_one_is_requested() -> None:
    api = Api(people=60)
    by_id, by_time = api.ids(f"{PEOPLE}?per_page=100"), api.ids(f"{PEOPLE}?per_page=100&order=updated_at")
    api.trap(own_order=("people.people",))
    own = [int(row["id"]) for row in api.everything(PEOPLE)]
    assert own not in (by_id, by_id[::-1], by_time) and sorted(own) == by_id
    assert api.ids(f"{PEOPLE}?per_page=100&order=no_such_field") == own
    assert api.ids(f"{PEOPLE}?per_page=100&order=updated_at") == by_time


def test_offsets_from_utc_are_ignored(api: Api) -> None:
    moment = sorted(row["attributes"]["updated_at"] for row in api.church.truth("people.people"))[75][:-1]
    expected = api.get(f"{PEOPLE}?where[updated_at][gte]={moment}Z")["meta"]["total_count"]
    assert api.get(f"{PEOPLE}?where[updated_at][gte]={moment}-05:00")["meta"]["total_count"] == expected


def test_cursor_that_is_not_filterable_is_ignored_but_orders(api: Api) -> None:
    path = next(s.path for s in STREAMS.values() if s.cursor == "updated_at" and not s.is_cursor_filterable)
    everything = api.get(path)
    assert "updated_at" not in everything["meta"]["can_query_by"]
    filtered = api.get(f"{path}?where[updated_at][gt]=2100-01-01T00:00:00Z")
    assert filtered["meta"]["total_count"] == everything["meta"]["total_count"]
    newest = [row["attributes"]["updated_at"] for row in api.everything(path, "&order=-updated_at")]
    assert newest == sorted(newest, reverse=True)


def test_child_listing_shows_only_the_parents_own(api: Api) -> None:
    household = api.ids("/people/v2/households")[2]
    page = api.get(f"/people/v2/households/{household}/household_memberships")
    own = [
        row["id"]
        for row in api.church.truth("people.household_memberships")
        if row["relationships"]["household"]["data"]["id"] == str(household)
    ]
    assert [row["id"] for row in page["data"]] == own
    assert page["meta"]["parent"] == {"id": str(household), "type": "Household"}
    assert "household" not in page["data"][0]["relationships"]
    assert api.send("/people/v2/households/5/household_memberships").status == 404


def test_edges_and_to_one_edges(api: Api) -> None:
    email = api.church.truth("people.emails")[5]
    person = email["relationships"]["person"]["data"]["id"]
    assert int(email["id"]) in api.ids(f"{PEOPLE}/{person}/emails")
    assert api.get(f"{PEOPLE}/{person}/emails/{email['id']}")["data"]["id"] == email["id"]
    assert api.get(f"/people/v2/emails/{email['id']}/person")["data"]["id"] == person
    assert api.send(f"{PEOPLE}/{int(person) + 1}/emails/{email['id']}").status == 404


def test_missing_next_trap() -> None:
    api = Api(people=60)
    api.trap(missing_next=("people.people",))
    page = api.get(f"{PEOPLE}?per_page=20")
    assert "next" not in page["links"] and "next" not in page["meta"]
    assert page["meta"]["total_count"] == len(page["data"]) == 20
    assert len(api.ids(f"{PEOPLE}?per_page=20&offset=40")) == 20
    assert api.get(f"{PEOPLE}?per_page=25&offset=50")["meta"]["total_count"] == 60


def test_stuck_total_trap() -> None:
    api = Api(people=60)
    api.trap(stuck_total={"people.people": 30})
    assert len(api.everything(PEOPLE)) == api.get(PEOPLE)["meta"]["total_count"] == 30
    assert api.ids(f"{PEOPLE}?offset=30") == []


def test_silent_product_trap() -> None:
    api = Api(people=10)
    person = api.ids(PEOPLE)[0]
    api.trap(silent_products=("people",))
    page = api.get(PEOPLE)
    assert (page["data"], page["meta"]["total_count"]) == ([], 0)
    assert api.ids(f"{PEOPLE}/{person}/emails") == []
    assert api.send(f"{PEOPLE}/{person}").status == 404
    assert api.get("/people/v2")["data"]["type"] == "Organization"


def test_a_record_names_no_parent_known_only_by_a_path_or_a_linkage() -> None:
    church = Api(people=10).church
    for name, shape in church.shapes.items():
        table = church.table(name)
        alone = [Compound(church, {}).single(table, id) for id in table.ids]
        for shown in (*church.listed(table, table.ids), *alone):
            named = orjson.loads(shown).get("relationships", {}).keys()
            assert not named & {*shape.stream.unshown, *shape.stream.asks_for}, name
        for record in church.truth(name):
            assert record["relationships"].keys() >= set(shape.stream.unshown), name


def test_every_other_new_record_can_be_late() -> None:
    api = Api(people=20)
    api.trap(late_records={"people.households": 240})
    listing = "/people/v2/households?per_page=100"
    before = {row["id"] for row in api.get(listing)["data"]}
    added = {str(id) for id in api.editor.add("people.households", count=2)}
    at_once = {row["id"] for row in api.get(listing)["data"]} - before
    assert len(at_once) == 1
    assert at_once < added
    assert [api.send(f"/people/v2/households/{id}").status for id in sorted(added)].count(404) == 1
    api.center.clock.advance(241)
    assert {row["id"] for row in api.get(listing)["data"]} == before | added
    assert {api.send(f"/people/v2/households/{id}").status for id in added} == {200}


def test_deleted_plans_are_in_a_list_of_their_own_and_by_id_only_where_a_trap_shows_them() -> None:
    api = Api(people=60)
    kind = api.ids("/services/v2/service_types")[0]
    plans, unscoped = (f"/services/v2/service_types/{kind}/{name}" for name in ("plans", "unscoped_plans"))
    living = api.ids(plans)
    assert api.ids(unscoped) == living
    assert api.get(f"{unscoped}?filter=deleted")["meta"]["total_count"] == 0
    api.editor.delete("services.plans", living[1:2])
    assert api.ids(f"{unscoped}?filter=deleted") == living[1:2]
    assert (api.ids(unscoped), api.ids(plans)) == (living, [living[0], *living[2:]])
    assert api.send(f"{plans}/{living[1]}").status == 404
    api.trap(readable_deleted=("services.plans",), ignored_filters=("services.plans",))
    assert api.get(f"{plans}/{living[1]}")["data"]["id"] == str(living[1])
    assert api.ids(f"{unscoped}?filter=deleted") == living
    assert api.send(f"{unscoped.replace(str(kind), '9')}?filter=deleted").status == 404


def test_a_deleted_workflow_has_no_time_of_deletion() -> None:
    api = Api(people=60)
    workflows = "/people/v2/workflows"
    living = api.ids(workflows)
    assert api.ids(f"{workflows}?filter=only_deleted") == []
    api.editor.delete("people.workflows", living[1:2])
    assert api.ids(workflows) == [living[0], *living[2:]]
    assert api.ids(f"{workflows}?filter=only_deleted") == living[1:2]
    assert api.ids(f"{workflows}?filter=with_deleted") == living
    assert {each["attributes"]["deleted_at"] for each in api.everything(workflows, "&filter=with_deleted")} == {None}
    assert api.ids(f"{workflows}/{living[0]}/steps?filter=only_deleted")
