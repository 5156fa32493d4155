"""Encoding by columns yields the same bytes as by rows; unusual pages are left to the encoding by rows."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.load.columns import ColumnEncoder
from openfaith_pipeline.load.rows import RowEncoder
from openfaith_pipeline.simulator import running_simulator
from openfaith_pipeline.sources import STREAMS

PEOPLE, ANSWERS = STREAMS["people.people"], STREAMS["people.field_data"]
DONATIONS = STREAMS["giving.donations"]  # has to-many relationships

_ODD_TEXTS = ("", "\\N", "a\\b", "tab\there", "line\nbreak", "\x00", "\ud800", "é ü", "\u00a0", "\u0662\u0660-02-28")
_ODD_MOMENTS = ("2026-02-30", "2026-02-28", "2026-02-28T23:59:59Z", "2026-02-30T00:00:00Z")
_ODD_OTHERS = (None, 5, -1, 2**63, 2**70, 1.5, 1e300, True, False, [1], {})
_ODD: st.SearchStrategy[Any] = st.sampled_from([*_ODD_TEXTS, *_ODD_MOMENTS, *_ODD_OTHERS])
_LIKELY = {
    ColumnType.TEXT: st.text(max_size=8) | st.none(),
    ColumnType.INTEGER: st.integers(-(2**65), 2**65) | st.none(),
    ColumnType.FLOAT: st.floats() | st.integers() | st.none(),
    ColumnType.BOOLEAN: st.booleans() | st.none(),
    ColumnType.DATE: st.dates().map(str) | st.none(),
    ColumnType.TIMESTAMP: st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")) | st.none(),
    ColumnType.JSON: st.none() | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
}


@st.composite
def _records(draw: st.DrawFn, stream: Stream, *, is_odd: bool) -> Record:
    values = {name: _LIKELY[kind] | _ODD if is_odd else _LIKELY[kind] for name, kind in stream.attributes.items()}
    attributes = {name: draw(value) for name, value in values.items()}
    targets = st.none() | st.fixed_dictionaries({"type": st.just("Person"), "id": st.text(max_size=4)})
    several = st.none() | st.lists(targets | _ODD if is_odd else targets, max_size=3)
    relationships = {name: {"data": draw(targets)} for name in stream.belongs_to}
    relationships |= {name: {"data": draw(several)} for name in stream.has_many}
    if is_odd:
        left_out = draw(st.sets(st.sampled_from([*attributes]), max_size=2))
        unknown = draw(st.dictionaries(st.just("one the catalog does not know"), _ODD, max_size=1))
        attributes = {name: value for name, value in attributes.items() if name not in left_out} | unknown
        linkages = st.sampled_from([None, "data", {}, {"data": "id"}, {"data": []}, {"data": [{"id": "1"}]}])
        for name in relationships:
            relationships[name] = draw(st.just(relationships[name]) | linkages)
    identifier = draw(st.integers(1, 10**9).map(str) | (_ODD if is_odd else st.nothing()))
    resource = {"type": stream.type, "id": identifier, "attributes": attributes, "relationships": relationships}
    return Record(resource, {"person": "7"})


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.sampled_from([PEOPLE, ANSWERS, DONATIONS, STREAMS["people.campuses"], STREAMS["people.households"]]),
    st.booleans(),
)
def test_equal_to_the_rows_or_left_to_them(data: st.DataObject, stream: Stream, is_odd: bool) -> None:
    page = data.draw(st.lists(_records(stream, is_odd=is_odd), max_size=3))
    encoder = RowEncoder(stream)
    by_rows = encoder.encode_by_rows(page)
    assert encoder.encode(page) == by_rows
    found = encoder._by_columns.encode(page)
    assert found is None or (found[0], []) == (by_rows.lines, by_rows.issues)


@pytest.mark.parametrize(
    "extra", [{"attributes": {"new": 1}}, {"relationships": {"x": {"data": {"type": "Y", "id": "1"}}}}]
)
def test_values_that_the_catalog_does_not_know_are_left_to_the_rows(extra: dict[str, Any]) -> None:
    resource = {"type": "Campus", "id": "1", "attributes": {}, "relationships": {}, **extra}
    encoder = RowEncoder(STREAMS["people.campuses"])
    assert encoder._by_columns.encode([Record(resource, {})]) is None
    assert "_extra" not in encoder.encode([Record(resource, {})]).lines[0]


def test_an_unknown_attribute_beside_all_that_are_declared_is_kept() -> None:
    attributes = {**dict.fromkeys(PEOPLE.attributes), "new": 1}
    page = [Record({"type": "Person", "id": "1", "attributes": attributes, "relationships": {}}, {})]
    assert RowEncoder(PEOPLE)._by_columns.encode(page) is None
    assert '{"new":1}' in RowEncoder(PEOPLE).encode(page).lines[0]


def test_links_are_written_as_they_are_by_rows() -> None:
    labels = {"labels": {"data": [{"type": "Label", "id": "7"}, {"type": "Label", "id": None}]}}
    page = [Record({"type": DONATIONS.type, "id": "1", "attributes": {}, "relationships": labels}, {})]
    found = RowEncoder(DONATIONS)._by_columns.encode(page)
    assert found and found[0] == RowEncoder(DONATIONS).encode_by_rows(page).lines
    assert '{"labels":["7"]}' in found[0][0]


def test_the_pages_of_a_church_are_ordinary() -> None:
    """All pages of people, their details and donations are encoded by columns, so the faster way is really used."""
    names = ("people", "emails", "phone_numbers", "addresses", "field_data", "households")
    streams = [DONATIONS, *(STREAMS[f"people.{name}"] for name in names)]
    with running_simulator() as simulator:
        org_id = simulator.churches()[0]["org_id"]
        for stream in streams:
            records = [Record(each, {}) for each in simulator.truth(org_id, stream.name)]
            assert RowEncoder(stream)._by_columns.encode(records) is not None, stream.name


def test_json_is_written_as_it_is_by_rows() -> None:
    encoder = ColumnEncoder(PEOPLE, lambda value: f"<{value}>")
    flags = {"resource_permission_flags": {"a": 1}}
    found = encoder.encode([Record({"type": "Person", "id": "1", "attributes": flags, "relationships": {}}, {})])
    assert found and "<{'a': 1}>" in found[0][0]
