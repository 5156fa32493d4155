"""`OnboardOrgWorkflow`: name a newly connected church and request its first sync."""

import asyncio
from typing import Final

from pydantic import Field

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import api_url_of, credentials_of
from openfaith_pipeline.inbox.requests import cancel_request
from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.sources import CONNECTORS, DEFAULT_SOURCE
from openfaith_pipeline.workflows.definition import Activity, Execution, Payload, Workflow


class OnboardOrgPayload(Payload):
    """The org, which is connected."""

    orgId: str = Field(examples=["org_01k5t0w2m1e9qv4y8z3n7b6c5d"])  # noqa: N815 - camelCase on the wire


def read_church(execution: Execution[OnboardOrgPayload]) -> dict[str, str]:
    """The source's id and name of the church that the credentials belong to."""
    settings, adapter = execution.database.settings, DEFAULT_SOURCE.adapter
    credentials = credentials_of(execution.connection, cipher_from(settings), execution.org_id, adapter)
    api_url = api_url_of(execution.connection, settings, execution.org_id, adapter)
    account = asyncio.run(CONNECTORS[adapter].read_account(api_url, credentials))
    return {"organizationId": account.number, "name": account.name}


def name_org(execution: Execution[OnboardOrgPayload]) -> dict[str, str]:
    """Give the org the church's name; returns its previous name."""
    before = get_org(execution.connection, execution.org_id).name
    _rename(execution, execution.results[READ_CHURCH.name]["name"])
    return {"before": before}


def restore_name(execution: Execution[OnboardOrgPayload]) -> None:
    _rename(execution, execution.results[NAME_ORG.name]["before"])


def request_first_sync(execution: Execution[OnboardOrgPayload]) -> dict[str, str]:
    """Request a full sync; returns the id of its execution."""
    request_id = request_sync(
        execution.connection,
        execution.org_id,
        trigger="onboarding",
        idempotency_key=f"first-sync-{execution.request_id}",
        adapter=DEFAULT_SOURCE.adapter,
    )
    return {"executionId": request_id}


def cancel_first_sync(execution: Execution[OnboardOrgPayload]) -> None:
    cancel_request(execution.connection, execution.results[REQUEST_FIRST_SYNC.name]["executionId"])


def _rename(execution: Execution[OnboardOrgPayload], name: str) -> None:
    execution.connection.execute("UPDATE sync.orgs SET name = %s WHERE org_id = %s", (name, execution.org_id))


# Results of requests that are stored already have this name.
READ_CHURCH: Final = Activity("ask_planning_center", read_church)
NAME_ORG: Final = Activity("name_org", name_org, undo=restore_name)
REQUEST_FIRST_SYNC: Final = Activity("request_first_sync", request_first_sync, undo=cancel_first_sync)

ONBOARD_ORG = Workflow(
    name="OnboardOrgWorkflow",
    description="Name a connected org as its church is named in Planning Center, and request its first sync.",
    payload=OnboardOrgPayload,
    org_id=lambda payload: payload.orgId,
    activities=(READ_CHURCH, NAME_ORG, REQUEST_FIRST_SYNC),
)
