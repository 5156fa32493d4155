"""Blocking checks of published streams, each followed by a rollback if it fails."""

import asyncio
from dataclasses import replace

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DatabaseUnavailable, OpenFaithError
from openfaith_pipeline.load.sessions import SyncRequest
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.compensation import compensate
from openfaith_pipeline.sync.results import StreamResult, SyncMode


async def checked(database: Database, request: SyncRequest, result: StreamResult) -> StreamResult:
    """The result, or a failure if a blocking check fails, with its rows rolled back.

    A full refresh is exempt: a person has asked for the source to be believed.
    """
    if not result.updated or request.mode == SyncMode.FULL_REFRESH:
        return result
    org_id, sync_id = request.org_id, request.sync_id
    try:
        undone = await asyncio.to_thread(compensate, database, org_id, sync_id, STREAMS[result.stream])
    except DatabaseUnavailable:
        raise
    except OpenFaithError as error:  # of this stream alone: those published with it are checked too
        return replace(result, status="failed", error=str(error))
    if undone is None:
        return result
    return replace(result, status="failed", error=undone.reason, row_count=None, compensation=undone)
