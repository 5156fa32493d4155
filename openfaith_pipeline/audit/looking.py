"""The source's side of a verification: looks made, their records compared, and differences looked at again."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from psycopg_pool import AsyncConnectionPool

from openfaith_pipeline.audit.comparison import compare, live_count, row_parents, rows_beside, rows_of_other_orgs
from openfaith_pipeline.audit.findings import Finding, Kind
from openfaith_pipeline.audit.journal_check import Suspect
from openfaith_pipeline.audit.looks import Look
from openfaith_pipeline.audit.report import Part
from openfaith_pipeline.audit.second_look import Outcome, SecondLook
from openfaith_pipeline.audit.seeing import Scope, Sight, sight_of
from openfaith_pipeline.audit.states import StreamState
from openfaith_pipeline.catalog.reading import Doors, Shown, fetches_for
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import Record, Walk, id_of
from openfaith_pipeline.errors import (
    ConnectionRejected,
    DatabaseUnavailable,
    OpenFaithError,
    SourceUnreachable,
    UnavailableError,
)
from openfaith_pipeline.load.erased import NOBODY, Erased
from openfaith_pipeline.sources import STREAMS, reader_of

ENDS_ALL: Final = (ConnectionRejected, SourceUnreachable, DatabaseUnavailable)
LOOKS_AT_ONCE: Final = 8
SECOND_LOOKS: Final = 25
"""Differences of one stream that are looked at again; the others are judged by them."""

_UNSETTLED: Final = "records changed while they were compared; verify it again"


class Watching(Protocol):
    """Receives the progress, from the event loop."""

    def began(self, stage: str, steps: int) -> None:
        """A stage with this number of steps begins."""

    def step(self, place: str) -> None:
        """A step of the current stage is done."""


@dataclass
class Candidate:
    """Result of a first look at one record. finding: None if only the journal disagrees.

    found_under: the parents under which a listing showed the record.
    """

    stream: Stream
    record_id: str
    finding: Finding | None = None
    suspect: Suspect | None = None
    found_under: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Looking:
    """One org's records at the source beside its rows.

    budget: requests that may be made, None for any number. listed: streams that a request could show.
    erased: records that the source may have and the tables do not, and should not.
    """

    pool: AsyncConnectionPool[Any]
    org_id: str
    doors: Doors
    parts: Mapping[str, Part]
    states: Mapping[str, StreamState]
    watching: Watching
    budget: int | None
    listed: Collection[str] = ()
    erased: Erased = NOBODY
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    broken: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refusals: dict[str, list[OpenFaithError]] = field(default_factory=lambda: defaultdict(list))
    candidates: dict[tuple[str, str], Candidate] = field(default_factory=dict)

    def has_budget(self, requests: int = 1) -> bool:
        return self.budget is None or self.doors.client.requests + requests <= self.budget

    async def look_at(self, looks: Sequence[Look], saw: Callable[[Look, Sight], None]) -> None:
        """Make looks, some at once, and compare the records they show."""
        slots = asyncio.Semaphore(LOOKS_AT_ONCE)
        await together(self._look(look, slots, saw) for look in looks)

    async def _look(self, look: Look, slots: asyncio.Semaphore, saw: Callable[[Look, Sight], None]) -> None:
        async with slots:
            try:
                sight = sight_of(look, await self._show(look))
            except ENDS_ALL:
                raise
            except OpenFaithError as error:
                self.refused([stream for stream in look.route.streams if stream in look.walk.streams], error)
                self.watching.step(look.route.lead.name)
                return
            await self.compare(look.walk, sight.records)
            self.asked_for(look.route.streams)
            for scope in sight.scopes:
                await self.find_extra(scope)
            saw(look, sight)
            self.watching.step(look.route.lead.name)

    async def _show(self, look: Look) -> Shown:
        reader, walk = reader_of(look.walk.streams[0]), look.walk
        return await reader.look(
            fetches_for(self.doors, walk), walk, look.route, offset=look.offset, parent=look.parent
        )

    def refused(self, streams: Iterable[Stream], error: OpenFaithError) -> None:
        for stream in streams:
            self.refusals[stream.name].append(error)

    def asked_for(self, streams: Iterable[Stream]) -> None:
        """Note that the source has answered for these streams."""
        for stream in streams:
            if stream.name in self.parts:
                self.parts[stream.name].is_asked = True

    async def compare(self, walk: Walk, records: Mapping[str, Sequence[Record]]) -> None:
        """Compare records with their rows; differences become candidates."""
        for stream in walk.streams:
            shown = records.get(stream.name)
            if not shown:
                continue
            async with self.pool.connection() as connection:
                compared = await compare(connection, self.org_id, walk, stream, shown, self.states[stream.name])
            self.seen[stream.name] |= compared.ids
            self.broken[stream.name] += compared.broken
            parents = {id_of(record.resource): record.parents for record in shown}
            for finding in compared.findings:
                candidate = self.candidate(stream, finding.record_id)
                candidate.finding, candidate.found_under = finding, parents.get(finding.record_id, {})

    async def find_extra(self, scope: Scope) -> None:
        """Live rows that should have been shown become candidates."""
        async with self.pool.connection() as connection:
            beside = await rows_beside(connection, self.org_id, scope.stream, scope.column, scope.parents, scope.ids)
        for identifier in beside:
            candidate = self.candidate(scope.stream, identifier)
            candidate.finding = candidate.finding or Finding(scope.stream.name, identifier, Kind.EXTRA)

    def candidate(self, stream: Stream, identifier: str) -> Candidate:
        return self.candidates.setdefault((stream.name, identifier), Candidate(stream, identifier))

    async def look_again(self) -> None:
        """Settle every candidate: differences that are still there go into the report."""
        by_stream: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in self.candidates.values():
            by_stream[candidate.stream.name].append(candidate)
        steps = sum(min(len(found), SECOND_LOOKS) for found in by_stream.values())
        self.watching.began("looking again", steps)
        for name, found in by_stream.items():
            await self._settle(self.parts[name], found)

    async def _settle(self, part: Part, found: Sequence[Candidate]) -> None:
        chosen = found[:: max(1, -(-len(found) // SECOND_LOOKS))]
        settled: dict[str, Finding | None] = {}
        for candidate in chosen:
            if not self.has_budget():
                break
            settled[candidate.record_id] = await self._again(candidate)
            self.watching.step(candidate.stream.name)
        is_steady = None not in settled.values()
        left = [candidate for candidate in found if candidate.record_id not in settled]
        if left and not is_steady:
            part.incomplete = part.incomplete or _UNSETTLED
        kept = [each.suspect.finding if each.suspect else each.finding for each in left if is_steady]
        part.findings += await self._of_others([each for each in [*settled.values(), *kept] if each])

    async def _again(self, candidate: Candidate) -> Finding | None:
        stream, identifier, suspect = candidate.stream, candidate.record_id, candidate.suspect
        async with self.pool.connection() as connection:
            own = (await row_parents(connection, self.org_id, stream, [identifier])).get(identifier, {})
        told = {**(suspect.parents if suspect else {}), **own, **candidate.found_under}
        under = candidate.found_under or _ways(stream, suspect)
        walk = Walk((reader_of(stream).route_of(stream),), (stream,))
        now = await SecondLook(self.doors.fetch_for(walk)).at(stream, identifier, told, under)
        if isinstance(now, Outcome):
            return await self._without_record(candidate, now)
        async with self.pool.connection() as connection:
            compared = await compare(connection, self.org_id, walk, stream, [now], self.states[stream.name])
        different = next((each for each in compared.findings if each.record_id == identifier), None)
        if different or not suspect:
            return different
        return suspect.finding.as_kind(Kind.JOURNAL_CUT)

    async def _without_record(self, candidate: Candidate, outcome: Outcome) -> Finding | None:
        """The finding for a record that no request shows."""
        suspect, finding = candidate.suspect, candidate.finding
        if outcome is Outcome.WITHHELD:
            return suspect.finding if suspect else None
        if outcome is Outcome.UNKNOWN:
            return suspect.finding if suspect else finding
        if await self._is_live(candidate):
            return Finding(candidate.stream.name, candidate.record_id, Kind.EXTRA)
        return suspect.finding.as_kind(Kind.JOURNAL_CUT) if suspect else None

    async def _is_live(self, candidate: Candidate) -> bool:
        scope = Scope(candidate.stream, frozenset(), "id", frozenset({candidate.record_id}))
        async with self.pool.connection() as connection:
            return bool(await rows_beside(connection, self.org_id, scope.stream, scope.column, scope.parents, ()))

    async def _of_others(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings; extra rows that are copies of another org's rows are named as such."""
        extra = [each for each in findings if each.kind is Kind.EXTRA]
        if not extra:
            return list(findings)
        async with self.pool.connection() as connection:
            ids = [each.record_id for each in extra]
            others = await rows_of_other_orgs(connection, self.org_id, STREAMS[extra[0].place], ids)
        return [
            each.as_kind(Kind.OTHER_ORG) if each.kind is Kind.EXTRA and each.record_id in others else each
            for each in findings
        ]

    async def conclude(self) -> None:
        """Record the numbers of rows and of compared records, and why a stream was not compared."""
        for name, part in self.parts.items():
            async with self.pool.connection() as connection:
                part.row_count = await live_count(connection, self.org_id, STREAMS[name])
            part.compared = len(self.seen[name])
            errors = self.refusals[name]
            failures = [error for error in errors if not isinstance(error, UnavailableError)]
            if failures:
                part.incomplete = part.incomplete or str(failures[0])
            elif errors and not part.compared:
                part.withheld = str(errors[0])
            part.is_skipped = not (part.is_asked or errors or part.withheld or part.incomplete) and bool(
                part.row_count or name in self.listed
            )


def _ways(stream: Stream, suspect: Suspect | None) -> dict[str, str]:
    """The parents that a record is found under, as the journal knows them."""
    names = {name for way in stream.parent_ways for name in way}
    return {name: value for name, value in (suspect.parents if suspect else {}).items() if name in names}


async def together(tasks: Iterable[Any]) -> None:
    """Run the tasks concurrently; raises the first error by itself, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
