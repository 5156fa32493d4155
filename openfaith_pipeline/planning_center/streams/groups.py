"""Planning Center Groups: small groups, memberships, meetings and attendance.

No type has a usable cursor, so every list is read whole.

The populations are assumptions, not measurements: a group for every forty people and four meetings each, as in a term
rather than in years, because each meeting costs two requests.
"""

from openfaith_pipeline.catalog.stream import BOOLEAN, FLOAT, INTEGER, JSON, TEXT, TIMESTAMP, Population, Stream
from openfaith_pipeline.planning_center.products import Product

OF_ARCHIVED_GROUPS = {"where[group][archive_status]": "include"}

ORGANIZATION = Stream(
    product=Product.GROUPS,
    type="Organization",
    path="/groups/v2",
    table="organization",
    is_singleton=True,
    attributes={"name": TEXT, "time_zone": TEXT},
    population=Population(1),
)

CAMPUSES = Stream(
    product=Product.GROUPS,
    type="Campus",
    path="/groups/v2/campuses",
    attributes={"name": TEXT},
    population=Population(2),
)

PEOPLE = Stream(
    product=Product.GROUPS,
    type="Person",
    path="/groups/v2/people",
    attributes={
        "addresses": JSON,
        "avatar_url": TEXT,
        "child": BOOLEAN,
        "created_at": TIMESTAMP,
        "email_addresses": JSON,
        "first_name": TEXT,
        "gender": TEXT,
        "last_name": TEXT,
        "permissions": TEXT,
        "phone_numbers": JSON,
    },
    only_asked=("child",),
    population=Population(0.6, per="church"),
)

TAG_GROUPS = Stream(
    product=Product.GROUPS,
    type="TagGroup",
    path="/groups/v2/tag_groups",
    attributes={"display_publicly": BOOLEAN, "multiple_options_enabled": BOOLEAN, "name": TEXT, "position": INTEGER},
    population=Population(3),
)

TAGS = Stream(
    product=Product.GROUPS,
    type="Tag",
    path="/groups/v2/tags",
    is_unconfirmed=True,
    fallback_path="/groups/v2/tag_groups/{tag_group_id}/tags",
    attributes={"name": TEXT, "position": INTEGER},
    belongs_to={"tag_group": "groups.tag_groups"},
    population=Population(4, per="groups.tag_groups"),
)

GROUP_TYPES = Stream(
    product=Product.GROUPS,
    type="GroupType",
    path="/groups/v2/group_types",
    attributes={
        "church_center_visible": BOOLEAN,
        "church_center_map_visible": BOOLEAN,
        "color": TEXT,
        "default_group_settings": JSON,
        "description": TEXT,
        "name": TEXT,
        "position": INTEGER,
        "public_church_center_web_url": TEXT,
    },
    population=Population(4),
)

GROUPS = Stream(
    product=Product.GROUPS,
    type="Group",
    path="/groups/v2/groups",
    asks_all={"where[archive_status]": "include"},
    attributes={
        "archived_at": TIMESTAMP,
        "chat_enabled": BOOLEAN,
        "contact_email": TEXT,
        "created_at": TIMESTAMP,
        "description": TEXT,
        "description_as_plain_text": TEXT,
        "direct_messages_enabled": JSON,
        "events_listed": BOOLEAN,
        "events_visibility": TEXT,
        "header_image": JSON,
        "leaders_can_search_people_database": BOOLEAN,
        "listed": BOOLEAN,
        "location_type_preference": TEXT,
        "members_are_confidential": BOOLEAN,
        "memberships_count": INTEGER,
        "name": TEXT,
        "public_church_center_web_url": TEXT,
        "schedule": TEXT,
        "tag_ids": JSON,
        "virtual_location_url": TEXT,
    },
    # The only source of a group's tags.
    only_asked=("tag_ids",),
    belongs_to={"group_type": "groups.group_types", "location": "groups.locations"},
    population=Population(0.025, per="church"),
)

ENROLLMENTS = Stream(
    product=Product.GROUPS,
    type="Enrollment",
    path="/groups/v2/groups/{group_id}/enrollment",
    table="enrollments",
    carried_as="enrollment",
    is_singleton=True,
    attributes={
        "auto_closed": BOOLEAN,
        "auto_closed_reason": TEXT,
        "date_limit": TEXT,
        "date_limit_reached": BOOLEAN,
        "member_limit": INTEGER,
        "member_limit_reached": BOOLEAN,
        "status": TEXT,
        "strategy": TEXT,
    },
    belongs_to={"group": "groups.groups"},
    population=Population(1, per="groups.groups"),
)

