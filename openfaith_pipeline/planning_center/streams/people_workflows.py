"""Planning Center People: forms and workflows.

The populations are assumptions, not measurements: a church of 800 has a handful of each and tens of cards, so that the
walks under each card stay below a hundred requests.
"""

from openfaith_pipeline.catalog.stream import BOOLEAN, INTEGER, JSON, TEXT, TIMESTAMP, TIMESTAMPS, Population, Stream
from openfaith_pipeline.planning_center.products import Product

FORM_CATEGORIES = Stream(
    product=Product.PEOPLE,
    type="FormCategory",
    path="/people/v2/form_categories",
    cursor="updated_at",
    attributes={"name": TEXT, **TIMESTAMPS},
    population=Population(2),
)

FORMS = Stream(
    product=Product.PEOPLE,
    type="Form",
    path="/people/v2/forms",
    hidden_under=("/people/v2/forms?filter=archived",),
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "name": TEXT,
        "description": TEXT,
        "active": BOOLEAN,
        "archived_at": TIMESTAMP,
        "deleted_at": TIMESTAMP,
        "submission_count": INTEGER,
        "public_url": TEXT,
        "recently_viewed": BOOLEAN,
        "archived": BOOLEAN,
        "can_manage": JSON,
        "send_submission_notification_to_submitter": BOOLEAN,
        "login_required": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"campus": "people.campuses", "form_category": "people.form_categories"},
    population=Population(4),
)

FORM_FIELDS = Stream(
    product=Product.PEOPLE,
    type="FormField",
    path="/people/v2/forms/{form_id}/fields",
    table="form_fields",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "label": TEXT,
        "description": TEXT,
        "required": BOOLEAN,
        "settings": JSON,
        "field_type": TEXT,
        "sequence": INTEGER,
        **TIMESTAMPS,
    },
    belongs_to={"form": "people.forms", "fieldable": None},
    population=Population(6, per="people.forms"),
)

FORM_FIELD_OPTIONS = Stream(
    product=Product.PEOPLE,
    type="FormFieldOption",
    path="/people/v2/forms/{form_id}/fields/{form_field_id}/options",
    table="form_field_options",
    carried_as="options",
    attributes={"label": TEXT, "sequence": INTEGER, **TIMESTAMPS},
    belongs_to={"form": "people.forms", "form_field": "people.form_fields", "optionable": None},
    unshown=("form",),
    population=Population(1.5, per="people.form_fields"),
)

FORM_SUBMISSIONS = Stream(
    product=Product.PEOPLE,
    type="FormSubmission",
    path="/people/v2/forms/{form_id}/form_submissions",
    attributes={"verified": BOOLEAN, "selected_options_by_field": JSON, **TIMESTAMPS},
    belongs_to={"form": "people.forms", "person": "people.people"},
    population=Population(12, per="people.forms"),
)

FORM_SUBMISSION_VALUES = Stream(
    product=Product.PEOPLE,
    type="FormSubmissionValue",
    path="/people/v2/forms/{form_id}/form_submissions/{form_submission_id}/form_submission_values",
    carried_as="form_submission_values",
    attributes={"display_value": TEXT, "attachments": JSON},
    belongs_to={
        "form": "people.forms",
        "form_submission": "people.form_submissions",
        "form_field": "people.form_fields",
        "form_field_option": "people.form_field_options",
    },
    unshown=("form",),
    population=Population(5, per="people.form_submissions"),
)

WORKFLOW_CATEGORIES = Stream(
    product=Product.PEOPLE,
    type="WorkflowCategory",
    path="/people/v2/workflow_categories",
    cursor="updated_at",
    attributes={"name": TEXT, **TIMESTAMPS},
    population=Population(2),
)

