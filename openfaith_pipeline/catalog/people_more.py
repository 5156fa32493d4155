"""Planning Center People beyond its core: notes, forms, workflows, messages and the workings of lists.

All of these are new; they belong to `people` and move there once the engine reads what they declare.

The populations are chosen, not measured: a church of 800 has a handful of forms and workflows and tens of cards, so
that the walks under each card stay below a hundred requests.
"""

from openfaith_pipeline.catalog.stream import (
    BOOLEAN,
    DATE,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    TIMESTAMPS,
    Population,
    Product,
    Stream,
)

ORGANIZATION = Stream(
    product=Product.PEOPLE,
    type="Organization",
    path="/people/v2",
    table="organization",
    is_singleton=True,
    attributes={
        "name": TEXT,
        "country_code": TEXT,
        "date_format": INTEGER,
        "time_zone": TEXT,
        "contact_website": TEXT,
        "created_at": TIMESTAMP,
        "avatar_url": TEXT,
        "church_center_subdomain": TEXT,
    },
    population=Population(1),
)

APPS = Stream(
    product=Product.PEOPLE,
    type="App",
    path="/people/v2/apps",
    attributes={"name": TEXT, "url": TEXT},
    population=Population(8),
)

CARRIERS = Stream(
    product=Product.PEOPLE,
    type="Carrier",
    path="/people/v2/carriers",
    attributes={"value": TEXT, "name": TEXT, "international": BOOLEAN},
    population=Population(20),
)

BACKGROUND_CHECKS = Stream(
    product=Product.PEOPLE,
    type="BackgroundCheck",
    path="/people/v2/background_checks",
    attributes={
        "current": BOOLEAN,
        "note": TEXT,
        "status_updated_at": TIMESTAMP,
        "report_url": TEXT,
        "expires_on": DATE,
        "status": TEXT,
        "completed_at": TIMESTAMP,
    },
    belongs_to={"person": "people.people"},
    population=Population(0.1, per="church"),
)

NOTE_CATEGORIES = Stream(
    product=Product.PEOPLE,
    type="NoteCategory",
    path="/people/v2/note_categories",
    cursor="updated_at",
    attributes={"name": TEXT, "locked": BOOLEAN, "organization_id": TEXT, **TIMESTAMPS},
    population=Population(4),
)

NOTE_CATEGORY_SHARES = Stream(
    product=Product.PEOPLE,
    type="NoteCategoryShare",
    path="/people/v2/note_categories/{note_category_id}/shares",
    table="note_category_shares",
    include="shares",
    attributes={"group": TEXT, "permission": TEXT, "person_id": TEXT},
    belongs_to={"note_category": "people.note_categories", "person": "people.people"},
    population=Population(2, per="people.note_categories"),
)

NOTE_CATEGORY_SUBSCRIPTIONS = Stream(
    product=Product.PEOPLE,
    type="NoteCategorySubscription",
    path="/people/v2/note_category_subscriptions",
    cursor="updated_at",
    attributes=TIMESTAMPS,
    belongs_to={"person": "people.people", "note_category": "people.note_categories"},
    population=Population(1.5, per="people.note_categories"),
)

NOTES = Stream(
    product=Product.PEOPLE,
    type="Note",
    path="/people/v2/notes",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "note": TEXT,
        "display_date": TIMESTAMP,
        "note_category_id": TEXT,
        "organization_id": TEXT,
        "person_id": TEXT,
        "created_by_id": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"note_category": "people.note_categories", "person": "people.people", "created_by": "people.people"},
    population=Population(0.2, per="people.people"),
)

LIST_CATEGORIES = Stream(
    product=Product.PEOPLE,
    type="ListCategory",
    path="/people/v2/list_categories",
    cursor="updated_at",
    attributes={"name": TEXT, "organization_id": TEXT, **TIMESTAMPS},
    population=Population(3),
)

