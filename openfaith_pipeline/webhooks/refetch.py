"""Fetch single records: those that deliveries leave in doubt, and relatives of those that are gone."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.catalog.reading import Brought, Client
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record, id_of
from openfaith_pipeline.errors import (
    OpenFaithError,
    PathNotFound,
    TransientError,
    UnavailableError,
    UnexpectedResponse,
)
from openfaith_pipeline.load.arrivals import rows_naming
from openfaith_pipeline.load.deletions import too_new_to_miss
from openfaith_pipeline.sources import STREAMS, reader_of
from openfaith_pipeline.webhooks.deliveries import Delivery
from openfaith_pipeline.webhooks.record_events import News, references_to

FLOOD: Final = 25
"""Limit for fetching records of one stream singly; beyond it a sync is requested, which reads a hundred at once."""

PATIENCE_SECONDS: Final = 20.0
"""Limit for a response including retries; after that the delivery waits for its next attempt, so others can go on."""

_AT_ONCE: Final = 4
_MOST_CHILDREN: Final = 1000


@dataclass(frozen=True)
class Question:
    """A record to fetch on behalf of deliveries.

    path: empty if unknown.
    is_end: if it does not exist, it is deleted. is_kin: it is fetched because it names a record that is gone.
    """

    stream: Stream
    record_id: str
    path: str
    deliveries: tuple[Delivery, ...]
    is_end: bool
    is_kin: bool = False


@dataclass
class Findings:
    """Results to publish, by stream name: records, and ids of rows that are gone."""

    records: dict[str, list[Record]] = field(default_factory=dict)
    gone: dict[str, set[str]] = field(default_factory=dict)

    @property
    def streams(self) -> list[Stream]:
        return [STREAMS[name] for name in STREAMS if name in self.records or name in self.gone]

    def add(self, records: Mapping[str, list[Record]], gone: Mapping[str, Iterable[str]]) -> None:
        for name, found in records.items():
            self.records.setdefault(name, []).extend(found)
        for name, ids in gone.items():
            self.gone.setdefault(name, set()).update(ids)


@dataclass
class Answers:
    """Results of fetching.

    gone: records that no longer exist. unnamed: children that their parent does not name, to be fetched next.
    failed: to be fetched again, with the reason.
    """

    findings: Findings = field(default_factory=Findings)
    gone: list[Question] = field(default_factory=list)
    unnamed: list[Question] = field(default_factory=list)
    failed: list[tuple[Question, OpenFaithError]] = field(default_factory=list)


async def ask(pool: AsyncConnectionPool[Any], client: Client, org_id: str, questions: Sequence[Question]) -> Answers:
    """Fetch records of one stream, some concurrently.

    A record that may not be read, or a response that is not a record, counts as answered: asking again would not help.
    """
    if not questions:
        return Answers()
    gate, reader = asyncio.Semaphore(_AT_ONCE), reader_of(questions[0].stream)
    fetches = {each.stream.name: reader.fetch_records(client, each.stream) for each in questions}

    async def read(question: Question) -> Brought | OpenFaithError:
        async with gate:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    fetch = fetches[question.stream.name]
                    brought = await reader.read_record(fetch, question.stream, question.path)
                    return brought or PathNotFound(f"GET {question.path}: 404, there is nothing at this path")
            except TimeoutError:
                return TransientError(f"GET {question.path}: no response within {PATIENCE_SECONDS:.0f} seconds")
            except OpenFaithError as error:
                return error

    answers = Answers()
    for question, answer in zip(questions, await asyncio.gather(*map(read, questions)), strict=True):
        if isinstance(answer, Brought):
            answers.findings.add(answer.records, {})
            answers.unnamed += await _unnamed(pool, org_id, question, answer)
        elif isinstance(answer, PathNotFound) and question.is_end:
            answers.gone.append(question)
            answers.findings.add({}, {question.stream.name: [question.record_id]})
        elif isinstance(answer, PathNotFound) or not isinstance(answer, UnavailableError | UnexpectedResponse):
            answers.failed.append((question, answer))
    return answers


async def kin_of(
    pool: AsyncConnectionPool[Any], org_id: str, stream: Stream, gone: Mapping[str, tuple[Delivery, ...]]
) -> list[Question]:
    """Records that name a deleted one: they are deleted too, or belong to another now, as after a merge.

    gone: by id of the deleted record, the deliveries that show its deletion.
    """
    questions: dict[tuple[str, str], Question] = {}
    for kind, relationship in references_to(stream) if gone else ():
        async with pool.connection() as connection:
            rows = await rows_naming(
                connection, org_id, kind, relationship, list(gone), of_type=stream.type, most=FLOOD + 1
            )
        for identifier, row in rows.items():
            path = reader_of(kind).path_of(kind, {"id": identifier}, row)
            if path:
                deliveries = gone[row[f"{relationship}_id"]]
                questions[kind.name, identifier] = Question(
                    kind, identifier, path, deliveries, is_end=True, is_kin=True
                )
    return list(questions.values())


def survivor_in(news: News) -> Question | None:
    """The surviving record of a merger, which now owns the children of the removed one."""
    merging = news.stream.merging
    if merging is None or not news.is_told:
        return None
    linkage = (news.resource.get("relationships") or {}).get(merging.kept.removesuffix("_id"))
    named = news.resource["attributes"].get(merging.kept)  # a number, as Planning Center writes it there
    kept = id_of(linkage.get("data") if isinstance(linkage, dict) else None) or id_of({"id": _text_of(named)})
    target = STREAMS[merging.target]
    path = reader_of(target).path_of(target, {"id": kept}, None) if kept else None
    return Question(target, kept, path, news.deliveries, is_end=True) if kept and path else None


def _text_of(identifier: Any) -> Any:
    return str(identifier) if isinstance(identifier, int) else identifier


def by_turn(questions: Iterable[Question]) -> list[list[Question]]:
    """By stream, in the order of fetching: relatives first, since those of merged records come with the survivor."""
    turns: dict[tuple[bool, str], list[Question]] = {}
    for question in questions:
        turns.setdefault((not question.is_kin, question.stream.name), []).append(question)
    return [turns[turn] for turn in sorted(turns)]


async def _unnamed(pool: AsyncConnectionPool[Any], org_id: str, question: Question, brought: Brought) -> list[Question]:
    """The children in our rows that the parent just fetched does not name.

    For minutes after a change a record has been seen not to name those that belong to it. So each is requested itself.
    """
    found: list[Question] = []
    for (name, relationship, parent_id), ids in brought.children.items():
        stream = STREAMS[name]
        if f"{relationship}_id" not in stream.columns:
            continue
        async with pool.connection() as connection:
            there = await rows_naming(
                connection, org_id, stream, relationship, [parent_id], of_type="", most=_MOST_CHILDREN
            )
            missing = there.keys() - set(ids)
            missing -= await too_new_to_miss(connection, org_id, stream, list(missing))
        for identifier in sorted(missing):
            path = reader_of(stream).path_of(stream, {"id": identifier}, there[identifier])
            found.append(Question(stream, identifier, path or "", question.deliveries, is_end=True))
    return found
