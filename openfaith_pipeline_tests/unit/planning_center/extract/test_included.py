"""Included records are sorted into their streams and get their parents; a broken one hinders no other."""

from typing import Any

import pytest

from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.planning_center.extract.included import Answer, left_out, sort_records
from openfaith_pipeline.sources import STREAMS

PEOPLE, EMAILS = STREAMS["people.people"], STREAMS["people.emails"]
[WALK] = plan_walks([PEOPLE, EMAILS], STREAMS, is_full=False)
[ROUTE] = WALK.routes


def _person(identifier: str, *emails: str) -> dict[str, Any]:
    named = {"emails": {"data": [{"type": "Email", "id": email} for email in emails]}}
    return {"type": "Person", "id": identifier, "attributes": {}, "relationships": named}


def test_children_are_given_the_parent_that_names_them() -> None:
    rows = [_person("1", "7", "8"), _person("2", "9")]
    included = [{"type": "Email", "id": each} for each in ("9", "8", "7")]
    found = sort_records(ROUTE, WALK.streams, Answer(rows, rows, included), {})
    assert found["people.people"] == [Record(row, {}) for row in rows]
    assert [record.parents for record in found["people.emails"]] == [{"person": "2"}, {"person": "1"}, {"person": "1"}]


def test_a_named_record_that_is_lacking_is_reported() -> None:
    rows = [_person("1", "7", "8"), _person("2", "8")]
    assert [identifier for _, identifier in left_out(ROUTE, rows, [{"type": "Email", "id": "7"}])] == ["8"]


@pytest.mark.parametrize("broken", [[], {}, 5, None, "Unknown"])
def test_a_record_of_no_usable_type_stops_nothing(broken: Any) -> None:
    rows = [_person("1", "7"), {"type": broken, "id": broken, "relationships": {"emails": {"data": broken}}}, broken]
    included = [{"type": broken, "id": "3"}, {"type": "Email", "id": "7"}, broken]
    found = sort_records(ROUTE, WALK.streams, Answer(rows, rows, included), {})
    assert found["people.people"] == [Record(row, {}) for row in rows]
    assert found["people.emails"] == [Record(included[1], {"person": "1"})]
    assert left_out(ROUTE, rows, included) == []
