"""Every envelope equals the recorded one of production, key for key. Skips where the recordings are not at hand."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from openfaith_pipeline.simulator import ChurchSpec, Faults, RateLimit, Script
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.simulator.api import ORG, Api, error_of

SAMPLES = Path(__file__).parents[4] / "shared" / "pco-api" / "samples"
NESTED = "inc_nested_with_fieldset"
COLLECTIONS = (
    "addresses_collection",
    "emails_collection",
    "err_unknown_filter",
    "err_unknown_order",
    "field_data_collection",
    "field_definitions_collection",
    "households_collection",
    NESTED,
    "page_exactly_at_end",
    "page_first_single",
    "page_per_page_zero",
    "people_collection_default",
    "people_offset_beyond_total",
    "people_order_updated_at_desc",
    "people_per_page_over_max",
    "people_sparse_fieldset",
    "people_updated_at_after",
    "people_where_status_inactive",
    "phone_numbers_collection",
    "ref_campuses_empty",
    "ref_marital_statuses",
)
ABILITIES = ("can_query_by", "can_order_by", "can_filter", "can_include")
ERRORS = ("err_household_memberships_top_level", "err_unknown_collection", "people_not_found")

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recorded responses are not here")


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(people=600)


def sample(name: str) -> Any:
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


def target_of(request: dict[str, str], total: int) -> str:
    """The recorded request, its times and offsets moved to where the simulated church has as much to show."""
    query = request["query"].replace("2026-05-17T19:47:57Z", "2024-01-01T00:00:00Z")
    query = query.replace("offset=1915", f"offset={total}")
    return f"/people/v2{request['path']}?{query}".rstrip("?")


def keys(value: Any) -> Any:
    """Keys at every depth; of lists, all keys of their members together."""
    if isinstance(value, dict):
        return {key: keys(member) for key, member in value.items()}
    if isinstance(value, list):
        merged: dict[str, Any] = {}
        for member in value:
            if isinstance(member, dict):
                merged.update(keys(member))
        return [merged] if merged else []
    return None


def resource_keys(resource: dict[str, Any]) -> tuple[set[str], ...]:
    parts = ("attributes", "relationships", "links")
    return set(resource), *(set(resource.get(part, ())) for part in parts)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_collection_equals_the_recorded_one(api: Api, name: str) -> None:
    recorded = sample(name)
    total = api.get("/people/v2/people")["meta"]["total_count"]
    made = api.get(target_of(recorded["request"], total))
    body = recorded["response"]["body"]
    assert set(made) == set(body)
    assert set(made["links"]) == set(body["links"])
    assert set(made["meta"]) == set(body["meta"])
    assert keys(made["meta"].get("next")) == keys(body["meta"].get("next"))
    assert keys(made["meta"].get("prev")) == keys(body["meta"].get("prev"))
    assert made["meta"]["parent"].keys() == body["meta"]["parent"].keys()
    for ability in ABILITIES:
        assert made["meta"].get(ability) == body["meta"].get(ability), ability
    if body["data"] and name != NESTED:  # its records show only relationships found through them
        assert resource_keys(made["data"][0]) == resource_keys(body["data"][0])


@pytest.mark.parametrize("name", COLLECTIONS)
def test_paging_links_are_written_as_recorded(api: Api, name: str) -> None:
    recorded = sample(name)
    total = api.get("/people/v2/people")["meta"]["total_count"]
    made = api.get(target_of(recorded["request"], total))
    for place, link in recorded["response"]["body"]["links"].items():
        expected = link.replace("https://api.planningcenteronline.com", "http://planning.center")
        expected = expected.replace("2026-05-17T19%3A47%3A57Z", "2024-01-01T00%3A00%3A00Z")
        expected = expected.replace("offset=1915", f"offset={total}").replace("offset=1910", f"offset={total - 5}")
        assert made["links"][place] == expected


@pytest.mark.parametrize("name", ["households_single", "single_email"])
def test_single_equals_the_recorded_one(api: Api, name: str) -> None:
    recorded = sample(name)
    collection = recorded["request"]["path"].rsplit("/", 1)[0]
    made = api.get(f"/people/v2{collection}/{api.ids(f'/people/v2{collection}')[3]}")
    body = recorded["response"]["body"]
    assert made["meta"].get("can_include") == body["meta"].get("can_include")
    assert keys(made) == keys(body)


def test_single_with_includes_equals_the_recorded_one(api: Api) -> None:
    body = sample("people_single_include_contacts")["response"]["body"]
    person = next(row["relationships"]["person"]["data"]["id"] for row in api.everything("/people/v2/phone_numbers"))
    made = api.get(f"/people/v2/people/{person}?include=emails,phone_numbers,households")
    assert set(made) == set(body)
    assert set(made["meta"]) == set(body["meta"])
    assert resource_keys(made["data"])[:3] == resource_keys(body["data"])[:3]
    assert set(made["data"]["links"]) <= set(body["data"]["links"])
    for name, relationship in body["data"]["relationships"].items():
        assert set(made["data"]["relationships"][name]) == set(relationship)


def test_merger_equals_the_recorded_one(api: Api) -> None:
    recorded = sample("person_merger_where")["body"]["data"][0]
    made = api.get("/people/v2/person_mergers?per_page=1")["data"][0]
    assert keys(made) == keys(recorded)
    assert isinstance(made["attributes"]["person_to_keep_id"], int)
    assert made["relationships"]["person_to_keep"]["data"]["id"] == str(made["attributes"]["person_to_keep_id"])


def test_nested_include_shows_on_the_record_as_recorded() -> None:
    api = Api(people=60)
    query = "include=field_data.field_definition&fields[FieldDefinition]=name&per_page=100"
    body = sample(NESTED)["response"]["body"]
    with_data = next(row for row in body["data"] if row["relationships"]["field_data"]["data"])
    made = api.get(f"/people/v2/people?{query}")
    lifted = next(row for row in made["data"] if row["relationships"]["field_data"]["data"])
    for name in ("field_data", "field_definition"):
        assert keys(lifted["relationships"][name]) == keys(with_data["relationships"][name])
    by_type = {row["type"]: row for row in made["included"]}
    for row in body["included"]:
        assert keys(by_type[row["type"]]) == keys(row)


@pytest.mark.parametrize("name", ERRORS)
def test_not_found_equals_the_recorded_one(api: Api, name: str) -> None:
    recorded = sample(name)
    answer = api.send(target_of(recorded["request"], 0))
    assert (answer.status, answer.content_type) == (404, "application/json")
    assert orjson.loads(answer.body) == recorded["response"]["body"]


def test_errors_equal_the_recorded_ones() -> None:
    api = Api(ChurchSpec(ORG, granted=("people",)), faults=Faults(), rate_limit=RateLimit(limit=3))
    api.center.faults.add(Script(answer="server_error"))
    assert orjson.loads(api.send("/people/v2/people").body) == sample("err_500")["body"]
    assert orjson.loads(api.send("/giving/v2/donations").body) == sample("err_401_trash_panda")["body"]
    api.trap(forbidden_streams=("people.people",))
    assert keys(orjson.loads(api.send("/people/v2/people").body)) == keys(sample("err_403_vertex")["body"])
    refused = api.send("/people/v2/people")
    recorded = sample("err_429_docs")
    assert set(error_of(refused)) == set(sample("err_429_high_offset")["body"]["errors"][0])
    assert {name.lower() for name in refused.headers} == set(recorded["headers"]) - {"content-type", "content-length"}
    assert refused.headers["X-PCO-API-Request-Rate-Period"] == recorded["headers"]["x-pco-api-request-rate-period"]


def test_every_recorded_type_is_served() -> None:
    """A recording that no declaration answers to would be left out of the tests above without a word."""
    paths = {f"/people/v2{sample(name)['request']['path']}" for name in COLLECTIONS}
    assert paths <= {stream.path for stream in STREAMS.values()}
