"""The declarations follow OpenFaith's plan except for named differences, each with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from openfaith_pipeline.canonical.plan import Form, form_of, streams_of_type
from openfaith_pipeline.canonical.rules import Presence
from openfaith_pipeline.planning_center.mapping.plan import PLAN
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.streams.not_synced import NOT_SYNCED
from openfaith_pipeline.sources import CANONICAL

MAPPING = Path(__file__).parents[4] / "shared/openfaith-model/mapping.json"


def test_a_difference_from_the_plan_is_named() -> None:
    different = {
        (product, type_): (planned.value, found.value)
        for product, type_, planned in PLAN.planned()
        if (found := form_of(CANONICAL, product, type_)) is not planned
    }
    missing = {(product, type_) for product, types in PLAN.not_yet.items() for type_ in types.split()}
    named = {(product, type_) for product, types in PLAN.differences.items() for type_ in types}
    unread = {(product, type_) for product, types in NOT_SYNCED.items() for type_ in types}
    assert not missing & (named | unread)
    assert different.keys() - missing - unread <= named
    assert {each for each in missing if different.get(each, ("", ""))[1] != Form.SKIP} == set(), "mapped by now"


def test_a_record_that_is_archived_or_deleted_but_listed_is_inactive() -> None:
    for name, entity in CANONICAL.entities.items():
        ends = entity.stream.attributes.keys() & {"archived_at", "deleted_at"}
        status = entity.columns.get("status")
        counted = {status.attribute, status.also} if isinstance(status, Presence) else set()
        assert ends <= counted, name
        if ends:
            assert ends <= {*entity.columns["inactivatedAt"].attributes}, name


@pytest.mark.skipif(not MAPPING.exists(), reason="only where OpenFaith's own plan is at hand")
def test_the_plan_is_openfaiths() -> None:
    theirs = list(_theirs())
    assert len(theirs) == 170
    assert {(product, each["type"], each["as"]) for product, each in theirs} == set(PLAN.planned())
    for product, each in theirs:
        if PLAN.is_missing(product, each["type"]):
            continue
        if not PLAN.reason(product, each["type"]):
            _check_particulars(product, each)
        elif form_of(CANONICAL, product, each["type"]) == each["as"]:
            with pytest.raises(AssertionError):
                _check_particulars(product, each)


def _theirs() -> Any:
    for product, types in json.loads(MAPPING.read_text())["products"].items():
        yield from ((Product(product.replace("-", "_")), each) for each in types)


def _check_particulars(product: Product, planned: dict[str, Any]) -> None:
    """The folder's type, an edge's ends and a field's owners."""
    names = [stream.name for stream in streams_of_type(CANONICAL, product, planned["type"])]
    for name in names:
        if "folder_type" in planned:
            assert CANONICAL.entities[name].columns["folderType"].value == planned["folder_type"], name
        if "between" in planned:
            edge = CANONICAL.edges[name]
            kinds = [each for each in CANONICAL.relationships if each.edge is edge and each.is_edge]
            ends = [{each.owner.stream.type, each.target.stream.type} for each in kinds]
            assert {*planned["between"]} in ends, name
        if "on" in planned:
            owners = {each.on.type for each in CANONICAL.fields if each.stream.name == name}
            assert owners <= {*planned["on"]} or planned["on"] == ["Edge"], name
