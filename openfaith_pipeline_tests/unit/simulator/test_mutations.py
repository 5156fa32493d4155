"""Changes, and that the truth and every index follow them."""

from typing import Any

import orjson
import pytest

from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.simulator.api import Api

PEOPLE = "/people/v2/people"


@pytest.fixture
def api() -> Api:
    return Api(people=40)


def row(api: Api, stream: str, id: int) -> dict[str, Any]:
    return next(each for each in api.church.truth(stream) if each["id"] == str(id))


def newest(api: Api, path: str = PEOPLE) -> list[int]:
    return api.ids(f"{path}?order=-updated_at&per_page=100")


def test_edit_changes_something_and_moves_updated_at_to_now(api: Api) -> None:
    newest(api)
    for stream in ("people.people", "people.emails", "people.lists"):
        before = {each["id"]: each for each in api.church.truth(stream)}
        (id,) = api.editor.edit(stream)
        after = row(api, stream, id)
        changed = {name for name, value in after["attributes"].items() if before[str(id)]["attributes"][name] != value}
        assert "updated_at" in changed
        assert len(changed) == 2
        assert after["attributes"]["updated_at"] <= api.center.clock.stamp()
        assert newest(api, STREAMS[stream].path)[0] == id


def test_given_attributes_are_taken_as_they_are(api: Api) -> None:
    (id,) = api.editor.edit("people.people", [990], attributes={"grade": "ninth", "brand_new": [1]})
    attributes = api.get(f"{PEOPLE}/{id}")["data"]["attributes"]
    assert (attributes["grade"], attributes["brand_new"]) == ("ninth", [1])
    assert api.ids(f"{PEOPLE}?order=grade")


def test_links_can_be_given_and_follow_deletions(api: Api) -> None:
    (id,) = api.editor.edit("giving.donations", [990], relations={"labels": [987, 985]})
    labels = "relationships", "labels", "data"
    assert linked(row(api, "giving.donations", id), *labels) == ["987", "985"]
    listed = api.get(f"/giving/v2/donations/{id}")["data"]
    assert linked(listed, *labels) == ["987", "985"]
    before = row(api, "giving.donations", id)["attributes"]["updated_at"]
    api.center.clock.advance(60)
    api.editor.delete("giving.labels", [987])
    assert linked(row(api, "giving.donations", id), *labels) == ["985"]
    assert row(api, "giving.donations", id)["attributes"]["updated_at"] > before


def linked(record: dict[str, Any], *path: str) -> list[str]:
    value: Any = record
    for key in path:
        value = value[key]
    return [each["id"] for each in value]


def test_a_record_without_attributes_changes_its_reference(api: Api) -> None:
    before = {each["id"]: each["relationships"] for each in api.church.truth("calendar.required_approvals")}
    (id,) = api.editor.edit("calendar.required_approvals")
    assert row(api, "calendar.required_approvals", id)["relationships"] != before[str(id)]


def test_attributes_can_be_given_up(api: Api) -> None:
    before = api.church.truth("people.emails")
    assert len(api.editor.drop("people.emails", ["location", "blocked"])) == len(before)
    for old, new in zip(before, api.church.truth("people.emails"), strict=True):
        dropped = {"location": old["attributes"]["location"], "blocked": old["attributes"]["blocked"]}
        assert {**new["attributes"], **dropped} == old["attributes"]
        assert not new["attributes"].keys() & dropped.keys()


def test_a_record_that_only_parents_name_is_reached_when_it_is_added_and_gone_when_none_names_it(api: Api) -> None:
    (added,) = api.editor.add("groups.locations")
    assert str(added) in {each["id"] for each in api.church.truth("groups.locations")}
    groups, events = api.church.truth("groups.groups"), api.church.truth("groups.events")
    for stream, rows in (("groups.groups", groups), ("groups.events", events)):
        api.editor.edit(stream, [int(each["id"]) for each in rows], relations={"location": None})
    assert api.church.truth("groups.locations") == []


