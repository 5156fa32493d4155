"""Parameters of a run in its tags: the org, the mode, and the id shared by all attempts at one request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import dagster as dg

from openfaith_pipeline.sync.results import SyncMode

ORG_TAG: Final = "openfaith/org"
CHURCH_TAG: Final = "openfaith/church"
"""The church's name: ids alone tell a person nothing."""

SYNC_ID_TAG: Final = "openfaith/sync_id"
TRIGGER_TAG: Final = "openfaith/trigger"
REQUEST_TAG: Final = "openfaith/request_id"
ATTEMPT_TAG: Final = "openfaith/attempt"
IDEMPOTENCY_TAG: Final = "openfaith/idempotency_key"
TRACEPARENT_TAG: Final = "openfaith/traceparent"

# Dagster's own, set on a run that repeats only the failed steps, by its retries and by "Re-execute from failure".
RESUME_TAG: Final = "dagster/is_resume_retry"
PARTITION_TAG: Final = "dagster/partition"

BACKFILL: Final = "backfill"
"""Trigger of low-priority runs: an asset backfill in Dagster, or the verb of that name."""

_TRIGGERS: Final[Mapping[str, str]] = {
    "dagster/backfill": BACKFILL,
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
}


class SyncConfig(dg.Config):
    """How the selected streams are read."""

    mode: SyncMode = SyncMode.INCREMENTAL


@dataclass(frozen=True)
class RequestPart:
    """One org's part of a request; the same for every attempt but for the run.

    church: the org's name. idempotency_key: the requester's own name for it, as the run carries it in its tag.
    """

    org_id: str
    sync_id: str
    run_id: str
    trigger: str
    idempotency_key: str | None = None
    church: str = ""


def request_of(context: dg.AssetExecutionContext, name_of: Callable[[str], str]) -> RequestPart:
    """The request of this op, also recorded on the run so that runs can be found by it. name_of: an org's name."""
    run = context.run
    sync_id = sync_id_of(run, context.instance)
    # "Re-execute all" is a new request: the key that Dagster copies belongs to another one, and so for its repetitions.
    is_asked = run.parent_run_id is None or sync_id == run.tags.get(REQUEST_TAG)
    key = run.tags.get(IDEMPOTENCY_TAG) if is_asked else None
    org_id = context.partition_key
    request = RequestPart(org_id, sync_id, run.run_id, trigger_of(run), key, name_of(org_id))
    notes = {ORG_TAG: org_id, CHURCH_TAG: request.church, SYNC_ID_TAG: sync_id}
    if not notes.items() <= run.tags.items():
        context.instance.add_run_tags(run.run_id, notes)
    return request


def sync_id_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> str:
    """The id of the request that `run` is an attempt at.

    Op retries, automatic run retries and "Re-execute from failure" continue the request they repeat; "Re-execute all"
    is a new request, although Dagster copies the tags.
    """
    if run.parent_run_id is None:
        return run.tags.get(SYNC_ID_TAG, run.run_id)
    parent = instance.get_run_by_id(run.parent_run_id) if run.tags.get(RESUME_TAG) == "true" else None
    return sync_id_of(parent, instance) if parent else run.run_id


def trigger_of(run: dg.DagsterRun) -> str:
    """Origin of the run: `cli`, `backfill`, `schedule`, `sensor`, or `ui` for a person in Dagster."""
    named = (name for tag, name in _TRIGGERS.items() if tag in run.tags)
    return run.tags.get(TRIGGER_TAG) or next(named, "ui")
