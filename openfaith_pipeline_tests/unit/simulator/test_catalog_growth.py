"""Declarations the room has never seen are served by it: deep walks, singletons, two-level includes, trees."""

from pathlib import Path
from types import MappingProxyType

import pytest

from openfaith_pipeline import simulator
from openfaith_pipeline.catalog.stream import INTEGER, TEXT, TIMESTAMPS, Population, Stream
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS as CATALOG
from openfaith_pipeline_tests.unit.simulator.api import Api

SERVICES = Product.SERVICES
DECLARED = (
    Stream(product=SERVICES, type="Organization", path="/services/v2", table="organizations", is_singleton=True,
           attributes={"name": TEXT}),
    Stream(product=SERVICES, type="Folder", path="/services/v2/folders", attributes={"name": TEXT},
           belongs_to={"parent": "services.folders", "campus": None}, population=Population(12)),
    Stream(product=SERVICES, type="ServiceType", path="/services/v2/service_types", attributes={"name": TEXT},
           population=Population(3)),
    Stream(product=SERVICES, type="PublicView", path="/services/v2/service_types/{service_type_id}/public_view",
           attributes={"items": TEXT}, is_singleton=True, belongs_to={"service_type": "services.service_types"}),
    Stream(product=SERVICES, type="Plan", path="/services/v2/service_types/{service_type_id}/plans",
           attributes={"title": TEXT, **TIMESTAMPS}, cursor="updated_at",
           belongs_to={"service_type": "services.service_types"},
           population=Population(4, per="services.service_types")),
    Stream(product=SERVICES, type="Item", path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/items",
           attributes={"title": TEXT, "sequence": INTEGER},
           belongs_to={"service_type": "services.service_types", "plan": "services.plans"},
           population=Population(5, per="services.plans")),
    Stream(product=SERVICES, type="ItemNote", carried_as="item_notes", attributes={"content": TEXT},
           path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/items/{item_id}/item_notes",
           belongs_to={"service_type": "services.service_types", "plan": "services.plans", "item": "services.items"},
           population=Population(2, per="services.items")),
    Stream(product=SERVICES, type="NoteFlag", carried_as="flags", attributes={"color": TEXT}, table="note_flags",
           path="/services/v2/item_notes/{item_note_id}/flags", belongs_to={"item_note": "services.item_notes"},
           population=Population(1, per="services.item_notes")),
    Stream(product=SERVICES, type="Attachment", path="/services/v2/attachments", attributes={"filename": TEXT},
           belongs_to={"attachable": None}, population=Population(9)),
    Stream(product=SERVICES, type="Tag", path="/services/v2/tags", attributes={"name": TEXT},
           also_under=("/services/v2/folders/{folder_id}/tags",), belongs_to={"folder": "services.folders"},
           population=Population(10)),
)  # fmt: skip
STREAMS = MappingProxyType({stream.name: stream for stream in DECLARED})


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(streams=STREAMS, abilities={})


def test_singletons(api: Api) -> None:
    organization = api.get("/services/v2")["data"]
    assert (organization["type"], organization["id"]) == ("Organization", str(api.spec.organization_id))
    assert api.church.truth("services.organizations")[0]["id"] == organization["id"]
    view = api.get("/services/v2/service_types/986/public_view")["data"]
    assert view["type"] == "PublicView"
    truth = {row["id"]: row["relationships"] for row in api.church.truth("services.public_view")}
    assert truth[view["id"]] == {"service_type": {"data": {"type": "ServiceType", "id": "986"}}}
    assert api.send("/services/v2/service_types/5/public_view").status == 404


def test_walks_to_depth_three_reach_every_record(api: Api) -> None:
    found: set[str] = set()
    for service_type in api.ids("/services/v2/service_types"):
        plans = f"/services/v2/service_types/{service_type}/plans"
        for plan in api.ids(f"{plans}?per_page=100"):
            page = api.get(f"{plans}/{plan}/items?per_page=100")
            assert page["meta"]["parent"] == {"id": str(plan), "type": "Plan"}
            for item in page["data"]:
                assert item["links"]["self"] == f"http://planning.center{plans}/{plan}/items/{item['id']}"
                found |= {str(id) for id in api.ids(f"{plans}/{plan}/items/{item['id']}/item_notes")}
                assert api.get(f"{plans}/{plan}/items/{item['id']}")["data"]["id"] == item["id"]
    assert found == {row["id"] for row in api.church.truth("services.item_notes")}
    assert found


def test_child_only_types_have_no_top_level_listing(api: Api) -> None:
    assert api.send("/services/v2/plans").status == 404
    assert api.send("/services/v2/items").status == 404


