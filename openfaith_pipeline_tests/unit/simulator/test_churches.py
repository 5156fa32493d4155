"""The made-up data: reproducible from its seed, as large as declared, and full of awkward cases."""

import re
from collections import Counter

import orjson
import pytest

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.simulator import ChurchSpec, Faults, RateLimit, SimulatorOptions, Traps, made_up_churches
from openfaith_pipeline.simulator.church import Church, open_church
from openfaith_pipeline.simulator.shapes import shapes_of
from openfaith_pipeline.simulator.values import EPOCH, stamp
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.simulator.api import ORG

TYPES = {
    ColumnType.TEXT: str,
    ColumnType.INTEGER: int,
    ColumnType.FLOAT: float,
    ColumnType.BOOLEAN: bool,
    ColumnType.DATE: str,
    ColumnType.TIMESTAMP: str,
    ColumnType.JSON: (dict, list),
}


def church_of(people: int, seed: int = 1) -> Church:
    return open_church(ChurchSpec(ORG, people=people, seed=seed), "http://planning.center", shapes_of(STREAMS))


@pytest.fixture(scope="module")
def church() -> Church:
    return church_of(1500)


def test_same_seed_same_bytes_in_any_order_of_requests() -> None:
    first, second, other = church_of(30), church_of(30), church_of(30, seed=2)
    for name in reversed(STREAMS):
        second.table(name)
    for name in STREAMS:
        assert first.table(name).fragments == second.table(name).fragments
    assert first.table("people.people").fragments != other.table("people.people").fragments


@pytest.mark.parametrize("stream", list(STREAMS))
def test_every_attribute_is_there_and_of_its_type(church: Church, stream: str) -> None:
    declared, records = STREAMS[stream].attributes, [*church.table(stream).records()]
    assert records or not STREAMS[stream].population.amount
    for record in records:
        assert list(record.attributes) == [*declared, *STREAMS[stream].withheld]
        for name, value in record.attributes.items():
            if name in STREAMS[stream].withheld:
                continue
            assert value is None or isinstance(value, TYPES[declared[name]]), (name, value)
            if value is not None and declared[name] is ColumnType.TIMESTAMP:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value)
                assert value <= stamp(EPOCH)


@pytest.mark.parametrize("stream", list(STREAMS))
def test_relations_point_to_existing_records(church: Church, stream: str) -> None:
    table = church.table(stream)
    for record in table.records():
        for name, target in record.relations.items():
            if target and table.shape.relation[name].merger_role != "remove":
                assert target[1] in church.table(target[0]), (name, target)
        for name, ids in record.links.items():
            assert len(ids) == len(set(ids)) <= 4
            assert set(ids) <= set(church.table(table.shape.links[name].target).ids)


@pytest.mark.parametrize("stream", list(STREAMS))
def test_population_is_as_declared(church: Church, stream: str) -> None:
    population = STREAMS[stream].population
    per = {None: 1, "church": 1500}.get(population.per) or len(church.table(population.per or ""))
    expected = population.amount * per
    assert len(church.table(stream)) == pytest.approx(expected, rel=0.15, abs=4)


def test_a_person_is_the_same_human_everywhere(church: Church) -> None:
    names = {record.id: record.attributes for record in church.table("people.people").records()}
    for stream in ("giving.people", "services.people", "groups.people"):
        records = [*church.table(stream).records()]
        assert records
        assert all(record.attributes["last_name"] == names[record.id]["last_name"] for record in records)
    members = [*church.table("people.household_memberships").records()]
    assert members
    for record in members:
        _, person = record.relations["person"] or ("", 0)
        assert record.attributes["person_name"] == f"{names[person]['first_name']} {names[person]['last_name']}"


def test_nothing_that_only_parents_name_is_out_of_reach(church: Church) -> None:
    pointed = [name for name, shape in church.shapes.items() if shape.sources]
    assert pointed
    for name in pointed:
        assert church.named(name) == set(church.table(name).ids)


def test_ids_repeat_across_types_and_churches(church: Church) -> None:
    assert {1001} <= set(church.table("people.people").ids) & set(church.table("people.emails").ids)
    assert 1001 in church_of(30, seed=9).table("people.people")


def test_hundreds_share_one_second(church: Church) -> None:
    times = Counter(record.attributes["updated_at"] for record in church.table("people.people").records())
    assert times.most_common(1)[0][1] > 100
    years = {time[:4] for time in times}
    assert len(years) >= 8


def test_no_watermark_stands_behind_all_of_the_newest_second(church: Church) -> None:
    times = {
        name: [record.attributes["updated_at"] for record in church.table(name).records()]
        for name, shape in church.shapes.items()
        if shape.stream.cursor == "updated_at"
    }
    newest = {name: each.count(max(each)) for name, each in times.items() if len(each) >= 80}
    assert newest
    assert [name for name, count in newest.items() if not 1 < count < 80] == []


def test_created_before_updated_and_after_the_owner(church: Church) -> None:
    people, emails = church.table("people.people"), [*church.table("people.emails").records()]
    assert emails
    for record in emails:
        assert record.attributes["created_at"] <= record.attributes["updated_at"]
        person = record.relations["person"]
        assert person
        assert record.attributes["created_at"] > people.record(person[1]).attributes["created_at"]


def test_nobody_can_be_reached(church: Church) -> None:
    addresses = [record.attributes["address"] for record in church.table("people.emails").records()]
    numbers = [record.attributes["e164"] for record in church.table("people.phone_numbers").records()]
    assert addresses and numbers
    assert all(re.fullmatch(r"[a-z.]+\d+@example\.(com|org)", address) for address in addresses)
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d|\+442079460\d{3}", number) for number in numbers)


def test_there_are_nulls_accents_and_long_texts(church: Church) -> None:
    people = [record.attributes for record in church.table("people.people").records()]
    assert any(not person["first_name"].isascii() for person in people)
    assert {None} < {person["birthdate"] for person in people}
    assert {"active", "inactive"} <= {person["status"] for person in people}
    assert all((person["inactivated_at"] is not None) == (person["status"] == "inactive") for person in people)
    values = [record.attributes["value"] for record in church.table("people.field_data").records()]
    assert max(map(len, values)) > 2000


def test_one_primary_for_each_owner(church: Church) -> None:
    emails = list(church.table("people.emails").records())
    primaries = Counter(email.relations["person"] for email in emails if email.attributes["primary"])
    assert set(primaries.values()) == {1}
    assert set(primaries) == {email.relations["person"] for email in emails}


def test_made_up_churches_are_distinct_and_stay_the_same() -> None:
    churches = made_up_churches(3, people=10)
    assert churches == made_up_churches(3, people=10)
    assert len({church.org_id for church in churches}) == len({church.credentials for church in churches}) == 3
    assert all(re.fullmatch(r"org_[0-7][0-9a-hjkmnp-tv-z]{25}", church.org_id) for church in churches)


def test_options_survive_the_process_border() -> None:
    options = SimulatorOptions(
        churches=(ChurchSpec(ORG, traps=Traps(missing_next=("a.b",), stuck_total={"a.b": 3})),),
        rate_limit=RateLimit(is_sliding=True),
        faults=Faults.evenly(0.1),
    )
    assert SimulatorOptions.read(orjson.loads(orjson.dumps(options.written()))) == options
    with pytest.raises(ValueError, match="RateLimit has no speed"):
        RateLimit.read({"speed": 1})
