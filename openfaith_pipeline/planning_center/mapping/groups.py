"""Groups: small groups with their members, meetings and attendance, and the people that it shares with People."""

from openfaith_pipeline.canonical.model import Alias, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import Presence, Reference, Rule, Take, taken
from openfaith_pipeline.planning_center.streams import groups, people

PEOPLE = Alias(stream=groups.PEOPLE, of=people.PEOPLE)

CAMPUSES = Alias(stream=groups.CAMPUSES, of=people.CAMPUSES)

GROUP_TYPES = Folder(stream=groups.GROUP_TYPES, columns=taken("description", "color"))

GROUPS = Entity(
    table="groups",
    tag="group",
    stream=groups.GROUPS,
    columns={
        "name": Take("name", default=""),
        **taken("description", "contact_email", "schedule", "memberships_count", "listed"),
        "url": Take("public_church_center_web_url"),
        "virtualLocationUrl": Take("virtual_location_url"),
        "image": Take("header_image"),
        "folderId": Reference("group_type"),
        "status": Presence("archived_at", "inactive", "active"),
        "inactivatedAt": Take("archived_at"),
    },
)

MEMBERSHIPS = Edge(stream=groups.MEMBERSHIPS, between=("person", "group"), metadata=taken("role", "joined_at"))

GROUP_APPLICATIONS = Edge(
    stream=groups.GROUP_APPLICATIONS, between=("person", "group"), metadata=taken("status", "applied_at", "message")
)

ENROLLMENTS = Field(
    stream=groups.ENROLLMENTS,
    on=groups.GROUPS,
    via="group",
    values={
        "enrollment_status": Take("status"),
        "enrollment_strategy": Take("strategy"),
        "enrollment_date_limit": Take("date_limit"),
        "enrollment_member_limit": Take("member_limit"),
    },
)

EVENTS = Entity(
    table="events",
    tag="event",
    stream=groups.EVENTS,
    columns={
        "name": Take("name", default=""),
        **taken("description", "starts_at", "ends_at", "canceled", "visitors_count", "virtual_location_url"),
        "image": Take("image"),
        "status": Presence("canceled", "inactive", "active"),
        "inactivatedAt": Take("canceled_at"),
    },
    is_qualified=True,
)

# One for everybody who was expected; `attended` says whether they came.
ATTENDANCES = Edge(stream=groups.ATTENDANCES, between=("event", "person"), metadata=taken("attended", "role"))

EVENT_NOTES = Field(stream=groups.EVENT_NOTES, on=groups.EVENTS, via="event", values={"note": Take("body")})

_PLACE: dict[str, Rule] = {
    "location": Take("name"),
    "location_address": Take("full_formatted_address"),
    "location_latitude": Take("latitude"),
    "location_longitude": Take("longitude"),
}

GROUP_LOCATIONS = Field(stream=groups.LOCATIONS, on=groups.GROUPS, via="location", values=_PLACE)

EVENT_LOCATIONS = Field(stream=groups.LOCATIONS, on=groups.EVENTS, via="location", values=_PLACE)

TAG_GROUPS = Folder(stream=groups.TAG_GROUPS)

TAGS = Entity(
    table="tags",
    tag="tag",
    stream=groups.TAGS,
    columns={"name": Take("name", default=""), **taken("position"), "folderId": Reference("tag_group")},
    is_qualified=True,
)

RESOURCES = Entity(
    table="resources",
    tag="resource",
    stream=groups.RESOURCES,
    columns={
        "name": Take("name", default=""),
        **taken("description", "visibility"),
        "kind": Take("type"),
        "lastUpdatedAt": Take("last_updated"),
    },
    is_qualified=True,
)