def test_a_parent_is_not_found_under_a_wrong_ancestor(api: Api) -> None:
    plan = api.church.truth("services.plans")[0]
    other = next(
        id
        for id in api.ids("/services/v2/service_types")
        if str(id) != plan["relationships"]["service_type"]["data"]["id"]
    )
    assert api.send(f"/services/v2/service_types/{other}/plans/{plan['id']}").status == 404
    assert api.send(f"/services/v2/service_types/{other}/plans/{plan['id']}/items").status == 404


def test_truth_names_every_ancestor(api: Api) -> None:
    plans = {
        row["id"]: row["relationships"]["service_type"]["data"]["id"] for row in api.church.truth("services.plans")
    }
    items = api.church.truth("services.items")
    assert items
    for row in items:
        relationships = row["relationships"]
        assert plans[relationships["plan"]["data"]["id"]] == relationships["service_type"]["data"]["id"]


def test_two_levels_of_declared_includes(api: Api) -> None:
    note = api.church.truth("services.item_notes")[0]["relationships"]
    path = f"/services/v2/service_types/{note['service_type']['data']['id']}/plans/{note['plan']['data']['id']}/items"
    page = api.get(f"{path}?include=item_notes.flags&per_page=100")
    kinds = {row["type"] for row in page["included"]}
    assert "ItemNote" in kinds
    named = {each["id"] for row in page["data"] for each in row["relationships"]["item_notes"]["data"]}
    assert named == {row["id"] for row in page["included"] if row["type"] == "ItemNote"}
    flags = {
        each["id"]
        for row in page["included"]
        if row["type"] == "ItemNote"
        for each in row["relationships"]["flags"]["data"]
    }
    assert flags == {row["id"] for row in page["included"] if row["type"] == "NoteFlag"}


def test_a_listing_at_top_level_leaves_out_records_under_parents(api: Api) -> None:
    top = api.ids("/services/v2/tags?per_page=100")
    under = [id for folder in api.ids("/services/v2/folders") for id in api.ids(f"/services/v2/folders/{folder}/tags")]
    truth = {int(row["id"]): row["relationships"]["folder"]["data"] for row in api.church.truth("services.tags")}
    assert top == [id for id, folder in truth.items() if folder is None]
    assert sorted(under) == [id for id, folder in truth.items() if folder is not None]
    assert top and under


def test_trees_have_no_loops(api: Api) -> None:
    parents = {row["id"]: row["relationships"]["parent"]["data"] for row in api.church.truth("services.folders")}
    assert any(parents.values())
    assert all(int(parent["id"]) < int(id) for id, parent in parents.items() if parent)


def test_polymorphic_relations_point_to_more_than_one_type(api: Api) -> None:
    targets = [row["relationships"]["attachable"]["data"] for row in api.church.truth("services.attachments")]
    assert len({target["type"] for target in targets if target}) > 1


def test_deleting_a_record_takes_its_whole_tree() -> None:
    api = Api(streams=STREAMS, abilities={})
    api.editor.delete("services.service_types", [985])
    for name in ("services.plans", "services.items", "services.item_notes", "services.public_view"):
        rows = api.church.truth(name)
        assert rows
        assert all(row["relationships"]["service_type"]["data"]["id"] != "985" for row in rows)


def test_links_follow_a_merge() -> None:
    team = Stream(product=Product.PEOPLE, type="Team", path="/people/v2/teams", attributes={"name": TEXT},
                  has_many={"members": "people.people"}, population=Population(4))  # fmt: skip
    api = Api(people=20, streams=MappingProxyType({**CATALOG, team.name: team}))
    api.editor.edit(team.name, [985], relations={"members": [990, 991, 992]})
    api.editor.edit(team.name, [986], relations={"members": [992, 990]})
    api.editor.merge("people.people", keep=991, remove=990)
    members = [row["relationships"]["members"]["data"] for row in api.church.truth(team.name)]
    assert [[each["id"] for each in named] for named in members[:2]] == [["991", "992"], ["992", "991"]]


def test_records_can_be_added_at_every_depth() -> None:
    api = Api(streams=STREAMS, abilities={})
    for name in STREAMS:
        if not STREAMS[name].is_singleton:
            before = len(api.church.truth(name))
            api.editor.add(name)
            assert len(api.church.truth(name)) == before + 1


def test_the_room_names_no_stream() -> None:
    sources = {path.name: path.read_text() for path in Path(simulator.__file__).parent.glob("*.py")}
    named = [(file, name) for file, source in sources.items() for name in CATALOG if f'"{name}"' in source]
    assert sources
    assert named == []
