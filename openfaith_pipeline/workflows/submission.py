"""Validation and storage of requests for workflows."""

from typing import Any

from psycopg import Connection
from pydantic import ValidationError

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.inbox.requests import Ask, Request, submit
from openfaith_pipeline.inbox.sync_requests import submit_sync
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.workflows.definition import Payload, Workflow


class PayloadRefused(UsageError):
    """The payload is not valid for the workflow; the message names each field, never its value."""


def read_payload(workflow: Workflow[Any], sent: Any) -> Payload:
    """Validate `sent`, parsed from JSON; raises PayloadRefused if it is not a valid payload."""
    try:
        payload: Payload = workflow.payload.model_validate(sent)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, detail['loc'])) or 'payload'}: {detail['msg']}"
            for detail in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise PayloadRefused(f"the payload is not valid for {workflow.name}: {problems}") from None
    return payload


def ask_for(
    connection: Connection[Any],
    workflow: Workflow[Any],
    payload: Payload,
    *,
    trigger: str,
    idempotency_key: str | None = None,
) -> tuple[Request, bool]:
    """Store the request, or find the equal one, and whether it is new. The caller commits.

    Raises UnknownOrg, the errors of `submit` and, for a sync, of `request_sync`.
    """
    if workflow.needs_org:
        get_org(connection, workflow.org_id(payload))
    ask = Ask(
        workflow.name,
        workflow.org_id(payload),
        payload.model_dump(mode="json"),
        trigger,
        idempotency_key or workflow.idempotency_key(payload),
    )
    return submit_sync(connection, ask) if workflow.is_sync else submit(connection, ask)