def test_an_added_record_lies_where_a_path_leads(api: Api) -> None:
    """Slides are listed under the items of plans; templates have items too."""
    assert any(each["relationships"]["plan_template"]["data"] for each in api.church.truth("services.items"))
    added = api.editor.add("services.custom_slides", count=40)
    slides = {
        int(each["id"]): each["relationships"]["plan"]["data"] for each in api.church.truth("services.custom_slides")
    }
    assert all(slides[id] for id in added)


def test_no_parent_can_have_two_records_of_a_relationship_to_one(api: Api) -> None:
    with pytest.raises(ValueError, match=r"another record of groups\.enrollments"):
        api.editor.add("groups.enrollments")
    before = len(api.church.truth("giving.notes"))
    api.editor.add("giving.notes", count=3)
    donations = [each["relationships"]["donation"]["data"]["id"] for each in api.church.truth("giving.notes")]
    assert len(donations) == len(set(donations)) == before + 3


def test_all_records_can_be_edited_at_once(api: Api) -> None:
    assert len(api.editor.edit("people.people", "all", attributes={"new": 1})) == 40
    assert all(each["attributes"]["new"] == 1 for each in api.church.truth("people.people"))


def test_quiet_edit_leaves_updated_at(api: Api) -> None:
    before = row(api, "people.people", 990)["attributes"]["updated_at"]
    api.editor.edit("people.people", [990], attributes={"nickname": "Quiet"}, is_quiet=True)
    after = row(api, "people.people", 990)["attributes"]
    assert (after["nickname"], after["updated_at"]) == ("Quiet", before)


def test_a_new_primary_one_demotes_the_old_one_without_a_new_timestamp(api: Api) -> None:
    old = next(each for each in api.church.truth("people.emails") if each["attributes"]["primary"])
    person, before = int(old["relationships"]["person"]["data"]["id"]), old["attributes"]["updated_at"]
    newer = api.editor.add("people.emails", count=2, relations={"person": person})
    assert row(api, "people.emails", int(old["id"]))["attributes"]["primary"] is True
    for id in newer:
        api.editor.edit("people.emails", [id], attributes={"primary": True})
        primary = [each["id"] for each in api.everything(f"{PEOPLE}/{person}/emails", "&where[primary]=true")]
        assert primary == [str(id)]
    demoted = row(api, "people.emails", int(old["id"]))["attributes"]
    assert (demoted["primary"], demoted["updated_at"]) == (False, before)
    assert row(api, "people.people", person)["attributes"]["updated_at"] > before


def test_time_only_moves_forward(api: Api) -> None:
    first = api.center.clock.now()
    api.center.clock.advance(3600)
    assert api.center.clock.now() >= first + 3600
    with pytest.raises(ValueError, match="forward"):
        api.center.clock.advance(-1)


def test_added_records_have_new_ids_and_living_owners(api: Api) -> None:
    api.ids(f"{PEOPLE}?order=updated_at")
    last = api.ids(f"{PEOPLE}?per_page=100")[-1]
    api.editor.delete("people.people", [last])
    added = api.editor.add("people.people", count=3, attributes={"first_name": "Added"})
    assert added == [last + 1, last + 2, last + 3]
    assert newest(api)[:3] == added
    emails = api.editor.add("people.emails", relations={"person": added[0]})
    assert api.ids(f"{PEOPLE}/{added[0]}/emails") == emails
    assert row(api, "people.emails", emails[0])["attributes"]["primary"] is True


def test_deleted_record_is_gone_with_all_that_belongs_to_it(api: Api) -> None:
    membership = api.church.truth("people.household_memberships")[0]
    person = membership["relationships"]["person"]["data"]["id"]
    assert api.ids(f"{PEOPLE}/{person}/emails") is not None
    api.editor.delete("people.people", [int(person)])
    assert api.send(f"{PEOPLE}/{person}").status == 404
    for name, stream in STREAMS.items():
        for each in api.church.truth(name):
            for relation, target in each["relationships"].items():
                if stream.belongs_to.get(relation) == "people.people" or relation == "customizable":
                    assert not target["data"] or target["data"]["id"] != person, (name, each)
    assert int(person) not in newest(api)


