"""Planning Center Calendar: events, the rooms and resources they need, and approvals.

The populations are assumptions, not measurements: an event for every twenty-five people, most of them weekly.
"""

from openfaith_pipeline.catalog.stream import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    TIMESTAMPS,
    Population,
    Stream,
)
from openfaith_pipeline.planning_center.products import Product

ORGANIZATION = Stream(
    product=Product.CALENDAR,
    type="Organization",
    path="/calendar/v2",
    table="organization",
    is_singleton=True,
    attributes={
        "name": TEXT,
        "time_zone": TEXT,
        "twenty_four_hour_time": BOOLEAN,
        "date_format": TEXT,
        "calendar_starts_on": TEXT,
    },
    population=Population(1),
)

TAG_GROUPS = Stream(
    product=Product.CALENDAR,
    type="TagGroup",
    path="/calendar/v2/tag_groups",
    cursor="updated_at",
    is_cursor_orderable=False,
    attributes={"name": TEXT, "required": BOOLEAN, **TIMESTAMPS},
    population=Population(3),
)

TAGS = Stream(
    product=Product.CALENDAR,
    type="Tag",
    path="/calendar/v2/tags",
    cursor="updated_at",
    is_cursor_orderable=False,
    attributes={"church_center_category": BOOLEAN, "color": TEXT, "name": TEXT, "position": FLOAT, **TIMESTAMPS},
    belongs_to={"tag_group": "calendar.tag_groups"},
    asks_for=("tag_group",),
    population=Population(5, per="calendar.tag_groups"),
)

PEOPLE = Stream(
    product=Product.CALENDAR,
    type="Person",
    path="/calendar/v2/people",
    cursor="updated_at",
    attributes={
        "first_name": TEXT,
        "last_name": TEXT,
        "middle_name": TEXT,
        "avatar_url": TEXT,
        "child": BOOLEAN,
        "contact_data": JSON,
        "gender": TEXT,
        "has_access": BOOLEAN,
        "name_prefix": TEXT,
        "name_suffix": TEXT,
        "pending_request_count": INTEGER,
        "permissions": INTEGER,
        "resolves_conflicts": BOOLEAN,
        "site_administrator": BOOLEAN,
        "status": TEXT,
        "can_edit_people": BOOLEAN,
        "can_edit_resources": BOOLEAN,
        "can_edit_rooms": BOOLEAN,
        "event_permissions_type": TEXT,
        "name": TEXT,
        "people_permissions_type": TEXT,
        "room_permissions_type": TEXT,
        "resources_permissions_type": TEXT,
        **TIMESTAMPS,
    },
    population=Population(0.05, per="church"),
)

RESOURCE_FOLDERS = Stream(
    product=Product.CALENDAR,
    type="ResourceFolder",
    path="/calendar/v2/resource_folders",
    cursor="updated_at",
    attributes={"name": TEXT, "ancestry": TEXT, "kind": TEXT, "path_name": TEXT, **TIMESTAMPS},
    population=Population(5),
)

RESOURCES = Stream(
    product=Product.CALENDAR,
    type="Resource",
    path="/calendar/v2/resources",
    cursor="updated_at",
    attributes={
        "kind": TEXT,
        "name": TEXT,
        "serial_number": TEXT,
        "description": TEXT,
        "expires_at": TIMESTAMP,
        "home_location": TEXT,
        "image": JSON,
        "quantity": INTEGER,
        "path_name": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"resource_folder": "calendar.resource_folders"},
    asks_for=("resource_folder",),
    population=Population(25),
)

RESOURCE_APPROVAL_GROUPS = Stream(
    product=Product.CALENDAR,
    type="ResourceApprovalGroup",
    path="/calendar/v2/resource_approval_groups",
    cursor="updated_at",
    attributes={"name": TEXT, **TIMESTAMPS},
    has_many={"people": "calendar.people", "resources": "calendar.resources"},
    asks_for=("people", "resources"),
    population=Population(2),
)

RESOURCE_QUESTIONS = Stream(
    product=Product.CALENDAR,
    type="ResourceQuestion",
    path="/calendar/v2/resource_questions",
    cursor="updated_at",
    is_cursor_orderable=False,
    attributes={
        "kind": TEXT,
        "choices": TEXT,
        "description": TEXT,
        "multiple_select": BOOLEAN,
        "optional": BOOLEAN,
        "position": INTEGER,
        "question": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"resource": "calendar.resources"},
    population=Population(0.4, per="calendar.resources"),
)

