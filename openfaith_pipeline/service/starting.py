"""Starting a workflow: committed before anyone is told."""

from typing import Any

from psycopg_pool import ConnectionPool
from pydantic import Field

from openfaith_pipeline.service.access import Visitor
from openfaith_pipeline.service.executions import Execution, described
from openfaith_pipeline.workflows.definition import Workflow
from openfaith_pipeline.workflows.submission import ask_for, read_payload


class Started(Execution):
    """The execution that will do what was asked."""

    is_new: bool = Field(description="False when it was asked for before, or one that waits will do it.")


def start(pool: ConnectionPool, visitor: Visitor, workflow: Workflow[Any], sent: Any, key: str | None) -> Started:
    """Keep what the visitor asks for. Raises PayloadRefused, NotAllowed and what `ask_for` raises."""
    payload = read_payload(workflow, sent)
    visitor.check_org(workflow.org_id(payload))
    with pool.connection() as connection:
        request, is_new = ask_for(connection, workflow, payload, trigger="api", idempotency_key=key)
    return Started(**described(request), is_new=is_new)
