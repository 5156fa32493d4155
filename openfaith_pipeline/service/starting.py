"""Start workflows: requests are committed before they are answered."""

from typing import Any

from psycopg_pool import ConnectionPool
from pydantic import Field

from openfaith_pipeline.service.access import Visitor
from openfaith_pipeline.service.api_keys import OPERATE, TRIGGER
from openfaith_pipeline.service.executions import Execution, described
from openfaith_pipeline.workflows.definition import Workflow
from openfaith_pipeline.workflows.submission import ask_for, read_payload


def scopes_of(workflow: Workflow[Any]) -> list[str]:
    """The scopes that a key needs to start and resume the workflow."""
    return [TRIGGER, OPERATE] if workflow.is_operation else [TRIGGER]


def check_workflow(visitor: Visitor, workflow: Workflow[Any]) -> None:
    """Raise NotAllowed unless the visitor may start and resume it."""
    for scope in scopes_of(workflow):
        visitor.check_scope(scope)


class Started(Execution):
    """The execution of the request."""

    is_new: bool = Field(description="False if it was requested before, or if a waiting execution covers it.")


def start(pool: ConnectionPool, visitor: Visitor, workflow: Workflow[Any], sent: Any, key: str | None) -> Started:
    """Store the visitor's request. Raises PayloadRefused, NotAllowed and the errors of `ask_for`."""
    check_workflow(visitor, workflow)
    payload = read_payload(workflow, sent)
    visitor.check_org(workflow.org_id(payload))
    with pool.connection() as connection:
        request, is_new = ask_for(connection, workflow, payload, trigger="api", idempotency_key=key)
    return Started(**described(request), is_new=is_new)
