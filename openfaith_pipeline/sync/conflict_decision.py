"""Decisions on conflicts: each is a sync of its own, journaled, so that it can be rolled back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import uuid4

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.review.conflicts import Conflict, Decision, waiting_conflicts
from openfaith_pipeline.transform import take_turn
from openfaith_pipeline.transform.changes import be_quiet
from openfaith_pipeline.transform.decisions import keep_local, take_source
from openfaith_pipeline.transform.workspace import Workspace

MODE: Final = "decision"


@dataclass(frozen=True)
class Decided:
    """Conflicts as they were before the decision, and the sync by which it is recorded."""

    sync_id: str
    decision: Decision
    conflicts: Sequence[Conflict]


def decide_conflicts(
    database: Database, ids: Sequence[str], decision: Decision, who: str, *, trigger: str = "cli"
) -> Decided:
    """Decide them all in one transaction. It and the transforms of these orgs wait for each other.

    Raises UsageError if one of them is no longer waiting, or if OpenFaith's value has changed since.
    """
    sync_id = str(uuid4())
    with database.connect() as connection, connection.transaction():
        orgs = sorted({each.org_id for each in waiting_conflicts(connection, ids)})
        with connection.cursor(row_factory=tuple_row) as cursor:
            for org_id in orgs:
                take_turn(cursor, org_id)
        found = waiting_conflicts(connection, ids)
        asked = {"conflicts": sorted(ids), "orgs": orgs, "decision": decision, "who": who}
        begin_sync(connection, SyncStart(sync_id, None, MODE, trigger, asked))
        for org_id, theirs in groupby(sorted(found, key=lambda each: each.org_id), key=lambda each: each.org_id):
            schema = database.settings.canonical_schema
            _decide(connection, org_id, schema, sync_id, [each.id for each in theirs], decision, who)
        finish_sync(connection, sync_id)
    return Decided(sync_id, decision, found)


def _decide(
    connection: Connection[Any],
    org_id: str,
    schema: str,
    sync_id: str,
    ids: Sequence[str],
    decision: Decision,
    who: str,
) -> None:
    with connection.cursor(row_factory=tuple_row) as cursor:
        workspace = Workspace(cursor, org_id, schema, sync_id, MODE)
        be_quiet(cursor, is_quiet=True)
        if decision is Decision.REJECT:
            keep_local(workspace, ids, who)
        elif take_source(workspace, ids, who):
            raise UsageError(
                "a value was changed in OpenFaith since it was shown, and nothing was decided;"
                f" look again after the next sync: openfaith-pipeline review list {org_id}"
            )
        be_quiet(cursor, is_quiet=False)
