"""The registry of workflows. A new workflow needs one more line here; the service and Dagster follow."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from openfaith_pipeline.errors import UnknownWorkflow
from openfaith_pipeline.workflows.create_org import CREATE_ORG
from openfaith_pipeline.workflows.definition import Workflow
from openfaith_pipeline.workflows.external_sync import EXTERNAL_SYNC
from openfaith_pipeline.workflows.onboard_org import ONBOARD_ORG
from openfaith_pipeline.workflows.rebuild_org import REBUILD_ORG

_ALL: Final[tuple[Workflow[Any], ...]] = (EXTERNAL_SYNC, CREATE_ORG, ONBOARD_ORG, REBUILD_ORG)

WORKFLOWS: Final[Mapping[str, Workflow[Any]]] = {workflow.name: workflow for workflow in _ALL}


def get_workflow(name: str) -> Workflow[Any]:
    """The workflow with this name; raises UnknownWorkflow, with the closest name, if there is none."""
    if name in WORKFLOWS:
        return WORKFLOWS[name]
    near = get_close_matches(name, WORKFLOWS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(WORKFLOWS)}"
    raise UnknownWorkflow(f"there is no workflow {name[:80]!r}; {hint}")
