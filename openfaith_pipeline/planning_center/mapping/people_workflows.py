"""People: workflows with the people in them, and forms with those who filled them in."""

from openfaith_pipeline.canonical.model import Edge, Entity, Folder
from openfaith_pipeline.canonical.rules import FirstOf, Presence, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import people_workflows

WORKFLOW_CATEGORIES = Folder(stream=people_workflows.WORKFLOW_CATEGORIES)

WORKFLOWS = Folder(
    stream=people_workflows.WORKFLOWS,
    parent="workflow_category",
    columns={
        "status": Presence("archived_at", "inactive", "active", also="deleted_at"),
        "inactivatedAt": FirstOf("archived_at", "deleted_at"),
    },
)

WORKFLOW_STEPS = Entity(
    table="workflowSteps",
    tag="workflowStep",
    stream=people_workflows.WORKFLOW_STEPS,
    columns={
        "name": Take("name", default=""),
        **taken("description", "sequence", "expected_response_time_in_days"),
        "folderId": Reference("workflow"),
    },
)

WORKFLOW_CARDS = Edge(
    stream=people_workflows.WORKFLOW_CARDS,
    between=("person", "workflow"),
    metadata={
        **taken("stage", "overdue", "completed_at", "removed_at", "snooze_until", "moved_to_step_at"),
        "assigneeId": Reference("assignee"),
        "stepId": Reference("current_step"),
    },
)

FORM_CATEGORIES = Folder(stream=people_workflows.FORM_CATEGORIES)

FORMS = Folder(
    stream=people_workflows.FORMS,
    parent="form_category",
    columns={
        **taken("description"),
        "status": Presence("archived_at", "inactive", "active", also="deleted_at"),
        "inactivatedAt": FirstOf("archived_at", "deleted_at"),
    },
)

FORM_SUBMISSIONS = Edge(
    stream=people_workflows.FORM_SUBMISSIONS, between=("person", "form"), metadata=taken("verified")
)
