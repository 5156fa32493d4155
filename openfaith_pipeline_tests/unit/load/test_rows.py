"""Typing of records: fitting values are stored unchanged, others are kept with the reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.load.rows import RowEncoder
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.text import exact_json

EMAILS = STREAMS["people.emails"]
COLUMNS = ["position", "id", *EMAILS.columns, "_extra", "_content_hash"]


def email(**attributes: Any) -> dict[str, Any]:
    return {
        "type": "Email",
        "id": "1",
        "attributes": {"address": "a@example.org", "primary": True, **attributes},
        "relationships": {"person": {"data": {"type": "Person", "id": "7"}}},
    }


def encode(resource: Any, **parents: str) -> tuple[dict[str, str] | None, list[tuple[str | None, str | None, str]]]:
    encoded = RowEncoder(EMAILS).encode([Record(resource, parents)])
    issues = [(issue.record_id, issue.field, issue.reason) for issue in encoded.issues]
    if not encoded.lines:
        return None, issues
    return dict(zip(COLUMNS, encoded.lines[0].rstrip("\n").split("\t"), strict=True)), issues


def test_a_good_record_is_typed() -> None:
    line, issues = encode(email(created_at="2026-01-02T03:04:05Z"))
    assert line is not None and not issues
    assert (line["id"], line["person_id"], line["address"], line["primary"]) == ("1", "7", "a@example.org", "t")
    assert (line["created_at"], line["location"], line["_extra"]) == ("2026-01-02T03:04:05Z", r"\N", r"\N")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("created_at", "yesterday"),
        ("created_at", 5),
        ("primary", "yes"),
        ("address", {"a": 1}),
        ("address", "nul\x00"),
        ("address", "\ud800"),
    ],
)
def test_a_value_that_does_not_fit_is_left_out_and_the_record_goes_on(attribute: str, value: Any) -> None:
    line, issues = encode(email(**{attribute: value}))
    assert line is not None and line[attribute] == r"\N" and line["id"] == "1"
    [(record_id, field, reason)] = issues
    assert (record_id, field) == ("1", attribute) and reason


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "x",
        {},
        {"type": "Email", "attributes": {}},
        {"type": "Email", "id": 5},
        {"type": "Email", "id": ""},
        {"type": "Email", "id": "a\nb"},
        {"type": "Person", "id": "5"},
        {"type": "Email", "id": "5", "attributes": [1]},
        {"type": "Email", "id": "5", "relationships": "x"},
    ],
)
def test_a_record_without_shape_is_reported_whole(broken: Any) -> None:
    line, issues = encode(broken)
    assert line is None
    assert len(issues) == 1 and issues[0][1] is None


def test_a_bad_record_does_not_hold_up_its_page() -> None:
    encoded = RowEncoder(EMAILS).encode([Record(None, {}), Record(email(), {}), Record({"id": 1}, {})])
    assert len(encoded.lines) == 1 and len(encoded.issues) == 2
    assert encoded.lines[0].startswith("1\t")


@pytest.mark.parametrize("attribute", ["unheard_of", "address"])
def test_a_document_that_can_be_read_and_is_too_deep_to_be_written_is_set_aside_alone(attribute: str) -> None:
    deep = exact_json.read(b"[" * 1000 + b"]" * 1000)
    encoded = RowEncoder(EMAILS).encode([Record(email(**{attribute: deep}), {"person": "7"}), Record(email(), {})])
    assert len(encoded.lines) == 1 and encoded.lines[0].startswith("1\t")
    [issue] = encoded.issues
    assert (issue.record_id, issue.field, issue.reason) == ("1", None, "nested too deep to be kept")
    assert (json.loads(issue.record), issue.parents) == ({"id": "1"}, {"person": "7"})


def test_unknown_attributes_and_relationships_are_kept() -> None:
    resource = email(shoe_size=44)
    resource["relationships"]["shoe"] = {"data": {"type": "Shoe", "id": "3"}}
    resource["relationships"]["organization"] = {"data": {"type": "Organization", "id": "9"}}
    line, issues = encode(resource)
    assert line is not None and not issues
    assert json.loads(line["_extra"]) == {"shoe_size": 44, "relationships": {"shoe": {"type": "Shoe", "id": "3"}}}


def test_the_hash_is_of_the_stored_values_and_of_nothing_else() -> None:
    def hash_of(resource: Any) -> str:
        line, _ = encode(resource)
        assert line is not None
        return line["_content_hash"]

    same = email()
    same["links"] = {"self": "elsewhere"}
    same["relationships"]["organization"] = {"data": {"type": "Organization", "id": "9"}}
    assert hash_of(same) == hash_of(email())
    assert hash_of(email(blocked=False)) != hash_of(email())
    assert hash_of(email(new=None)) != hash_of(email())


def test_a_parent_of_the_walk_stands_in_for_a_missing_relationship() -> None:
    resource = email()
    del resource["relationships"]
    line, _ = encode(resource, person="12")
    assert line is not None and line["person_id"] == "12"


def test_tabs_newlines_and_backslashes_survive_copy() -> None:
    line, _ = encode(email(address="a\tb\nc\\d\re"))
    assert line is not None and line["address"] == r"a\tb\nc\\d\re"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_attribute_value_is_stored_or_reported(value: Any) -> None:
    for attribute in EMAILS.attributes:
        line, issues = encode(email(**{attribute: value}))
        assert line is not None
        assert (line[attribute] == r"\N") == (value is None or bool(issues))


@given(st.text(alphabet=st.characters(codec=None), max_size=20))
def test_json_for_postgres_never_holds_values_that_jsonb_refuses(text: str) -> None:
    encoded = exact_json.write({"a": [text, 2**80]})
    encoded.encode()
    assert "\x00" not in json.loads(encoded)["a"][0]


def test_a_value_that_does_not_fit_is_kept_under_its_name() -> None:
    line, issues = encode(email(created_at="yesterday", address={"a": 1}, shoe_size=44))
    assert line is not None and len(issues) == 2
    assert json.loads(line["_extra"]) == {"address": {"a": 1}, "created_at": "yesterday", "shoe_size": 44}


def test_a_text_that_postgres_cannot_store_is_kept_readable() -> None:
    line, issues = encode(email(address="Meet us at nine \ud83d"))
    assert line is not None and len(issues) == 1
    assert json.loads(line["_extra"]) == {"address": "Meet us at nine \ufffd"}


@pytest.mark.parametrize(("number", "fits"), [(255, True), (256, False), (3200, False)])
def test_an_id_too_long_for_an_index_is_set_aside(number: int, fits: bool) -> None:
    long = "x" * number
    line, issues = encode({**email(), "id": long})
    assert (line is not None, [field for _, field, _ in issues]) == ((True, []) if fits else (False, [None]))
    related = email()
    related["relationships"]["person"]["data"]["id"] = long
    line, issues = encode(related)
    assert line is not None
    if fits:
        assert (line["person_id"], issues) == (long, [])
    else:
        assert (line["person_id"], [field for _, field, _ in issues]) == (r"\N", ["person"])
        assert json.loads(line["_extra"]) == {"relationships": {"person": {"type": "Person", "id": long}}}


def test_links_to_ids_too_long_for_an_index_are_set_aside() -> None:
    events = STREAMS["calendar.events"]
    resource = {
        "type": "Event",
        "id": "1",
        "attributes": {},
        "relationships": {"tags": {"data": [{"type": "Tag", "id": "7"}, {"type": "Tag", "id": "x" * 256}]}},
    }
    encoded = RowEncoder(events).encode([Record(resource, {})])
    fields = dict(
        zip(["position", "id", *events.columns, "_extra", "_links", "_hash"], encoded.lines[0].split("\t"), strict=True)
    )
    assert [issue.field for issue in encoded.issues] == ["tags"]
    assert json.loads(fields["_links"]) == {"tags": ["7"]}
    assert json.loads(fields["_extra"]) == {"relationships": {"tags": [{"id": "x" * 256}]}}
