"""Planning Center People: lists, notes, messages, imports and reports.

The populations are assumptions, not measurements.
"""

from openfaith_pipeline.catalog.stream import BOOLEAN, INTEGER, JSON, TEXT, TIMESTAMP, TIMESTAMPS, Population, Stream
from openfaith_pipeline.planning_center.products import Product

LIST_CATEGORIES = Stream(
    product=Product.PEOPLE,
    type="ListCategory",
    path="/people/v2/list_categories",
    cursor="updated_at",
    attributes={"name": TEXT, "organization_id": TEXT, **TIMESTAMPS},
    population=Population(3),
)

LISTS = Stream(
    product=Product.PEOPLE,
    type="List",
    path="/people/v2/lists",
    cursor="updated_at",
    attributes={
        "name": TEXT,
        "name_or_description": TEXT,
        "description": TEXT,
        "status": TEXT,
        "auto_refresh": BOOLEAN,
        "auto_refresh_frequency": TEXT,
        "active_automations_count": JSON,
        "auto_generated_name": JSON,
        "automations_active": BOOLEAN,
        "automations_count": INTEGER,
        "paused_automations_count": INTEGER,
        "has_inactive_results": BOOLEAN,
        "include_inactive": BOOLEAN,
        "returns": TEXT,
        "return_original_if_none": BOOLEAN,
        "subset": TEXT,
        "invalid": BOOLEAN,
        "recently_viewed": BOOLEAN,
        "starred": BOOLEAN,
        "total_people": INTEGER,
        "batch_completed_at": TIMESTAMP,
        "refreshed_at": TIMESTAMP,
        **TIMESTAMPS,
    },
    belongs_to={
        "category": "people.list_categories",
        "campus": "people.campuses",
        "created_by": "people.people",
        "updated_by": "people.people",
    },
    asks_for=("category", "campus", "created_by", "updated_by"),
    population=Population(12),
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
    carried_as="shares",
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

RULES = Stream(
    product=Product.PEOPLE,
    type="Rule",
    path="/people/v2/lists/{list_id}/rules",
    carried_as="rules",
    attributes={"subset": TEXT, **TIMESTAMPS},
    belongs_to={"list": "people.lists"},
    unshown=("list",),
    population=Population(1.2, per="people.lists"),
)

CONDITIONS = Stream(
    product=Product.PEOPLE,
    type="Condition",
    path="/people/v2/lists/{list_id}/rules/{rule_id}/conditions",
    carried_as="conditions",
    attributes={
        "application": TEXT,
        "definition_class": TEXT,
        "comparison": TEXT,
        "settings": JSON,
        "definition_identifier": TEXT,
        "description": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"rule": "people.rules", "created_by": "people.people"},
    unshown=("rule",),
    walked_under={"list": "people.lists"},
    population=Population(2, per="people.rules"),
)

LIST_SHARES = Stream(
    product=Product.PEOPLE,
    type="ListShare",
    path="/people/v2/lists/{list_id}/shares",
    table="list_shares",
    carried_as="shares",
    attributes={"permission": TEXT, "group": TEXT, "created_at": TIMESTAMP, "name": TEXT},
    belongs_to={"list": "people.lists", "person": "people.people"},
    unshown=("list",),
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
    carried_as="mailchimp_sync_status",
    is_singleton=True,
    attributes={"status": TEXT, "error": TEXT, "progress": INTEGER, "completed_at": TIMESTAMP, "segment_id": INTEGER},
    belongs_to={"list": "people.lists"},
    unshown=("list",),
    population=Population(0.2, per="people.lists"),
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
        "file": JSON,
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
    attributes={"attribs": JSON, "status": TEXT, "processed_at": TIMESTAMP, "undone_at": TIMESTAMP, **TIMESTAMPS},
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
    unshown=("people_import",),
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
    unshown=("people_import",),
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