def test_a_reference_to_a_deleted_record_is_emptied_and_reported(api: Api) -> None:
    person = next(each for each in api.church.truth("people.people") if each["relationships"]["primary_campus"]["data"])
    campus = int(person["relationships"]["primary_campus"]["data"]["id"])
    api.editor.delete("people.campuses", [campus])
    after = row(api, "people.people", int(person["id"]))
    assert after["relationships"]["primary_campus"]["data"] is None
    assert after["attributes"]["updated_at"] > person["attributes"]["updated_at"]


def test_household_outlives_its_primary_contact(api: Api) -> None:
    household = api.church.truth("people.households")[0]
    api.editor.delete("people.people", [int(household["attributes"]["primary_contact_id"])])
    after = row(api, "people.households", int(household["id"]))
    assert after["relationships"]["primary_contact"]["data"] is None
    assert after["attributes"]["primary_contact_id"] is None


def test_a_merge_moves_the_persons_records_and_leaves_a_merger(api: Api) -> None:
    emails = api.church.truth("people.emails")
    remove = int(emails[0]["relationships"]["person"]["data"]["id"])
    moved = api.ids(f"{PEOPLE}/{remove}/emails")
    merged = api.editor.merge("people.people", keep=1000, remove=remove)
    assert set(moved) <= set(api.ids(f"{PEOPLE}/1000/emails?per_page=100"))
    assert api.send(f"{PEOPLE}/{remove}").status == 404
    found = api.get(f"/people/v2/person_mergers?where[person_to_remove_id]={remove}")["data"]
    assert [each["id"] for each in found] == [str(merged["merger"])]
    assert found[0]["attributes"]["person_to_keep_id"] == 1000
    members = [
        (each["relationships"]["household"]["data"]["id"], each["relationships"]["person"]["data"]["id"])
        for each in api.church.truth("people.household_memberships")
    ]
    assert len(members) == len(set(members))
    assert str(remove) not in {person for _, person in members}


def test_records_changed_by_a_deletion_or_a_merge_can_keep_their_time(api: Api) -> None:
    api.trap(is_still_along=True)
    email = api.church.truth("people.emails")[0]
    remove = int(email["relationships"]["person"]["data"]["id"])
    api.editor.merge("people.people", keep=1000, remove=remove)
    moved = row(api, "people.emails", int(email["id"]))
    assert moved["relationships"]["person"]["data"]["id"] == "1000"
    assert moved["attributes"]["updated_at"] == email["attributes"]["updated_at"]
    person = next(each for each in api.church.truth("people.people") if each["relationships"]["primary_campus"]["data"])
    api.editor.delete("people.campuses", [int(person["relationships"]["primary_campus"]["data"]["id"])])
    after = row(api, "people.people", int(person["id"]))
    assert after["relationships"]["primary_campus"]["data"] is None
    assert after["attributes"]["updated_at"] == person["attributes"]["updated_at"]


def test_merge_of_two_of_one_household_leaves_one_member(api: Api) -> None:
    household = next(
        each
        for each in api.get("/people/v2/households?per_page=100")["data"]
        if len(each["relationships"]["people"]["data"]) > 2
    )
    remove, keep, *others = (int(each["id"]) for each in household["relationships"]["people"]["data"])
    assert household["attributes"]["primary_contact_id"] == str(remove)
    api.editor.merge("people.people", keep=keep, remove=remove)
    after = api.get(f"/people/v2/households/{household['id']}")["data"]
    assert sorted(int(each["id"]) for each in after["relationships"]["people"]["data"]) == sorted([keep, *others])
    memberships = api.get(f"/people/v2/households/{household['id']}/household_memberships")
    assert memberships["meta"]["total_count"] == len(others) + 1
    assert after["relationships"]["primary_contact"]["data"]["id"] == after["attributes"]["primary_contact_id"]
    assert after["attributes"]["primary_contact_id"] == str(keep)


def test_a_merge_needs_a_stream_that_reports_it(api: Api) -> None:
    with pytest.raises(ValueError, match="no stream has mergers"):
        api.editor.merge("people.emails")


