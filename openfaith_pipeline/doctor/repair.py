"""Repair of OpenFaith's tables: one sync of its own, journaled, so that `rollback` takes it back.

Links come first, then a whole transform, which makes the entities and edges that are missing; rows that lead nowhere
after that are marked deleted. No raw row is written, and nothing is removed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import uuid4

from psycopg import Connection
from psycopg.rows import dict_row, tuple_row

from openfaith_pipeline.audit.dead_ends import DeadEnd, DeadEnds
from openfaith_pipeline.audit.findings import Kind
from openfaith_pipeline.catalog.reading import Client
from openfaith_pipeline.connections.client import ClientFactory
from openfaith_pipeline.database import Database
from openfaith_pipeline.doctor import mending
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.load.sync_leases import lease_kept
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.asking import Asking
from openfaith_pipeline.transform import take_turn, transform_org
from openfaith_pipeline.transform.changes import be_quiet
from openfaith_pipeline.transform.workspace import Workspace
from openfaith_pipeline.webhooks.inspection import LAST_IN_LINE

MODE: Final = "repair"
STILL_THERE: Final = "the source still has records that its listing left out"
_TRANSFORMED: Final = frozenset({Kind.WITHOUT_LINK, Kind.WITHOUT_ENTITY, Kind.OTHER_ORG, Kind.JOINED})
"""Kinds that a transform has a part in mending."""

_READ: Final = "SELECT FROM sync.stream_states WHERE org_id = %s AND last_succeeded_at IS NOT NULL LIMIT 1"
_WRITTEN: Final = """
SELECT table_name, action, count(*) FROM sync.journal WHERE org_id = %s AND sync_id = %s GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class OrgRepair:
    """Rows written, by table and kind of change. left: why a part was left as it is."""

    org_id: str
    tables: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return sum(sum(actions.values()) for actions in self.tables.values())


@dataclass(frozen=True)
class Order:
    """A repair of these orgs. kept: by org, the streams that may not lose an entity, each with the reason."""

    org_ids: Sequence[str]
    kept: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    trigger: str = "cli"
    sync_id: str = field(default_factory=lambda: str(uuid4()))


def foresee_repair(database: Database, order: Order) -> list[OrgRepair]:
    """A preview of `repair`: exactly its writes as of now; nothing is changed."""
    with database.connect(row_factory=dict_row) as connection, connection.transaction(force_rollback=True):
        return [_mend(connection, database, order, org_id) for org_id in order.org_ids]


def repair(database: Database, order: Order) -> list[OrgRepair]:
    """Mend each org in a transaction of its own; transforms of the org wait meanwhile."""
    requested = {"orgs": list(order.org_ids)}
    with database.connect() as connection:
        begin_sync(connection, SyncStart(order.sync_id, None, MODE, order.trigger, requested))
    try:
        with lease_kept(database, order.sync_id):
            done = [_mend_alone(database, order, org_id) for org_id in order.org_ids]
    except BaseException as error:
        _finish(database, order, type(error).__name__)
        raise
    _finish(database, order, None)
    return done


def _finish(database: Database, order: Order, error: str | None) -> None:
    with database.connect() as connection:
        finish_sync(connection, order.sync_id, error)


def _mend_alone(database: Database, order: Order, org_id: str) -> OrgRepair:
    with database.connect(row_factory=dict_row) as connection, connection.transaction():
        return _mend(connection, database, order, org_id)


def _mend(connection: Connection[Any], database: Database, order: Order, org_id: str) -> OrgRepair:
    schema = database.settings.canonical_schema
    dead_ends = DeadEnds(connection, org_id, schema)
    with connection.cursor(row_factory=tuple_row) as cursor:
        workspace = Workspace(cursor, org_id, schema, order.sync_id, MODE)
        take_turn(cursor, org_id)
        if cursor.execute(_READ, (org_id,)).fetchone() is None:
            return OrgRepair(org_id, left=(f"it was not synced yet: openfaith-pipeline sync {org_id}",))
        be_quiet(cursor, is_quiet=True)
        first = _by_kind(dead_ends.all())
        if _TRANSFORMED & first.keys():
            mending.relink(workspace, first[Kind.WITHOUT_LINK])
            mending.take_own_entities(workspace, first[Kind.OTHER_ORG])
            transform_org(connection, org_id, schema=schema, sync_id=order.sync_id, is_full=True)
            be_quiet(cursor, is_quiet=True)
        left = _end(workspace, _by_kind(dead_ends.all()), order.kept.get(org_id, {}))
        # Edges of an entity that has ended by now lead nowhere in their turn.
        _end(workspace, _by_kind(dead_ends.all()), order.kept.get(org_id, {}))
        be_quiet(cursor, is_quiet=False)
        return OrgRepair(org_id, _written(workspace), tuple(left))


def _by_kind(dead_ends: Iterable[DeadEnd]) -> dict[Kind, list[DeadEnd]]:
    found: dict[Kind, list[DeadEnd]] = defaultdict(list)
    for each in dead_ends:
        found[each.kind].append(each)
    return found


def _end(workspace: Workspace, found: Mapping[Kind, list[DeadEnd]], streams_kept: Mapping[str, str]) -> list[str]:
    """Mark dead ends deleted; returns the reasons for which some are left."""
    strays = [*found[Kind.WITHOUT_LINK], *found[Kind.JOINED]]
    kept = mending.end_strays(workspace, strays)
    gone = [each for each in found[Kind.NOT_AT_SOURCE] if each.stream not in streams_kept]
    mending.end_gone(workspace, gone)
    edges = [*strays, *found[Kind.TO_NOTHING], *found[Kind.LOGIN_OF_OTHER_ORG]]
    mending.end_edges(workspace, edges, kept)
    reasons = [f"{name}: {reason}" for name, reason in sorted(streams_kept.items())]
    if kept:
        reasons.append(f"{len(kept)} entities whose records no sync has read yet, such as {kept[0]}")
    return reasons


def _written(workspace: Workspace) -> dict[str, dict[str, int]]:
    tables: dict[str, dict[str, int]] = defaultdict(dict)
    for table, action, number in workspace.cursor.execute(_WRITTEN, (workspace.org_id, workspace.sync_id)).fetchall():
        tables[table][action] = number
    return dict(tables)


async def find_kept(
    database: Database, org_id: str, adapter: str, *, client_factory: ClientFactory = LAST_IN_LINE
) -> dict[str, str]:
    """The streams of which the source has, or may have, a record that the repair would mark deleted, and the reason.

    An even sample of each stream is requested, record by record; those below a parent rest on the listing's proof.
    """
    with database.connect(row_factory=dict_row) as connection:
        found = DeadEnds(connection, org_id, database.settings.canonical_schema).all()
        gone = [each for each in found if each.kind is Kind.NOT_AT_SOURCE]
    ids: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for each in gone:
        ids[each.stream or ""][each.record_id or ""] = {}
    if not ids:
        return {}
    try:
        async with client_factory(database, org_id, adapter) as client:
            there = [name for name, records in ids.items() if not await _are_gone(client, name, records)]
    except OpenFaithError as error:
        return dict.fromkeys(ids, f"the source was not reached: {error}")
    return dict.fromkeys(there, STILL_THERE)


async def _are_gone(client: Client, name: str, records: Mapping[str, Mapping[str, str]]) -> bool:
    stream = STREAMS[name]
    return await Asking(partial(client.get, product=stream.product)).are_gone(stream, records)
