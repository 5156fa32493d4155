"""Roll back a sync: its rows by the journal, and the states of its streams.

Each org is one transaction over raw tables, link tables, canonical tables and bookkeeping. The rollback is journaled as
a sync, so it can be rolled back too.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.change_notes import UNDOING
from openfaith_pipeline.errors import RollbackRefused, UnknownSync, UsageError
from openfaith_pipeline.journal.edits import forget_undone_edits, keep_edits_of_kept
from openfaith_pipeline.journal.entities import end_unlinked, keep_links_of_kept
from openfaith_pipeline.journal.reopening import look_again, settle_outdated
from openfaith_pipeline.journal.tables import table_named, tables_of_stream
from openfaith_pipeline.journal.undoing import Conflict, Undoing, Undone
from openfaith_pipeline.load.leases import fence_off
from openfaith_pipeline.load.rollback_state import (
    check_ended,
    finish_rollback,
    published_streams,
    revert_stream,
)
from openfaith_pipeline.load.stream_states import recount_counted
from openfaith_pipeline.load.sync_leases import lease_kept
from openfaith_pipeline.load.sync_log import PUBLISHED, SyncStart, begin_sync
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import LARGEST, note_everything, take_turn

CONFLICTS_NAMED: Final = 100
"""Maximum number of rows named in a refusal, for each org."""


class OnConflict(StrEnum):
    """Treatment of rows changed by later syncs or by people."""

    REFUSE = "refuse"
    """Undo nothing, and name them."""
    KEEP = "keep"
    """Keep them as they are, and undo the rest."""
    OVERWRITE = "overwrite"
    """Restore them to their state before the sync, which also undoes later changes to them."""


@dataclass(frozen=True)
class RollbackOrder:
    """A rollback to perform.

    streams: only the raw and link tables of these; everything when None.
    org_ids: only these; every org that the sync wrote to when None.
    reason: for the record: a person's request, a failed check, a canceled run.
    is_over: whether the sync is known to have ended, so that its last heartbeat does not count.
    """

    sync_id: str
    on_conflict: OnConflict = OnConflict.REFUSE
    streams: Collection[str] | None = None
    org_ids: Collection[str] | None = None
    reason: str = "requested"
    trigger: str = "cli"
    is_over: bool = False
    rollback_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class OrgRollback:
    """Result for one org: counts by table. streams: those whose state was restored."""

    org_id: str
    tables: Mapping[str, Undone]
    streams: Sequence[str]

    @property
    def rows(self) -> int:
        return sum(undone.restored + undone.removed + undone.returned for undone in self.tables.values())

    @property
    def kept(self) -> int:
        return sum(undone.kept for undone in self.tables.values())


Tell = Callable[[str], None]
"""Called with a progress message."""


def roll_back(database: Database, order: RollbackOrder, *, tell: Tell = lambda _: None) -> list[OrgRollback]:
    """Roll back a sync; returns the results by org.

    Raises UnknownSync, UsageError if nothing is left to undo, StreamBusy while it or another sync of its streams is
    running, and RollbackRefused, with nothing undone, if others have changed its rows and `on_conflict` is refuse.
    """
    with database.connect(autocommit=True) as connection:
        org_ids = _check(connection, order)
        schema = database.settings.canonical_schema
        works = [_Work(connection, order, org_id, schema, tell) for org_id in org_ids]
        if len(works) > 1 and order.on_conflict is OnConflict.REFUSE:
            # All or none of several orgs: transactions that find conflicts are rolled back.
            for work in works:
                with connection.transaction(force_rollback=True):
                    work.find()
        requested = {"rollback_of": order.sync_id, "orgs": org_ids, "on_conflict": order.on_conflict}
        begin_sync(connection, SyncStart(order.rollback_id, None, "rollback", order.trigger, requested))
        try:
            with lease_kept(database, order.rollback_id):
                done = [work.undo() for work in works]
        except BaseException as error:
            connection.execute(
                "UPDATE sync.syncs SET status = 'failed', finished_at = now(), error = %s WHERE sync_id = %s",
                (type(error).__name__, order.rollback_id),
            )
            raise
        with connection.transaction():
            finish_rollback(connection, order.rollback_id, order.sync_id)
    return done


def foresee_rollback(database: Database, order: RollbackOrder, *, tell: Tell = lambda _: None) -> list[OrgRollback]:
    """A preview of `roll_back`, exact, by org. Raises as that does."""
    with database.connect(autocommit=True) as connection, connection.transaction(force_rollback=True):
        org_ids = _check(connection, order)
        requested = {"rollback_of": order.sync_id, "orgs": org_ids}
        begin_sync(connection, SyncStart(order.rollback_id, None, "rollback", order.trigger, requested))
        schema = database.settings.canonical_schema
        return [_Work(connection, order, org_id, schema, tell).foresee() for org_id in org_ids]


def _check(connection: Connection[Any], order: RollbackOrder) -> list[str]:
    """The orgs concerned. Raises UnknownSync or UsageError if the sync cannot be rolled back."""
    row = connection.execute("SELECT status FROM sync.syncs WHERE sync_id = %s", (order.sync_id,)).fetchone()
    if row is None:
        raise UnknownSync(f"there is no sync {order.sync_id}; `openfaith-pipeline syncs list` shows recent syncs")
    if row[0] == "rolled_back":
        raise UsageError(f"{order.sync_id} is already rolled back; its rollback is also a sync, and can be rolled back")
    if not order.is_over:
        check_ended(connection, order.sync_id)
    touched = {
        org_id
        for (org_id,) in connection.execute(
            "SELECT org_id FROM sync.journal WHERE sync_id = %(id)s UNION"
            " SELECT org_id FROM sync.stream_syncs WHERE sync_id = %(id)s AND status = ANY(%(published)s)",
            {"id": order.sync_id, "published": list(PUBLISHED)},
        ).fetchall()
    }
    concerned = sorted(touched if order.org_ids is None else touched.intersection(order.org_ids))
    if not concerned:
        raise UsageError(f"{order.sync_id} has changed nothing that could be rolled back")
    _check_journal(connection, order.sync_id, concerned)
    return concerned


_FORGOTTEN: Final = """
SELECT org_id, coalesce(own.begins_at, whole.begins_at) AS begins_at
FROM sync.syncs AS done CROSS JOIN sync.journal_horizon AS whole
CROSS JOIN unnest(%(orgs)s::text[]) AS concerned (org_id) LEFT JOIN sync.org_journal_horizons AS own USING (org_id)
WHERE done.sync_id = %(id)s AND done.started_at < coalesce(own.begins_at, whole.begins_at)
"""


def _check_journal(connection: Connection[Any], sync_id: str, org_ids: Sequence[str]) -> None:
    """Raises UsageError if the journal of an org no longer reaches back to the sync: its rows may be gone for good."""
    for org_id, begins_at in connection.execute(_FORGOTTEN, {"id": sync_id, "orgs": list(org_ids)}).fetchall():
        raise UsageError(
            f"{sync_id} is past: the journal of {org_id} begins at {begins_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, and"
            " what was changed before can no longer be rolled back"
        )


@dataclass(frozen=True)
class _Work:
    """The rollback of one org."""

    connection: Connection[Any]
    order: RollbackOrder
    org_id: str
    schema: str
    tell: Tell

    def undo(self) -> OrgRollback:
        with self.connection.transaction():
            undoings = self.find()
            published = published_streams(self.connection, self.org_id, self.order.sync_id, self.order.streams)
            overwrite = self.order.on_conflict is OnConflict.OVERWRITE
            forget_undone_edits(undoings, overwrite=overwrite)
            settle_outdated(undoings, overwrite=overwrite)
            tables = dict(self._apply(undoings))
            look_again(undoings)
            if self.order.on_conflict is not OnConflict.REFUSE:
                end_unlinked(undoings)
            # The states to restore are those before its first publish.
            for done in reversed(published):
                revert_stream(self.connection, self.org_id, self.order.rollback_id, done)
            # Children of deleted or merged records belong to streams that the sync did not publish.
            for stream in self._written(tables):
                recount_counted(self.connection, self.org_id, stream)
            result = OrgRollback(self.org_id, tables, [done["stream"] for done in published])
            self._record(result)
        return result

    def foresee(self) -> OrgRollback:
        """The result; the work is rolled back, since the next org's temporary tables have the same names."""
        with self.connection.transaction(force_rollback=True):
            return self.undo()

    def find(self) -> list[Undoing]:
        """Lock and compare all rows concerned; raises RollbackRefused according to the order."""
        names = self._tables()
        self._take_turns(names)
        parameters = {
            "org_id": self.org_id,
            "undone": self.order.sync_id,
            "sync_id": self.order.rollback_id,
            "cause": "rollback",
        }
        undoings, canonical_counts = [], [0]
        for number, name in enumerate(names):
            undoing = Undoing(self.connection.cursor(), table_named(name, self.schema), number, parameters)
            self.tell(f"{self.org_id}: comparing {name}")
            count = undoing.find()
            undoings.append(undoing)
            if self._is_canonical(name):
                canonical_counts.append(count)
        if max(canonical_counts) > LARGEST:  # the next transform compares everything anyway
            note_everything(self.connection.cursor(), self.org_id)
        if self.order.on_conflict is OnConflict.REFUSE:
            self._refuse_conflicts(undoings)
        elif self.order.on_conflict is OnConflict.KEEP:
            keep_links_of_kept(undoings)
            keep_edits_of_kept(undoings)
        return undoings

    def _tables(self) -> list[str]:
        found = self.connection.execute(
            "SELECT DISTINCT table_name FROM sync.journal WHERE sync_id = %s AND org_id = %s ORDER BY 1",
            (self.order.sync_id, self.org_id),
        ).fetchall()
        if self.order.streams is None:
            return [name for (name,) in found]
        wanted = {name for stream in self.order.streams for name in tables_of_stream(STREAMS[stream])}
        return [name for (name,) in found if name in wanted]

    def _take_turns(self, tables: Collection[str]) -> None:
        # Statistics lag behind a large sync; hash joins are never far from the best plan.
        for name, value in (("enable_nestloop", "off"), ("work_mem", "64MB"), ("jit", "off"), (UNDOING, "on")):
            self.connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        published = published_streams(self.connection, self.org_id, self.order.sync_id, self.order.streams)
        written = {stream.name for stream in self._written(tables)}
        fence_off(self.connection, self.org_id, written.union(done["stream"] for done in published))
        if any(map(self._is_canonical, tables)):
            take_turn(self.connection.cursor(), self.org_id)

    def _is_canonical(self, table: str) -> bool:
        return table.startswith(f"{self.schema}.")

    def _written(self, tables: Collection[str]) -> list[Stream]:
        return [stream for stream in STREAMS.values() if set(tables).intersection(tables_of_stream(stream))]

    def _refuse_conflicts(self, undoings: Sequence[Undoing]) -> None:
        total, named = 0, list[Conflict]()
        for undoing in undoings:
            count, found = undoing.conflicts(CONFLICTS_NAMED - len(named))
            total, named = total + count, [*named, *found]
        if total:
            shown = "; ".join(f"{c.table} {' '.join(c.key.values())} ({c.changed_by})" for c in named[:10])
            raise RollbackRefused(
                f"{total} rows of {self.org_id} were changed since by others: {shown}{' ...' if total > 10 else ''}."
                " Nothing was undone; --on-conflict keep leaves these rows, overwrite rolls them back too",
                [{"org_id": self.org_id, **asdict(conflict)} for conflict in named],
            )

    def _apply(self, undoings: Sequence[Undoing]) -> Iterator[tuple[str, Undone]]:
        for undoing in undoings:
            undone = undoing.apply(overwrite=self.order.on_conflict is OnConflict.OVERWRITE)
            self.tell(
                f"{self.org_id}: {undoing.table.full_name}: {undone.restored} restored, {undone.removed} removed,"
                f" {undone.returned} returned, {undone.kept} kept"
            )
            yield undoing.table.full_name, undone

    def _record(self, result: OrgRollback) -> None:
        streams = None if self.order.streams is None else Jsonb(sorted(self.order.streams))
        rows = Jsonb({name: asdict(undone) for name, undone in result.tables.items()})
        self.connection.execute(
            "INSERT INTO sync.rollbacks (rollback_id, org_id, sync_id, streams, reason, rows)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (self.order.rollback_id, self.org_id, self.order.sync_id, streams, self.order.reason, rows),
        )