MEMBERSHIPS = Stream(
    product=Product.GROUPS,
    type="Membership",
    path="/groups/v2/groups/{group_id}/memberships",
    counted_by={"group": "memberships_count"},
    attributes={"joined_at": TIMESTAMP, "role": TEXT},
    belongs_to={"group": "groups.groups", "person": "groups.people"},
    population=Population(11, per="groups.groups"),
)

RESOURCES = Stream(
    product=Product.GROUPS,
    type="Resource",
    path="/groups/v2/groups/{group_id}/resources",
    also_under=("/groups/v2/group_types/{group_type_id}/resources",),
    # Each group also lists the resources of its group type.
    listed_by={"groups": "group"},
    attributes={"description": TEXT, "last_updated": TIMESTAMP, "name": TEXT, "type": TEXT, "visibility": TEXT},
    belongs_to={"group": "groups.groups", "group_type": "groups.group_types", "created_by": "groups.people"},
    unshown=("group", "group_type"),
    population=Population(1, per="groups.groups"),
)

GROUP_APPLICATIONS = Stream(
    product=Product.GROUPS,
    type="GroupApplication",
    path="/groups/v2/group_applications",
    asks_all=OF_ARCHIVED_GROUPS,
    attributes={"applied_at": TIMESTAMP, "message": TEXT, "status": TEXT},
    belongs_to={"group": "groups.groups", "person": "groups.people"},
    population=Population(0.02, per="church"),
)

EVENTS = Stream(
    product=Product.GROUPS,
    type="Event",
    path="/groups/v2/events",
    asks_all=OF_ARCHIVED_GROUPS,
    attributes={
        "attendance_requests_enabled": BOOLEAN,
        "automated_reminder_enabled": BOOLEAN,
        "canceled": BOOLEAN,
        "canceled_at": TIMESTAMP,
        "description": TEXT,
        "ends_at": TIMESTAMP,
        "image": JSON,
        "location_type_preference": TEXT,
        "multi_day": BOOLEAN,
        "name": TEXT,
        "reminders_sent": BOOLEAN,
        "reminders_sent_at": TIMESTAMP,
        "repeating": BOOLEAN,
        "starts_at": TIMESTAMP,
        "virtual_location_url": TEXT,
        "visitors_count": INTEGER,
    },
    belongs_to={
        "attendance_submitter": "groups.people",
        "group": "groups.groups",
        "location": "groups.locations",
        "repeating_event": None,
    },
    population=Population(4, per="groups.groups"),
)

EVENT_NOTES = Stream(
    product=Product.GROUPS,
    type="EventNote",
    path="/groups/v2/events/{event_id}/notes",
    table="event_notes",
    attributes={"body": TEXT},
    belongs_to={"event": "groups.events", "annotatable": None, "owner": "groups.owners"},
    unshown=("event",),
    population=Population(0.3, per="groups.events"),
)

OWNERS = Stream(
    product=Product.GROUPS,
    type="Owner",
    path="/groups/v2/events/{event_id}/notes/{event_note_id}/owner",
    table="owners",
    carried_as="owner",
    is_singleton=True,
    attributes={"avatar_url": TEXT, "first_name": TEXT, "last_name": TEXT},
    # One person writes many notes, which name their author.
    walked_under={"event": "groups.events", "event_note": "groups.event_notes"},
    population=Population(0.01, per="church"),
)

LOCATIONS = Stream(
    product=Product.GROUPS,
    type="Location",
    path="/groups/v2/groups/{group_id}/location",
    table="locations",
    carried_as="location",
    is_singleton=True,
    also_under=("/groups/v2/events/{event_id}/location",),
    attributes={
        "display_preference": TEXT,
        "full_formatted_address": TEXT,
        "latitude": FLOAT,
        "longitude": FLOAT,
        "name": TEXT,
        "radius": TEXT,
        "strategy": TEXT,
    },
    # Meetings share the places of their groups; both name their place.
    walked_under={"group": "groups.groups", "event": "groups.events"},
    population=Population(0.8, per="groups.groups"),
)

ATTENDANCES = Stream(
    product=Product.GROUPS,
    type="Attendance",
    path="/groups/v2/events/{event_id}/attendances",
    is_listed_only=True,
    attributes={"attended": BOOLEAN, "role": TEXT},
    belongs_to={"event": "groups.events", "person": "groups.people"},
    population=Population(8, per="groups.events"),
)

RSVPS = Stream(
    product=Product.GROUPS,
    type="RSVP",
    path="/groups/v2/events/{event_id}/rsvps",
    attributes={"response": JSON},
    belongs_to={"event": "groups.events"},
    unshown=("event",),
    population=Population(2, per="groups.events"),
)
