"""`RebuildOrgWorkflow`: make an org's OpenFaith tables from its raw tables again."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from pydantic import Field
from pydantic.alias_generators import to_camel

from openfaith_pipeline.errors import RebuildRefused
from openfaith_pipeline.sync.rebuild import OrgRebuild, RebuildOrder, foresee_rebuild, rebuild
from openfaith_pipeline.workflows.definition import Activity, ActivityFailed, Execution, Payload, Retry, Workflow


class RebuildOrgPayload(Payload):
    """The org, and options of the rebuild."""

    orgId: str = Field(examples=["org_01k5t0w2m1e9qv4y8z3n7b6c5d"])  # noqa: N815 - camelCase on the wire
    dryRun: bool = Field(default=False, strict=True, description="Count the changes, and make none.")  # noqa: N815
    ignoreGuards: bool = Field(  # noqa: N815
        default=False, strict=True, description="Mark rows without a record deleted, however many they are."
    )


def rebuild_tables(execution: Execution[RebuildOrgPayload]) -> dict[str, Any]:
    """Rebuild the OpenFaith tables from the raw ones, in one transaction; returns the changes by table.

    It has the execution's id as a sync, by which it can be rolled back. Repeated after a crash it finds the rest, if
    there is any.
    """
    payload = execution.payload
    order = RebuildOrder([execution.org_id], payload.ignoreGuards, "api", execution.request_id)
    [done] = (foresee_rebuild if payload.dryRun else rebuild)(execution.database, order)
    if isinstance(done.failure, RebuildRefused):
        raise ActivityFailed(str(done.failure)) from done.failure
    if done.failure:
        raise done.failure
    return {"syncId": None if payload.dryRun else order.sync_id, "rows": done.written, "tables": _changes(done)}


def _changes(done: OrgRebuild) -> dict[str, dict[str, Any]]:
    """The tables that change."""
    return {
        name: {to_camel(key): value for key, value in asdict(each).items() if key != "table"}
        for name, each in done.tables.items()
        if each.written
    }


# A sync that holds the org may last some minutes.
_RETRY: Final = Retry(attempts=7, first_wait=timedelta(seconds=5))

REBUILD_ORG: Final = Workflow(
    name="RebuildOrgWorkflow",
    description="Rebuild the OpenFaith tables of an org from its raw tables, or count what would change."
    " The key needs the scope operate, too.",
    payload=RebuildOrgPayload,
    org_id=lambda payload: payload.orgId,
    activities=(Activity("rebuild_tables", rebuild_tables, retry=_RETRY),),
    is_operation=True,
)
