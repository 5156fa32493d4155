"""Declarations of personal data: every relationship to a person is decided, and every declaration fits its stream."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.load.erased import UNNAMED, Erased, mark_of
from openfaith_pipeline.load.withheld_deliveries import without_erased
from openfaith_pipeline.sources import CANONICAL, PERSONAL, STREAMS

SALT = b"salt"


def erased(**ids: str) -> Erased:
    """The records of these streams, with `__` for the point."""
    named = {name.replace("__", "."): identifier for name, identifier in ids.items()}
    return Erased(SALT, {name: frozenset({mark_of(SALT, name, identifier)}) for name, identifier in named.items()})


def record(stream: str, id: str, **named: tuple[str, str]) -> Record:
    relationships = {name: {"data": {"type": kind, "id": target}} for name, (kind, target) in named.items()}
    type_ = STREAMS[stream].type
    return Record({"type": type_, "id": id, "attributes": {"x": "y"}, "relationships": relationships}, {})


def _persons_of(stream: Stream) -> Iterator[str]:
    return (name for name, target in stream.belongs_to.items() if target and PERSONAL.is_person(target))


def test_every_record_of_a_person_is_decided() -> None:
    undecided = [
        f"{stream.name}.{name}"
        for stream in STREAMS.values()
        for name in _persons_of(stream)
        if name == "person" and name not in {*PERSONAL.of(stream).erased_with, *PERSONAL.of(stream).describes}
    ]
    assert undecided == []


def test_every_stream_under_one_that_is_erased_is_decided() -> None:
    """Otherwise records listed under one that is erased with a person would lose their parent."""
    owned = {name for name, personal in PERSONAL.personal.items() if personal.erased_with}
    undecided = [
        f"{stream.name} under {parent}"
        for stream in STREAMS.values()
        for parent in stream.parents
        if parent in owned and not PERSONAL.of(stream).erased_with and not PERSONAL.is_person(stream.name)
    ]
    assert undecided == []


def test_every_declaration_fits_its_stream() -> None:
    for name, personal in PERSONAL.personal.items():
        stream = STREAMS[name]
        named = {*personal.erased_with, *personal.describes, *personal.erased_once_unnamed}
        assert named <= stream.belongs_to.keys(), name
        described = {attribute for attributes in personal.describes.values() for attribute in attributes}
        assert described <= stream.attributes.keys(), name
        if personal.members:
            assert name in STREAMS[personal.members].belongs_to.values()


def test_all_people_of_the_mapping_are_people() -> None:
    aliases = {name for name, alias in CANONICAL.aliases.items() if alias.of is PERSONAL.by_adapter["pco"].person}
    assert all(map(PERSONAL.is_person, aliases))


@pytest.mark.parametrize(
    ("stream", "id", "named"),
    [
        ("people.people", "1", {}),
        ("groups.people", "1", {}),
        ("people.emails", "5", {"person": ("Person", "1")}),
        ("people.field_data", "5", {"customizable": ("Person", "1")}),
        ("groups.memberships", "5", {"person": ("Person", "1")}),
    ],
)
def test_records_of_an_erased_person_are_withheld(stream: str, id: str, named: dict[str, tuple[str, str]]) -> None:
    admitted = erased(people__people="1").admit(STREAMS[stream], [record(stream, id, **named)])
    assert (admitted.records, len(admitted.withheld)) == ([], 1)


def test_a_record_listed_under_an_erased_person_is_withheld() -> None:
    under = record("services.blockouts", "5")._replace(parents={"person": "1"})
    assert erased(people__people="1").admit(STREAMS["services.blockouts"], [under]).records == []


def test_records_that_go_with_one_that_lost_its_person_are_withheld() -> None:
    marks = Erased(SALT, {f"giving.donations{UNNAMED}": frozenset({mark_of(SALT, f"giving.donations{UNNAMED}", "7")})})
    note = record("giving.notes", "5", donation=("Donation", "7"))
    assert marks.admit(STREAMS["giving.notes"], [note]).records == []
    designation = record("giving.designations", "5", donation=("Donation", "7"))
    assert marks.admit(STREAMS["giving.designations"], [designation]).records == [designation]


def test_records_that_come_with_one_that_loses_its_person_are_withheld() -> None:
    marks = erased(people__people="1")
    gift, other = (record("giving.donations", id, person=("Person", person)) for id, person in (("7", "1"), ("8", "2")))
    assert len(marks.admit(STREAMS["giving.donations"], [gift, other]).records) == 2
    notes = [record("giving.notes", id, donation=("Donation", id)) for id in ("7", "8")]
    assert marks.admit(STREAMS["giving.notes"], notes).records == notes[1:]


def test_a_record_that_only_names_them_loses_the_name() -> None:
    gift = record("giving.donations", "5", person=("Person", "1"), batch=("Batch", "3"))
    gift.resource["attributes"] = {"amount_cents": 100, "payment_last4": "4242", "unknown": "of the person"}
    [kept] = erased(people__people="1").admit(STREAMS["giving.donations"], [gift]).records
    assert kept.resource["attributes"] == {"amount_cents": 100}
    assert kept.resource["relationships"] == {"batch": {"data": {"type": "Batch", "id": "3"}}}


def test_links_and_undeclared_relationships_lose_the_name() -> None:
    group = record("calendar.resource_approval_groups", "5")
    group.resource["relationships"] = {
        "people": {"data": [{"type": "Person", "id": "1"}, {"type": "Person", "id": "2"}]},
        "unheard_of": {"data": {"type": "Person", "id": "1"}},
    }
    [kept] = erased(people__people="1").admit(STREAMS["calendar.resource_approval_groups"], [group]).records
    assert kept.resource["relationships"]["people"]["data"] == [{"type": "Person", "id": "2"}]
    assert kept.resource["relationships"]["unheard_of"]["data"] is None


@pytest.mark.parametrize("resource", [None, 7, "x", [], {"id": 1, "relationships": 3, "attributes": []}, {"id": {}}])
def test_records_of_any_shape_pass(resource: object) -> None:
    strange = Record(resource, {})
    assert erased(people__people="1").admit(STREAMS["people.field_data"], [strange]).records == [strange]


def test_others_are_the_same_objects() -> None:
    other = record("people.emails", "5", person=("Person", "2"))
    [kept] = erased(people__people="1").admit(STREAMS["people.emails"], [other]).records
    assert kept is other


def test_deliveries() -> None:
    marks = erased(people__people="1")
    theirs = (
        b'{"data": {"type": "Email", "id": "5", "relationships": {"person": {"data": {"type": "Person", "id": "1"}}}}}'
    )
    assert without_erased(marks, "people.emails", "5", theirs) is None
    assert without_erased(marks, "people.people", "1", b"no JSON") is None
    other = theirs.replace(b'"1"', b'"2"')
    assert without_erased(marks, "people.emails", "5", other) is other
    brought = b'{"data": {"type": "Email", "id": "5"}, "included": [{"type": "Person", "id": "1"}]}'
    assert without_erased(marks, "people.emails", "5", brought) == (b'{"data":{"type":"Email","id":"5"},"included":[]}')


@pytest.mark.parametrize(
    ("stream", "document"),
    [
        ("people.emails", b'{"data": {"type": "Email", "id": "5"}, "meta": {"parent": {"type": "Person", "id": "1"}}}'),
        (
            "services.blockouts",
            b'{"data": {"type": "Blockout", "id": "5",'
            b' "links": {"self": "https://api.example/services/v2/people/1/blockouts/5"}}}',
        ),
    ],
)
def test_a_delivery_may_name_the_erased_beside_the_relationships(stream: str, document: bytes) -> None:
    marks = erased(people__people="1", services__people="1")
    assert without_erased(marks, stream, "5", document) is None
    other = document.replace(b'"id": "1"', b'"id": "2"').replace(b"people/1/", b"people/2/")
    assert without_erased(marks, stream, "5", other) is other


def test_documents_that_cannot_be_searched_are_not_kept() -> None:
    marks = erased(people__people="1")
    for stream, payload in (
        (None, b'{"data": {"type": "Unheard", "attributes": {"name": "Ann"}}}'),
        ("people.emails", b"Ann, not JSON"),
        ("people.emails", b'{"data": [{"name": "Ann"}]}'),
    ):
        assert without_erased(marks, stream, "9", payload) == b"{}"
    strange = b'{"data": {"type": "Email", "id": "5"}, "included": ["Ann", {"type": "Unheard", "name": "Ann"}]}'
    assert b"Ann" not in (without_erased(marks, "people.emails", "5", strange) or b"")
