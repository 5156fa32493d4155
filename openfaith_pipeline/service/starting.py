"""Start workflows: requests are committed before they are answered."""

from typing import Any

from psycopg_pool import ConnectionPool
from pydantic import Field

from openfaith_pipeline.service.access import Visitor
from openfaith_pipeline.service.executions import Execution, described
from openfaith_pipeline.workflows.definition import Workflow
from openfaith_pipeline.workflows.submission import ask_for, read_payload


class Started(Execution):
    """The execution of the request."""

    is_new: bool = Field(description="False if it was requested before, or if a waiting execution covers it.")


def start(pool: ConnectionPool, visitor: Visitor, workflow: Workflow[Any], sent: Any, key: str | None) -> Started:
    """Store the visitor's request. Raises PayloadRefused, NotAllowed and the errors of `ask_for`."""
    payload = read_payload(workflow, sent)
    visitor.check_org(workflow.org_id(payload))
    with pool.connection() as connection:
        request, is_new = ask_for(connection, workflow, payload, trigger="api", idempotency_key=key)
    return Started(**described(request), is_new=is_new)
