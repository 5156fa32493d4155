"""Parameters without an effect are found in the log."""

import orjson
import pytest

from openfaith_pipeline.simulator.api import HttpRequest
from openfaith_pipeline.simulator.control import Control
from openfaith_pipeline_tests.unit.simulator.api import Api

PEOPLE = "/people/v2/people"


@pytest.fixture
def api() -> Api:
    return Api(people=12)


def ignored(api: Api, target: str) -> set[str]:
    assert api.send(target).status == 200
    found = orjson.loads(Control(api.center).answer(HttpRequest("GET", "/_control/ignored", {})).body)
    assert set(found.values()) <= {target}
    return set(found)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("where[name]=x", {"where[name]"}),
        ("where[emails][address]=x", {"where[emails][address]"}),
        ("order=name,-updated_at", {"order=name"}),
        ("filter=archived", {"filter=archived"}),
        ("include=emails,notes,emails.person", {"include=notes", "include=emails.person"}),
        ("include=field_data.field_definition.no_such", set()),  # no deeper than two levels
        ("include=field_data.no_such", {"include=field_data.no_such"}),
        ("fields[Person]=name,no_such&fields[Email]=address", {"fields[Person]=no_such"}),
        ("fields[Person]=emails,created_at", set()),
        ("where[updated_at][gte]=2026-01-01&order=-updated_at&per_page=3&offset=2&include=households", set()),
        ("where[id]=1&where[search_name]=x", set()),
        ("filter=admins", {"filter=admins"}),  # which Planning Center has, and the simulator does not
    ],
)
def test_of_a_list(api: Api, query: str, names: set[str]) -> None:
    assert ignored(api, f"{PEOPLE}?{query}") == {f"people.people: {name}" for name in names}


@pytest.mark.parametrize(
    "target",
    [
        "/people/v2/field_definitions?filter=include_deleted&include=field_options",
        "/people/v2/forms?filter=archived",
        "/people/v2/workflows?filter=only_deleted",
        "/groups/v2/groups?where[archive_status]=include",
        "/groups/v2/events?where[group][archive_status]=include",
        "/services/v2/songs?where[hidden]=true",
        "/services/v2/service_types/985/unscoped_plans?filter=deleted",
        f"{PEOPLE}/985?include=emails&fields[Person]=name",
        f"{PEOPLE}/985/emails?order=updated_at",
    ],
)
def test_parameters_with_an_effect(api: Api, target: str) -> None:
    assert ignored(api, target) == set()


def test_a_single_record_is_neither_filtered_nor_ordered(api: Api) -> None:
    assert ignored(api, f"{PEOPLE}/985?order=updated_at&where[id]=3") == {
        "people.people: order",
        "people.people: where[id]",
    }