ROOM_SETUPS = Stream(
    product=Product.CALENDAR,
    type="RoomSetup",
    path="/calendar/v2/room_setups",
    cursor="updated_at",
    attributes={
        "name": TEXT,
        "description": TEXT,
        "diagram": JSON,
        "diagram_url": TEXT,
        "diagram_thumbnail_url": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"room_setup": "calendar.room_setups", "containing_resource": "calendar.resources"},
    population=Population(0.5, per="calendar.resources"),
)

RESOURCE_SUGGESTIONS = Stream(
    product=Product.CALENDAR,
    type="ResourceSuggestion",
    path="/calendar/v2/room_setups/{room_setup_id}/resource_suggestions",
    carried_as="resource_suggestions",
    attributes={"quantity": INTEGER, **TIMESTAMPS},
    belongs_to={"room_setup": "calendar.room_setups", "resource": "calendar.resources"},
    population=Population(1, per="calendar.room_setups"),
)

REQUIRED_APPROVALS = Stream(
    product=Product.CALENDAR,
    type="RequiredApproval",
    # Resources list the same records, but without the group, and there are many more of them.
    path="/calendar/v2/resource_approval_groups/{resource_approval_group_id}/required_approvals",
    attributes={},
    belongs_to={"resource_approval_group": "calendar.resource_approval_groups", "resource": "calendar.resources"},
    unshown=("resource_approval_group",),
    asks_for=("resource",),
    population=Population(5, per="calendar.resource_approval_groups"),
)

CALENDARS = Stream(
    product=Product.CALENDAR,
    type="Calendar",
    path="/calendar/v2/calendars",
    attributes={
        "access": JSON,
        "access_restricted": JSON,
        "color": TEXT,
        "default": BOOLEAN,
        "description": TEXT,
        "name": TEXT,
        **TIMESTAMPS,
    },
    population=Population(2),
)

FEEDS = Stream(
    product=Product.CALENDAR,
    type="Feed",
    path="/calendar/v2/feeds",
    attributes={
        "can_delete": BOOLEAN,
        "default_church_center_visibility": JSON,
        "feed_type": TEXT,
        "imported_at": TIMESTAMP,
        "name": TEXT,
        "deleting": BOOLEAN,
        "source_id": TEXT,
    },
    belongs_to={"event_owner": "calendar.people", "default_calendar": "calendar.calendars"},
    population=Population(3),
)

EVENTS = Stream(
    product=Product.CALENDAR,
    type="Event",
    path="/calendar/v2/events",
    cursor="updated_at",
    is_cursor_orderable=False,
    attributes={
        "approval_status": TEXT,
        "description": TEXT,
        "featured": BOOLEAN,
        "image_url": TEXT,
        "link_only": JSON,
        "name": TEXT,
        "percent_approved": INTEGER,
        "percent_rejected": INTEGER,
        "registration_url": TEXT,
        "summary": TEXT,
        "visible_in_church_center": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"owner": "calendar.people", "feed": "calendar.feeds", "calendar": "calendar.calendars"},
    has_many={"tags": "calendar.tags"},
    asks_for=("feed", "tags"),
    population=Population(0.04, per="church"),
)

EVENT_CONNECTIONS = Stream(
    product=Product.CALENDAR,
    type="EventConnection",
    path="/calendar/v2/events/{event_id}/event_connections",
    attributes={
        "connected_to_id": TEXT,
        "connected_to_name": TEXT,
        "connected_to_type": TEXT,
        "product_name": TEXT,
        "connected_to_url": TEXT,
    },
    belongs_to={"event": "calendar.events"},
    population=Population(0.5, per="calendar.events"),
)

EVENT_INSTANCES = Stream(
    product=Product.CALENDAR,
    type="EventInstance",
    path="/calendar/v2/event_instances",
    cursor="updated_at",
    attributes={
        "all_day_event": BOOLEAN,
        "compact_recurrence_description": TEXT,
        "ends_at": TIMESTAMP,
        "location": TEXT,
        "name": TEXT,
        "recurrence": TEXT,
        "recurrence_description": TEXT,
        "starts_at": TIMESTAMP,
        "church_center_url": TEXT,
        "published_starts_at": TEXT,
        "published_ends_at": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"event": "calendar.events"},
    has_many={"tags": "calendar.tags"},
    asks_for=("tags",),
    population=Population(6, per="calendar.events"),
)