RULES = Stream(
    product=Product.PEOPLE,
    type="Rule",
    path="/people/v2/lists/{list_id}/rules",
    include="rules",
    attributes={"subset": TEXT, **TIMESTAMPS},
    belongs_to={"list": "people.lists"},
    population=Population(1.2, per="people.lists"),
)

CONDITIONS = Stream(
    product=Product.PEOPLE,
    type="Condition",
    path="/people/v2/lists/{list_id}/rules/{rule_id}/conditions",
    include="conditions",
    attributes={
        "application": TEXT,
        "definition_class": TEXT,
        "comparison": TEXT,
        "settings": TEXT,
        "definition_identifier": TEXT,
        "description": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"rule": "people.rules", "created_by": "people.people"},
    walked_under={"list": "people.lists"},
    population=Population(2, per="people.rules"),
)

LIST_SHARES = Stream(
    product=Product.PEOPLE,
    type="ListShare",
    path="/people/v2/lists/{list_id}/shares",
    table="list_shares",
    include="shares",
    attributes={"permission": TEXT, "group": TEXT, "created_at": TIMESTAMP, "name": TEXT},
    belongs_to={"list": "people.lists", "person": "people.people"},
    population=Population(1, per="people.lists"),
)

LIST_RESULTS = Stream(
    product=Product.PEOPLE,
    type="ListResult",
    path="/people/v2/lists/{list_id}/list_results",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes=TIMESTAMPS,
    belongs_to={"list": "people.lists", "person": "people.people"},
    population=Population(25, per="people.lists"),
)

MAILCHIMP_SYNC_STATUSES = Stream(
    product=Product.PEOPLE,
    type="MailchimpSyncStatus",
    path="/people/v2/lists/{list_id}/mailchimp_sync_status",
    table="mailchimp_sync_statuses",
    include="mailchimp_sync_status",
    is_singleton=True,
    attributes={"status": TEXT, "error": TEXT, "progress": INTEGER, "completed_at": TIMESTAMP, "segment_id": INTEGER},
    belongs_to={"list": "people.lists"},
    population=Population(0.2, per="people.lists"),
)

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
        "settings": TEXT,
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
    include="options",
    attributes={"label": TEXT, "sequence": INTEGER, **TIMESTAMPS},
    belongs_to={"form": "people.forms", "form_field": "people.form_fields", "optionable": None},
    population=Population(1.5, per="people.form_fields"),
)

FORM_SUBMISSIONS = Stream(
    product=Product.PEOPLE,
    type="FormSubmission",
    path="/people/v2/forms/{form_id}/form_submissions",
    attributes={"verified": BOOLEAN, "created_at": TIMESTAMP},
    belongs_to={"form": "people.forms", "person": "people.people"},
    population=Population(12, per="people.forms"),
)

FORM_SUBMISSION_VALUES = Stream(
    product=Product.PEOPLE,
    type="FormSubmissionValue",
    path="/people/v2/forms/{form_id}/form_submissions/{form_submission_id}/form_submission_values",
    include="form_submission_values",
    attributes={"display_value": TEXT, "attachments": JSON},
    belongs_to={
        "form": "people.forms",
        "form_submission": "people.form_submissions",
        "form_field": "people.form_fields",
        "form_field_option": "people.form_field_options",
    },
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
    include="steps",
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
    include="shares",
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
        "created_at": TIMESTAMP,
    },
    belongs_to={
        "workflow": "people.workflows",
        "workflow_card": "people.workflow_cards",
        "workflow_step": "people.workflow_steps",
    },
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
    population=Population(0.5, per="people.workflow_cards"),
)

MESSAGE_GROUPS = Stream(
    product=Product.PEOPLE,
    type="MessageGroup",
    path="/people/v2/message_groups",
    cursor="created_at",
    attributes={
        "uuid": TEXT,
        "message_type": TEXT,
        "from_address": TEXT,
        "subject": TEXT,
        "message_count": INTEGER,
        "system_message": BOOLEAN,
        "transactional_message": BOOLEAN,
        "contains_user_generated_content": BOOLEAN,
        "created_at": TIMESTAMP,
        "reply_to_name": TEXT,
        "reply_to_address": TEXT,
    },
    belongs_to={"app": "people.apps", "from": "people.people"},
    asks_for=("app", "from"),
    population=Population(0.1, per="church"),
)

