"""Requests for syncs: equal requests that arrive while one waits are served by one sync."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.errors import OrgPaused, UnknownStream
from openfaith_pipeline.inbox.requests import (
    Ask,
    Request,
    change_waiting,
    lock_org,
    submit,
    waiting_requests,
)
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.sources import STREAMS

SYNC_WORKFLOW: Final = "ExternalSyncWorkflow"

# A request that still waits is joined anyway; of one that runs, the end is not known yet.
_APART_UNTIL: Final = """
SELECT max(coalesce(finished_at, now())) + %(apart)s AS earliest FROM sync.requests
 WHERE org_id = %(org_id)s AND workflow = %(workflow)s AND trigger = %(trigger)s AND status <> 'waiting'
   AND payload -> 'streams' @> to_jsonb(%(stream)s::text)
"""

_THOROUGHNESS: Final[Mapping[str, int]] = {"incremental": 0, "reconcile": 1, "full_refresh": 2}


def request_sync(  # noqa: PLR0913 - all that a request may say
    connection: Connection[Any],
    org_id: str,
    *,
    mode: str = "incremental",
    streams: Collection[str] | None = None,
    trigger: str,
    adapter: str,
    idempotency_key: str | None = None,
    not_before: datetime | None = None,
) -> str:
    """Request a sync of the org; returns the request's id, which is valid once the caller has committed.

    mode: a SyncMode. streams: their names, None for all. trigger: the origin (api, webhook, schedule, backfill).
    idempotency_key: every call with this key returns the same request. A call without one may join a waiting request of
    the org: one that covers it, or one of the same mode, which is then widened to these streams.
    Raises UnknownOrg, OrgPaused, UnknownStream, or IdempotencyKeyReused.
    """
    payload = sync_payload(org_id, mode, streams, adapter)
    request, _ = submit_sync(connection, Ask(SYNC_WORKFLOW, org_id, payload, trigger, idempotency_key, not_before))
    return request.request_id


def apart_from_the_last(
    connection: Connection[Any], org_id: str, stream: str, trigger: str, apart: timedelta
) -> datetime | None:
    """The earliest start that is this long after the stream's last sync of the same origin; None means now."""
    values = {"org_id": org_id, "workflow": SYNC_WORKFLOW, "trigger": trigger, "stream": stream, "apart": apart}
    [earliest] = connection.execute(_APART_UNTIL, values).fetchone() or (None,)
    return earliest if earliest and earliest > datetime.now(UTC) else None


def submit_sync(connection: Connection[Any], ask: Ask) -> tuple[Request, bool]:
    """As `request_sync`, for a payload made by `sync_payload`. Returns the request, and whether it is new."""
    org = get_org(connection, ask.org_id)
    if org.paused_at is not None:
        raise OrgPaused(f"{ask.org_id} is paused; resume it with: openfaith-pipeline org resume {ask.org_id}")
    lock_org(connection, ask.org_id)
    if ask.idempotency_key is None:
        for waiting in waiting_requests(connection, ask.org_id, SYNC_WORKFLOW):
            if _joins(connection, ask, waiting):
                return waiting, False
    return submit(connection, ask)


def sync_payload(org_id: str, mode: str, streams: Collection[str] | None, adapter: str) -> dict[str, Any]:
    """Payload of a sync request. Raises UnknownStream."""
    for name in streams or ():
        if name not in STREAMS:
            raise UnknownStream(f"there is no stream {name[:80]!r}; `openfaith-pipeline catalog` lists the streams")
    named = sorted(set(streams)) if streams is not None else None
    return {"tokenKey": org_id, "adapter": adapter, "mode": mode, "streams": named}


def _joins(connection: Connection[Any], ask: Ask, waiting: Request) -> bool:
    """Whether the waiting request covers this one, widened if necessary; never if it has an idempotency key."""
    asked, there = ask.payload, waiting.payload
    if asked["adapter"] != there["adapter"] or _THOROUGHNESS[asked["mode"]] > _THOROUGHNESS[there["mode"]]:
        return False
    streams = _union(asked["streams"], there["streams"])
    not_before = _earlier(ask.not_before, waiting.not_before)
    if (streams, not_before) == (there["streams"], waiting.not_before):
        return True
    if waiting.idempotency_key is not None or asked["mode"] != there["mode"]:
        return False
    change_waiting(connection, waiting.request_id, {**there, "streams": streams}, not_before)
    return True


def _union(one: Sequence[str] | None, other: Sequence[str] | None) -> list[str] | None:
    return None if one is None or other is None else sorted({*one, *other})


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two times; None is now."""
    return None if one is None or other is None else min(one, other)
