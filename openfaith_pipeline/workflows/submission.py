"""From what someone sends to a request that is kept."""

from typing import Any

from psycopg import Connection
from pydantic import ValidationError

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.inbox.requests import Ask, Request, submit
from openfaith_pipeline.inbox.sync_requests import submit_sync
from openfaith_pipeline.workflows.definition import Payload, Workflow


class PayloadRefused(UsageError):
    """The payload is not what the workflow takes; the message names each field, never its value."""


def read_payload(workflow: Workflow[Any], sent: Any) -> Payload:
    """Raise PayloadRefused unless `sent`, as parsed from JSON, is what the workflow takes."""
    try:
        payload: Payload = workflow.payload.model_validate(sent)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, detail['loc'])) or 'payload'}: {detail['msg']}"
            for detail in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise PayloadRefused(f"the payload is not one of {workflow.name}: {problems}") from None
    return payload


def ask_for(
    connection: Connection[Any],
    workflow: Workflow[Any],
    payload: Payload,
    *,
    trigger: str,
    idempotency_key: str | None = None,
) -> tuple[Request, bool]:
    """Keep the request, or find the one it is the same as, and whether it is new; the commit is the caller's.

    Raises what `submit` and, for a sync, `request_sync` raise.
    """
    ask = Ask(
        workflow.name,
        workflow.org_id(payload),
        payload.model_dump(mode="json"),
        trigger,
        idempotency_key or workflow.idempotency_key(payload),
    )
    return submit_sync(connection, ask) if workflow.is_sync else submit(connection, ask)