MESSAGES = Stream(
    product=Product.PEOPLE,
    type="Message",
    path="/people/v2/messages",
    cursor="created_at",
    attributes={
        "kind": TEXT,
        "to_addresses": TEXT,
        "subject": TEXT,
        "delivery_status": TEXT,
        "reject_reason": TEXT,
        "created_at": TIMESTAMP,
        "sent_at": TIMESTAMP,
        "bounced_at": TIMESTAMP,
        "rejection_notification_sent_at": TIMESTAMP,
        "from_name": TEXT,
        "from_address": TEXT,
        "read_at": TIMESTAMP,
        "app_name": TEXT,
        "message_type": TEXT,
        "file": TEXT,
    },
    belongs_to={"from": "people.people", "to": "people.people", "message_group": "people.message_groups"},
    population=Population(3, per="people.message_groups"),
)

CUSTOM_SENDERS = Stream(
    product=Product.PEOPLE,
    type="CustomSender",
    path="/people/v2/custom_senders",
    is_unconfirmed=True,
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "name": TEXT,
        "email_address": TEXT,
        "verified_at": TIMESTAMP,
        "verification_requested_at": TIMESTAMP,
        "verified": BOOLEAN,
        "expired": BOOLEAN,
        "verification_status": TEXT,
        **TIMESTAMPS,
    },
    population=Population(1),
)

PEOPLE_IMPORTS = Stream(
    product=Product.PEOPLE,
    type="PeopleImport",
    path="/people/v2/people_imports",
    attributes={"attribs": TEXT, "status": TEXT, "processed_at": TIMESTAMP, "undone_at": TIMESTAMP, **TIMESTAMPS},
    belongs_to={"created_by": "people.people", "undone_by": "people.people"},
    population=Population(2),
)

PEOPLE_IMPORT_HISTORIES = Stream(
    product=Product.PEOPLE,
    type="PeopleImportHistory",
    path="/people/v2/people_imports/{people_import_id}/histories",
    table="people_import_histories",
    attributes={"name": TEXT, "conflicting_changes": JSON, "kind": TEXT, **TIMESTAMPS},
    belongs_to={"people_import": "people.people_imports", "household": "people.households", "person": "people.people"},
    asks_for=("household", "person"),
    population=Population(15, per="people.people_imports"),
)

PEOPLE_IMPORT_CONFLICTS = Stream(
    product=Product.PEOPLE,
    type="PeopleImportConflict",
    path="/people/v2/people_imports/{people_import_id}/conflicts",
    table="people_import_conflicts",
    attributes={
        "kind": TEXT,
        "name": TEXT,
        "message": TEXT,
        "data": TEXT,
        "conflicting_changes": TEXT,
        "ignore": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"people_import": "people.people_imports"},
    population=Population(2, per="people.people_imports"),
)

REPORTS = Stream(
    product=Product.PEOPLE,
    type="Report",
    path="/people/v2/reports",
    cursor="updated_at",
    attributes={"name": TEXT, "body": TEXT, **TIMESTAMPS},
    belongs_to={"created_by": "people.people", "updated_by": "people.people"},
    asks_for=("created_by", "updated_by"),
    population=Population(3),
)

SPAM_EMAIL_ADDRESSES = Stream(
    product=Product.PEOPLE,
    type="SpamEmailAddress",
    path="/people/v2/spam_email_addresses",
    attributes={"address": TEXT, **TIMESTAMPS},
    population=Population(6),
)

PERSON_APPS = Stream(
    product=Product.PEOPLE,
    type="PersonApp",
    path="/people/v2/people/{person_id}/person_apps",
    include="person_apps",
    attributes={"allow_pco_login": BOOLEAN, "people_permissions": TEXT},
    belongs_to={"person": "people.people", "app": "people.apps"},
    population=Population(0.1, per="people.people"),
)
