"""The door that withholds erased records takes whatever a source, or whoever signs a delivery, sends."""

import json
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from openfaith_pipeline.load.erased import Erased, mark_of
from openfaith_pipeline.load.withheld_deliveries import without_erased

SALT: Final = b"s" * 32
ERASED: Final = Erased(SALT, {"people.people": frozenset({mark_of(SALT, "people.people", "1")})})
PERSON: Final = {"type": "Person", "id": "1"}
KEYS: Final = ("id", "type", "attributes", "relationships", "data", "links", "person", "meta", "included", "parent")
RELATIONSHIPS: Final = ("person", "created_by", "primary_contact", "people")
NAMES: Final = ("people.emails", "people.notes", "people.households", "giving.donations")

odd = st.sampled_from(
    [None, 1, "1", "\ud800", "\x00", [], {}, PERSON, {"data": PERSON}, {"data": [PERSON, 1]}, 10**400]
)
values = st.recursive(odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner))
linkages = st.fixed_dictionaries({"data": odd | st.fixed_dictionaries({"type": st.just("Person"), "id": odd})})
resources = st.fixed_dictionaries(
    {"relationships": values | st.dictionaries(st.sampled_from(RELATIONSHIPS), linkages)},
    optional={"id": odd, "type": odd, "attributes": values},
)


@settings(max_examples=300)
@given(stream=st.sampled_from(NAMES), record_id=st.sampled_from([None, "9", "\ud800"]), data=resources, rest=values)
def test_no_document_is_too_odd(stream: str, record_id: str | None, data: dict[str, Any], rest: Any) -> None:
    document = json.dumps({"data": data, "included": rest, "meta": rest}).encode()
    kept = without_erased(ERASED, stream, record_id, document)
    assert kept is None or isinstance(json.loads(kept), dict)


def test_an_id_that_is_no_text_hides_nobody() -> None:
    """Half a surrogate pair has no UTF-8: one such id in a signed document stopped every church's webhooks."""
    named = {"person": {"data": {"type": "Person", "id": "\ud800"}}}
    mail = {"type": "Email", "id": "2", "relationships": {**named, "created_by": {"data": PERSON}}}
    document = json.dumps({"data": mail}).encode()
    kept = without_erased(ERASED, "people.emails", "2", document)
    assert kept is not None
    assert b'"id":"1"' not in kept