@pytest.mark.parametrize("raw", [None, "not a record", {"type": "Person"}, {"id": "7", "attributes": None}])
def test_anything_can_be_listed_as_a_record(api: Api, raw: Any) -> None:
    api.ids(f"{PEOPLE}?order=updated_at")
    place = api.editor.inject("people.people", raw)
    assert api.get(f"{PEOPLE}?offset=40")["data"] == [raw]
    assert api.church.truth("people.people")[-1] == {"id": str(place), "raw": raw}
    assert api.send(f"{PEOPLE}?include=emails&fields[Person]=name&per_page=100").status == 200
    api.editor.edit("people.people", [990])
    api.editor.delete("people.people", [place])
    assert len(api.church.truth("people.people")) == 40


def test_a_record_put_in_as_it_is_has_no_more_than_it_says(api: Api) -> None:
    raw = {"type": "Signup", "id": "5000", "attributes": {"name": "Put in"}}
    place = api.editor.inject("registrations.signups", raw)
    truth = api.church.truth("registrations.signups")[-1]
    assert truth["attributes"] == raw["attributes"]
    assert truth["relationships"] == {"campuses": {"data": []}, "categories": {"data": []}}
    page = api.get("/registrations/v2/signups?include=campuses,signup_location&per_page=100")["data"][-1]
    assert page["relationships"]["campuses"]["data"] == []
    api.editor.edit("registrations.signups", [place], relations={"campuses": [985]})
    assert api.church.truth("registrations.signups")[-1]["relationships"]["campuses"]["data"][0]["id"] == "985"


def test_household_shows_a_changed_membership(api: Api) -> None:
    household = api.ids("/people/v2/households")[0]
    path = f"/people/v2/households/{household}"
    api.get(path)
    (added,) = api.editor.add("people.household_memberships", relations={"household": household, "person": 1010})
    people = api.get("/people/v2/households")["data"][0]["relationships"]["people"]["data"]
    assert "1010" in [each["id"] for each in people]
    assert added in api.ids(f"{path}/household_memberships")


def test_indexes_follow_every_change(api: Api) -> None:
    attributes = ("updated_at", "last_name", "grade", "child")
    for name in attributes:
        api.ids(f"{PEOPLE}?order={name}")
    for _ in range(25):
        api.editor.edit("people.people", count=2)
        api.editor.add("people.people")
        api.editor.delete("people.people", [api.church.table("people.people").ids[3]])
    fresh = Api(people=0)
    fresh.church.table("people.people").fill(api.church.table("people.people").records())
    for name in attributes:
        for order in (name, f"-{name}"):
            query = f"{PEOPLE}?order={order}&per_page=100"
            assert api.ids(query) == fresh.ids(query)


def test_changes_are_the_same_after_any_requests() -> None:
    """Records are made on first access, and never from the state that a change left behind."""

    def change(api: Api) -> dict[str, list[dict[str, Any]]]:
        api.editor.edit("people.households", "all", relations={"primary_contact": 990})
        for name in ("people.campuses", "services.plans", "giving.labels", "groups.groups", "people.people"):
            api.editor.delete(name, [api.church.table(name).ids[0]])
            api.editor.edit(name)
        api.editor.add("services.items", count=3)
        api.editor.merge("people.people")
        return {name: [timeless(each) for each in api.church.truth(name)] for name in STREAMS}

    def timeless(row: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in row["attributes"].items() if name[-3:] != "_at"}
        return {**row, "attributes": kept}

    assert change(Api(people=50)) == change(Api(people=50, is_warm=True))


def test_results_of_a_filter_are_not_remembered_too_long(api: Api) -> None:
    query = f"{PEOPLE}?where[nickname]=Remembered"
    assert api.ids(query) == []
    api.editor.edit("people.people", [990], attributes={"nickname": "Remembered"})
    assert api.ids(query) == [990]
    api.editor.edit("people.people", [990], attributes={"nickname": None})
    assert api.ids(query) == []


def test_listing_equals_truth_after_changes(api: Api) -> None:
    api.editor.edit("people.emails", count=3)
    api.editor.merge("people.people")
    api.editor.add("people.emails", count=2)
    listed = {each["id"]: each for each in api.everything("/people/v2/emails")}
    truth = api.church.truth("people.emails")
    assert list(listed) == [each["id"] for each in truth]
    for each in truth:
        assert orjson.dumps(listed[each["id"]]["attributes"]) == orjson.dumps(each["attributes"])
        assert listed[each["id"]]["relationships"] == each["relationships"]
