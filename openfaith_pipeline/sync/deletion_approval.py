"""Decisions on held deletions."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE, in_words
from openfaith_pipeline.errors import DeletionDisproved, OpenFaithError
from openfaith_pipeline.load.deletions import parents_of_rows
from openfaith_pipeline.load.leases import lock_streams
from openfaith_pipeline.load.stream_states import recount
from openfaith_pipeline.load.sync_leases import lease_kept
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync, record_stream_sync
from openfaith_pipeline.load.tombstones import mark_deleted
from openfaith_pipeline.review.held_deletions import HeldDeletion, decide, get_held
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.asking import Asking
from openfaith_pipeline.sync.deletion_proof import find_under
from openfaith_pipeline.transform import transform_org

CONFIRMED_AT_MOST = 100
"""Maximum number of held rows that are checked at the source before deletion; of more, an even sample."""

MODE = "approval"


@dataclass(frozen=True)
class Approval:
    """Rows marked deleted by an approval: of the held stream, and of each stream below it."""

    sync_id: str
    deleted: int
    under: dict[str, int]


async def approve_deletion(
    database: Database, held_id: int, who: str, *, client_factory: ClientFactory = connect_client
) -> Approval:
    """Mark exactly the held rows deleted, with their children, and update the canonical tables.

    It is recorded as a sync, which can be rolled back. Raises DeletionDisproved if one of them exists again, StreamBusy
    while the stream is being synced, UsageError if there is no open held deletion with this id.
    """
    sync_id = str(uuid4())
    async with database.pool(size=2, row_factory=dict_row) as pool:
        async with pool.connection() as connection:
            held, _ = await get_held(connection, held_id)
        asked = {"held_deletion": held.id, "org": held.org_id, "streams": [held.stream], "who": who}
        with database.connect() as recording:
            begin_sync(recording, SyncStart(sync_id, None, MODE, "approval", asked))
        stream = STREAMS[held.stream]
        adapter = stream.adapter
        with _recorded(database, sync_id):
            async with client_factory(database, held.org_id, adapter) as client, pool.connection() as connection:
                asking = Asking(partial(client.get, product=stream.product))
                approval = await _apply(connection, asking, held_id, sync_id, who)
            # Killed here, it leaves the OpenFaith tables to the org's next transform, as a killed sync does.
            with database.connect() as connected:
                transform_org(connected, held.org_id, schema=database.settings.canonical_schema, sync_id=sync_id)
    return approval


@contextmanager
def _recorded(database: Database, sync_id: str) -> Iterator[None]:
    """Keep the sync's lease during the block, in a thread, since the transform blocks; then record how it ended."""
    try:
        with lease_kept(database, sync_id):
            yield
    except (OpenFaithError, *TROUBLE) as error:
        with database.connect() as recording:
            finish_sync(recording, sync_id, in_words(error))
        raise
    with database.connect() as recording:
        finish_sync(recording, sync_id)


async def _apply(connection: AsyncConnection[Any], asking: Asking, held_id: int, sync_id: str, who: str) -> Approval:
    async with connection.transaction():
        held, ids = await get_held(connection, held_id)
        stream, org_id = STREAMS[held.stream], held.org_id
        await lock_streams(connection, org_id, [stream.name])
        await _confirm(connection, asking, held, stream, ids)
        under = await find_under(lambda: nullcontext(connection), asking, org_id, stream, ids)
        journaled_as = {"org_id": org_id, "sync_id": sync_id, "cause": MODE}
        deleted = await mark_deleted(connection, journaled_as, stream, ids)
        counts = {stream.name: deleted}
        for name, below in under.items():
            counts[name] = await mark_deleted(connection, journaled_as, STREAMS[name], below)
        for name, count in counts.items():
            await recount(connection, org_id, STREAMS[name])
            await record_stream_sync(connection, sync_id, org_id, name, held.stream, mode=MODE, deleted=count)
        await decide(connection, held, "approved", who)
    del counts[stream.name]
    return Approval(sync_id, deleted, counts)


async def _confirm(
    connection: AsyncConnection[Any], asking: Asking, held: HeldDeletion, stream: Stream, ids: list[str]
) -> None:
    rows = await parents_of_rows(connection, held.org_id, stream, ids)
    if not await asking.are_gone(stream, rows, CONFIRMED_AT_MOST):
        raise DeletionDisproved(
            f"held records of {held.stream} exist in Planning Center again, or cannot be requested; nothing was"
            f" deleted. Next: openfaith-pipeline sync {held.org_id} --stream {held.stream} --mode reconcile"
        )


async def reject_deletion(database: Database, held_id: int, who: str) -> HeldDeletion:
    """Keep the held rows. A later reconcile that still misses them holds them again."""
    async with database.pool(size=1, row_factory=dict_row) as pool, pool.connection() as connection:
        held, _ = await get_held(connection, held_id)
        await decide(connection, held, "rejected", who)
    return held
