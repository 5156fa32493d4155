"""Any part of an answer that is kept brings exactly its own children, each with its parent.

The included records do not name their parents, like most of Planning Center's: only the rows name their children.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openfaith_pipeline.catalog.walk import Route
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.planning_center.extract.included import Answer, sort_records
from openfaith_pipeline.sources import STREAMS

DONATIONS = STREAMS["giving.donations"]
INNER = tuple(STREAMS[f"giving.{name}"] for name in ("designations", "notes", "refunds", "designation_refunds"))


@dataclass(frozen=True)
class Donation:
    """How many designations it has, whether it has a note, and how many parts its refund has, if there is one."""

    designations: int
    has_note: bool
    refunded: int | None


@dataclass
class Expected:
    """The row of a donation with its included records. parents: (type, id) of an included record -> its parents."""

    row: dict[str, Any]
    included: list[dict[str, Any]]
    parents: dict[tuple[str, str], dict[str, str]]


DONATION = st.builds(
    Donation, st.integers(0, 3), st.booleans(), st.none() | st.integers(0, 2).filter(lambda count: count != 1)
)


def _resource(type_: str, identifier: str, **named: Any) -> dict[str, Any]:
    relationships = {name: {"data": data} for name, data in named.items()}
    return {"type": type_, "id": identifier, "attributes": {}, "relationships": relationships}


def _linkage(type_: str, *ids: str) -> list[dict[str, str]]:
    return [{"type": type_, "id": each} for each in ids]


def _expected(number: int, donation: Donation) -> Expected:
    own = str(number)
    designations = [f"{number}0{each}" for each in range(donation.designations)]
    parts = [f"{number}5{each}" for each in range(donation.refunded or 0)]
    included = [_resource("Designation", each) for each in designations]
    parents = {("Designation", each): {"donation": own} for each in designations}
    named: dict[str, Any] = {"designations": _linkage("Designation", *designations), "note": None, "refund": None}
    if donation.has_note:
        [named["note"]] = _linkage("Note", f"{number}7")
        included.append(_resource("Note", f"{number}7"))
        parents["Note", f"{number}7"] = {"donation": own}
    if donation.refunded is not None:
        [named["refund"]] = _linkage("Refund", f"{number}8")
        included += [_resource("DesignationRefund", each) for each in parts]
        included.append(_resource("Refund", f"{number}8", designation_refunds=_linkage("DesignationRefund", *parts)))
        parents["Refund", f"{number}8"] = {"donation": own}
        parents |= {("DesignationRefund", each): {"donation": own, "refund": f"{number}8"} for each in parts}
    return Expected(_resource("Donation", own, **named), included, parents)


def _route(chosen: set[str]) -> tuple[Route, tuple[Any, ...]]:
    streams = [DONATIONS, *(stream for stream in INNER if stream.name in chosen)]
    [walk] = plan_walks(streams, STREAMS, is_full=True)
    return walk.routes[0], walk.streams


CHOSEN = st.sets(st.sampled_from([stream.name for stream in INNER]))


@given(st.lists(st.tuples(DONATION, st.booleans()), max_size=8), CHOSEN, st.randoms(use_true_random=False))
def test_a_kept_record_brings_its_own_and_nothing_else(
    donations: list[tuple[Donation, bool]], chosen: set[str], shuffle: Any
) -> None:
    route, streams = _route(chosen)
    listed = [(_expected(number, each), is_kept) for number, (each, is_kept) in enumerate(donations, start=1)]
    included = [record for each, _ in listed for record in each.included]
    shuffle.shuffle(included)
    rows = [each.row for each, is_kept in listed if is_kept]
    found = sort_records(route, streams, Answer(rows, [each.row for each, _ in listed], included), {})
    assert [record.resource for record in found[DONATIONS.name]] == rows
    types = {stream.type for stream in streams}
    assert {
        (record.resource["type"], record.resource["id"]): dict(record.parents)
        for name, records in found.items()
        if name != DONATIONS.name
        for record in records
    } == {
        key: parents for each, is_kept in listed if is_kept for key, parents in each.parents.items() if key[0] in types
    }


@given(st.lists(DONATION, min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 4))
def test_pages_that_overlap_bring_each_record_once(donations: list[Donation], size: int, overlap: int) -> None:
    """A window begins with rows of the one before, whose included records came with the earlier page."""
    route, streams = _route({stream.name for stream in INNER})
    listed = [_expected(number, each) for number, each in enumerate(donations, start=1)]
    met: list[tuple[str, str]] = []
    for start in range(0, len(listed), size):
        page = listed[max(0, start - overlap) : start + size]
        fresh = [each.row for each in listed[start : start + size]]
        included = [record for each in page for record in each.included]
        found = sort_records(route, streams, Answer(fresh, [each.row for each in page], included), {})
        for records in found.values():
            for record in records:
                key = record.resource["type"], record.resource["id"]
                met.append(key)
                owner = next((each.parents[key] for each in listed if key in each.parents), {})
                assert record.parents == owner
    assert sorted(met) == sorted(key for each in listed for key in [("Donation", each.row["id"]), *each.parents])


def test_a_record_that_no_row_names_comes_with_the_parent_it_names() -> None:
    route, streams = _route({"giving.designations"})
    kept, dropped = (_resource("Donation", each) for each in ("1", "2"))

    def designation(identifier: str, donation: str) -> dict[str, Any]:
        return _resource("Designation", identifier, donation={"type": "Donation", "id": donation})

    included = [designation("11", "1"), designation("21", "2"), designation("31", "3"), _resource("Designation", "41")]
    found = sort_records(route, streams, Answer([kept], [kept, dropped], included), {})
    assert [record.resource["id"] for record in found["giving.designations"]] == ["11", "31", "41"]
    assert sort_records(route, streams, Answer([], [kept, dropped], included), {}) == {"giving.donations": []}


def test_a_record_of_several_rows_comes_with_those_that_are_kept() -> None:
    route, streams = _route({"giving.designations"})
    first, second, third = (_resource("Donation", each, designations=_linkage("Designation", "9")) for each in "123")
    for rows, owner in ([first], "1"), ([second], "2"), ([first, third], "3"):
        found = sort_records(route, streams, Answer(rows, [first, second, third], [_resource("Designation", "9")]), {})
        assert [record.parents for record in found["giving.designations"]] == [{"donation": owner}]
