"""Streams that are included in another's pages: when they are, and records missing from the answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from openfaith_pipeline.catalog.reading import Document, Fetches, WalkSource
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.errors import PathNotFound
from openfaith_pipeline.planning_center.extract.extraction import read_pages
from openfaith_pipeline.sources import STREAMS

EMAILS, ANSWERS, PEOPLE = (STREAMS[f"people.{name}"] for name in ("emails", "field_data", "people"))


def _grouped(*names: str, is_full: bool = False, unread: tuple[str, ...] = ()) -> list[set[str]]:
    chosen = [STREAMS[name] for name in names]
    return [
        {stream.name for stream in walk.streams} for walk in plan_walks(chosen, STREAMS, is_full=is_full, unread=unread)
    ]


def test_records_that_touch_a_person_come_with_changed_people() -> None:
    assert _grouped("people.people", "people.emails") == [{"people.people", "people.emails"}]


def test_a_stream_that_does_not_touch_a_person_is_read_by_its_own_cursor_once_it_was_read() -> None:
    both = ("people.people", "people.field_data")
    assert _grouped(*both) == [{"people.people"}, {"people.field_data"}]
    assert _grouped(*both, unread=("people.field_data",)) == [{"people.people"}, {"people.field_data"}]
    assert _grouped(*both, unread=both) == [set(both)]
    assert _grouped(*both, is_full=True) == [set(both)]


def test_a_walk_that_leaves_parents_out_is_no_beginning_of_one_that_does_not() -> None:
    notes = [STREAMS["services.plan_notes"]]
    [some], [all_] = (plan_walks(notes, STREAMS, is_full=False, is_rotating=each) for each in (True, False))
    assert some.signature != all_.signature
    [whole], [reconcile] = (plan_walks(notes, STREAMS, is_full=True, is_rotating=each) for each in (True, False))
    assert whole.signature == reconcile.signature, "a reconcile leaves none out"


def test_alone_it_is_listed_by_itself() -> None:
    [walk] = plan_walks([EMAILS], STREAMS, is_full=True)
    assert [route.path for route in walk.routes] == ["/people/v2/emails"]


async def test_a_record_that_the_answer_names_and_lacks_is_requested() -> None:
    def person(identifier: str, *emails: str) -> dict[str, Any]:
        named = [{"type": "Email", "id": email} for email in emails]
        moment = datetime(2026, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        relationships = {"emails": {"data": named}}
        return {
            "type": "Person",
            "id": identifier,
            "attributes": {"updated_at": moment},
            "relationships": relationships,
        }

    def email(identifier: str) -> dict[str, Any]:
        return {"type": "Email", "id": identifier, "attributes": {}, "relationships": {}}

    asked: list[str] = []

    async def fetch(path: str, _: Mapping[str, str]) -> Document:
        asked.append(path)
        if path == "/people/v2/emails/3":
            raise PathNotFound("gone meanwhile")
        people, included = [person("1", "1", "2"), person("2", "3")], [email("1")]
        data: Any = people if path == "/people/v2/people" else email(path.rsplit("/", 1)[-1])
        return Document(data, included if data is people else [], 1, 0.0, datetime.now(UTC), total_count=2)

    [walk] = plan_walks([PEOPLE, EMAILS], STREAMS, is_full=False)

    async def no_parents(*_: Any) -> Any:
        raise AssertionError("nothing is read under parents")
        yield

    pages = [page async for page in read_pages(walk, WalkSource(Fetches(fetch, fetch, fetch), no_parents), None)]
    found = {record.resource["id"]: record.parents for page in pages for record in page.records["people.emails"]}
    assert found == {"1": {"person": "1"}, "2": {"person": "1"}}
    assert asked.count("/people/v2/emails/2") == asked.count("/people/v2/emails/3") == 1