WORKFLOWS = Stream(
    product=Product.PEOPLE,
    type="Workflow",
    path="/people/v2/workflows",
    # `deleted_at` stays null (developers#1234): in a list with the deleted ones nothing distinguishes them.
    deleted_under="/people/v2/workflows?filter=only_deleted",
    cursor="updated_at",
    attributes={
        "name": TEXT,
        "my_ready_card_count": INTEGER,
        "total_ready_card_count": INTEGER,
        "completed_card_count": INTEGER,
        "total_cards_count": INTEGER,
        "total_ready_and_snoozed_card_count": INTEGER,
        "total_steps_count": INTEGER,
        "total_unassigned_steps_count": INTEGER,
        "total_unassigned_card_count": INTEGER,
        "total_overdue_card_count": INTEGER,
        "deleted_at": TIMESTAMP,
        "archived_at": TIMESTAMP,
        "campus_id": TEXT,
        "workflow_category_id": TEXT,
        "recently_viewed": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"workflow_category": "people.workflow_categories", "campus": "people.campuses"},
    population=Population(4),
)

WORKFLOW_STEPS = Stream(
    product=Product.PEOPLE,
    type="WorkflowStep",
    path="/people/v2/workflows/{workflow_id}/steps",
    table="workflow_steps",
    carried_as="steps",
    attributes={
        "sequence": INTEGER,
        "name": TEXT,
        "description": TEXT,
        "expected_response_time_in_days": INTEGER,
        "auto_snooze_value": INTEGER,
        "auto_snooze_interval": TEXT,
        "auto_snooze_days": INTEGER,
        "my_ready_card_count": INTEGER,
        "total_ready_card_count": INTEGER,
        "default_assignee_id": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"workflow": "people.workflows", "default_assignee": "people.people"},
    population=Population(3, per="people.workflows"),
)

WORKFLOW_SHARES = Stream(
    product=Product.PEOPLE,
    type="WorkflowShare",
    path="/people/v2/workflows/{workflow_id}/shares",
    table="workflow_shares",
    carried_as="shares",
    attributes={"group": TEXT, "permission": TEXT, "person_id": TEXT},
    belongs_to={"workflow": "people.workflows", "person": "people.people"},
    population=Population(2, per="people.workflows"),
)

WORKFLOW_CARDS = Stream(
    product=Product.PEOPLE,
    type="WorkflowCard",
    path="/people/v2/workflows/{workflow_id}/cards",
    table="workflow_cards",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "snooze_until": TIMESTAMP,
        "overdue": BOOLEAN,
        "stage": TEXT,
        "calculated_due_at_in_days_ago": INTEGER,
        "sticky_assignment": BOOLEAN,
        "completed_at": TIMESTAMP,
        "flagged_for_notification_at": TIMESTAMP,
        "removed_at": TIMESTAMP,
        "moved_to_step_at": TIMESTAMP,
        **TIMESTAMPS,
    },
    belongs_to={
        "workflow": "people.workflows",
        "assignee": "people.people",
        "person": "people.people",
        "current_step": "people.workflow_steps",
    },
    population=Population(8, per="people.workflows"),
)

WORKFLOW_CARD_ACTIVITIES = Stream(
    product=Product.PEOPLE,
    type="WorkflowCardActivity",
    path="/people/v2/workflows/{workflow_id}/cards/{workflow_card_id}/activities",
    table="workflow_card_activities",
    attributes={
        "comment": TEXT,
        "content": TEXT,
        "form_submission_url": TEXT,
        "automation_url": TEXT,
        "person_avatar_url": TEXT,
        "person_name": TEXT,
        "reassigned_to_avatar_url": TEXT,
        "reassigned_to_name": TEXT,
        "subject": TEXT,
        "type": TEXT,
        "content_is_html": BOOLEAN,
        "attachments_meta": JSON,
        "attachments_urls": JSON,
        "created_at": TIMESTAMP,
    },
    belongs_to={
        "workflow": "people.workflows",
        "workflow_card": "people.workflow_cards",
        "workflow_step": "people.workflow_steps",
    },
    unshown=("workflow",),
    population=Population(2, per="people.workflow_cards"),
)

WORKFLOW_CARD_NOTES = Stream(
    product=Product.PEOPLE,
    type="WorkflowCardNote",
    path="/people/v2/workflows/{workflow_id}/cards/{workflow_card_id}/notes",
    table="workflow_card_notes",
    attributes={"note": TEXT, "created_at": TIMESTAMP},
    belongs_to={
        "workflow": "people.workflows",
        "workflow_card": "people.workflow_cards",
        "note_category": "people.note_categories",
    },
    unshown=("workflow", "workflow_card"),
    population=Population(0.5, per="people.workflow_cards"),
)
