"""Decide items of every kind in the review list, on behalf of every kind of caller."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.review.conflicts import Decision
from openfaith_pipeline.review.items import Kind, parse_name
from openfaith_pipeline.review.quarantine import Quarantined, list_quarantined, settle
from openfaith_pipeline.sync.conflict_decision import decide_conflicts
from openfaith_pipeline.sync.deletion_approval import approve_deletion, reject_deletion
from openfaith_pipeline.sync.quarantine_replay import replay_as_sync


@dataclass(frozen=True)
class Outcome:
    """Result for one item. sync_id: of the sync that the decision is journaled as; None if no row was written.

    problem: why the item waits on.
    """

    id: str
    sync_id: str | None
    problem: str | None = None


def decide_items(
    database: Database, names: Sequence[str], decision: Decision, who: str, *, trigger: str = "cli"
) -> list[Outcome]:
    """Decide the items; all conflicts among them in one transaction, and the others one after the other.

    Raises as `decide_conflicts`, `approve_deletion` and `reject_deletion` do, and UsageError for an item that no longer
    waits; items that were decided before it stay decided.
    """
    numbers: dict[Kind, list[int]] = {kind: [] for kind in Kind}
    for name in dict.fromkeys(names):
        kind, number = parse_name(name)
        numbers[kind].append(number)
    outcomes = []
    if numbers[Kind.CONFLICT]:
        ids = [f"{Kind.CONFLICT}-{number}" for number in numbers[Kind.CONFLICT]]
        done = decide_conflicts(database, ids, decision, who, trigger=trigger)
        outcomes += [Outcome(name, done.sync_id) for name in ids]
    outcomes += [_of_deletion(database, number, decision, who) for number in numbers[Kind.DELETION]]
    if numbers[Kind.QUARANTINE]:
        outcomes += _of_entries(database, numbers[Kind.QUARANTINE], decision, trigger)
    return outcomes


def _of_deletion(database: Database, number: int, decision: Decision, who: str) -> Outcome:
    name = f"{Kind.DELETION}-{number}"
    if decision is Decision.REJECT:
        asyncio.run(reject_deletion(database, number, who))
        return Outcome(name, None)
    return Outcome(name, asyncio.run(approve_deletion(database, number, who)).sync_id)


def _of_entries(database: Database, numbers: Sequence[int], decision: Decision, trigger: str) -> list[Outcome]:
    with database.connect() as connection:
        found = {number: list_quarantined(connection, entry_id=number) for number in numbers}
    missing = [f"{Kind.QUARANTINE}-{number}" for number, entries in found.items() if not entries]
    if missing:
        raise UsageError(f"not waiting for a decision: {', '.join(missing)}; see: openfaith-pipeline review list --all")
    entries = [entry for each in found.values() for entry in each]
    if decision is Decision.REJECT:
        asyncio.run(_close(database, entries))
        return [Outcome(f"{Kind.QUARANTINE}-{number}", None) for number in numbers]
    return [_replayed(database, entry, trigger) for entry in entries]


def _replayed(database: Database, entry: Quarantined, trigger: str) -> Outcome:
    sync_id, [result] = replay_as_sync(database, [entry], trigger=trigger)
    problem = result.error
    if result.waiting:
        problem = "its sync has not ended"
    elif result.left:
        problem = f"still wrong: {entry.reason}"
    return Outcome(f"{Kind.QUARANTINE}-{entry.id}", sync_id, problem)


async def _close(database: Database, entries: Sequence[Quarantined]) -> None:
    async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
        await settle(connection, entries)


def described(outcome: Outcome) -> dict[str, Any]:
    """The outcome in JSON form."""
    return {"id": outcome.id, "sync_id": outcome.sync_id, "problem": outcome.problem}