EVENT_TIMES = Stream(
    product=Product.CALENDAR,
    type="EventTime",
    path="/calendar/v2/event_instances/{event_instance_id}/event_times",
    carried_as="event_times",
    is_listed_only=True,
    # The reference calls `name` a time; it is the name of one.
    attributes={
        "ends_at": TIMESTAMP,
        "starts_at": TIMESTAMP,
        "name": TEXT,
        "visible_on_kiosks": BOOLEAN,
        "visible_on_widget_and_ical": BOOLEAN,
    },
    belongs_to={"event_instance": "calendar.event_instances", "event": "calendar.events"},
    unshown=("event_instance",),
    population=Population(1.2, per="calendar.event_instances"),
)

EVENT_RESOURCE_REQUESTS = Stream(
    product=Product.CALENDAR,
    type="EventResourceRequest",
    path="/calendar/v2/event_resource_requests",
    cursor="updated_at",
    is_cursor_orderable=False,
    attributes={
        "approval_sent": BOOLEAN,
        "approval_status": TEXT,
        "notes": TEXT,
        "quantity": INTEGER,
        "visible_on_kiosks": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={
        "event": "calendar.events",
        "resource": "calendar.resources",
        "event_resource_request": "calendar.event_resource_requests",
        "created_by": "calendar.people",
        "updated_by": "calendar.people",
        "room_setup": "calendar.room_setups",
    },
    population=Population(1.2, per="calendar.events"),
)

EVENT_RESOURCE_ANSWERS = Stream(
    product=Product.CALENDAR,
    type="EventResourceAnswer",
    path="/calendar/v2/event_resource_requests/{event_resource_request_id}/answers",
    table="event_resource_answers",
    attributes={"answer": JSON, "question": JSON, **TIMESTAMPS},
    belongs_to={
        "event_resource_request": "calendar.event_resource_requests",
        "created_by": "calendar.people",
        "updated_by": "calendar.people",
        "resource_question": "calendar.resource_questions",
    },
    population=Population(0.5, per="calendar.event_resource_requests"),
)

RESOURCE_BOOKINGS = Stream(
    product=Product.CALENDAR,
    type="ResourceBooking",
    path="/calendar/v2/resource_bookings",
    cursor="updated_at",
    attributes={"ends_at": TIMESTAMP, "starts_at": TIMESTAMP, "quantity": INTEGER, **TIMESTAMPS},
    belongs_to={
        "event": "calendar.events",
        "event_instance": "calendar.event_instances",
        "resource": "calendar.resources",
        "event_resource_request": "calendar.event_resource_requests",
    },
    asks_for=("event_resource_request",),
    population=Population(1.2, per="calendar.event_instances"),
)

CONFLICTS = Stream(
    product=Product.CALENDAR,
    type="Conflict",
    path="/calendar/v2/conflicts",
    attributes={"note": TEXT, "resolved_at": TIMESTAMP, **TIMESTAMPS},
    belongs_to={"resource": "calendar.resources", "resolved_by": "calendar.people", "winner": "calendar.events"},
    population=Population(4),
)

ATTACHMENTS = Stream(
    product=Product.CALENDAR,
    type="Attachment",
    path="/calendar/v2/attachments",
    cursor="updated_at",
    attributes={
        "content_type": TEXT,
        "description": TEXT,
        "file_size": INTEGER,
        "name": TEXT,
        "url": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"event": "calendar.events"},
    population=Population(0.3, per="calendar.events"),
)

REPORT_TEMPLATES = Stream(
    product=Product.CALENDAR,
    type="ReportTemplate",
    path="/calendar/v2/report_templates",
    attributes={"body": TEXT, "created_at": TEXT, "description": TEXT, "title": TEXT, "updated_at": TEXT},
    population=Population(4),
)

EVENT_REQUESTS = Stream(
    product=Product.CALENDAR,
    type="EventRequest",
    path="/calendar/v2/event_requests",
    is_pushed=True,
    cursor="last_activity_at",
    attributes={"last_activity_at": TIMESTAMP, "selected_options_by_field": JSON, "status": TEXT},
    belongs_to={"event": "calendar.events", "form": None, "person": "calendar.people"},
    has_many={"form_fields": None},
    population=Population(0),
)
