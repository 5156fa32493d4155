"""Calendar: events and their instances, the rooms and resources they need. Its people are those of People.

Other products have events, tags, resources and attachments too, so theirs and these go by stream and id.
"""

from openfaith_pipeline.canonical.model import Alias, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import Joined, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import calendar, people

PEOPLE = Alias(stream=calendar.PEOPLE, of=people.PEOPLE)

FEEDS = Folder(stream=calendar.FEEDS)

TAG_GROUPS = Folder(stream=calendar.TAG_GROUPS)

TAGS = Entity(
    table="tags",
    tag="tag",
    stream=calendar.TAGS,
    columns={"name": Take("name", default=""), **taken("color"), "folderId": Reference("tag_group")},
    is_qualified=True,
)

# A folder's place among the others is in no relationship but in `ancestry`, the ids above it: a custom field.
RESOURCE_FOLDERS = Folder(stream=calendar.RESOURCE_FOLDERS)

RESOURCES = Entity(
    table="resources",
    tag="resource",
    stream=calendar.RESOURCES,
    columns={
        "name": Take("name", default=""),
        **taken("description", "kind", "quantity", "serial_number", "home_location", "expires_at"),
        "folderId": Reference("resource_folder"),
    },
    is_qualified=True,
)

RESOURCE_QUESTIONS = Field(
    stream=calendar.RESOURCE_QUESTIONS,
    on=calendar.RESOURCES,
    via="resource",
    values={"questions": Take("question")},
)

ROOM_SETUPS = Field(
    stream=calendar.ROOM_SETUPS, on=calendar.RESOURCES, via="containing_resource", values={"room_setups": Take("name")}
)

RESOURCE_APPROVAL_GROUPS = Entity(
    table="resourceApprovalGroups",
    tag="resourceApprovalGroup",
    stream=calendar.RESOURCE_APPROVAL_GROUPS,
    columns={"name": Take("name", default="")},
)

REQUIRED_APPROVALS = Edge(stream=calendar.REQUIRED_APPROVALS, between=("resource_approval_group", "resource"))

EVENTS = Entity(
    table="events",
    tag="event",
    stream=calendar.EVENTS,
    columns={
        "name": Take("name", default=""),
        **taken("description", "summary", "approval_status", "visible_in_church_center", "featured"),
        **taken("image_url", "registration_url"),
        "ownerId": Reference("owner"),
        "feedId": Reference("feed"),
    },
    is_qualified=True,
)

EVENT_INSTANCES = Entity(
    table="eventInstances",
    tag="eventInstance",
    stream=calendar.EVENT_INSTANCES,
    columns={
        "name": Take("name", default=""),
        "allDay": Take("all_day_event", default=False),
        **taken("starts_at", "ends_at", "location", "recurrence", "church_center_url"),
        "eventId": Reference("event"),
    },
)

EVENT_RESOURCE_REQUESTS = Edge(
    stream=calendar.EVENT_RESOURCE_REQUESTS,
    between=("event", "resource"),
    metadata={
        **taken("approval_status", "quantity", "notes"),
        "createdById": Reference("created_by"),
        "updatedById": Reference("updated_by"),
    },
)

SETUPS_OF_REQUESTS = Field(
    stream=calendar.ROOM_SETUPS,
    on=calendar.EVENT_RESOURCE_REQUESTS,
    via="room_setup",
    values={"roomSetup": Take("name")},
)

EVENT_RESOURCE_ANSWERS = Field(
    stream=calendar.EVENT_RESOURCE_ANSWERS,
    on=calendar.EVENT_RESOURCE_REQUESTS,
    via="event_resource_request",
    values={"answers": Joined("question", "answer", by=": ")},
)

RESOURCE_BOOKINGS = Edge(
    stream=calendar.RESOURCE_BOOKINGS,
    between=("event", "resource"),
    metadata={**taken("starts_at", "ends_at", "quantity"), "eventInstanceId": Reference("event_instance")},
)

ATTACHMENTS = Entity(
    table="attachments",
    tag="attachment",
    stream=calendar.ATTACHMENTS,
    columns={
        "name": Take("name", default=""),
        **taken("description", "content_type", "file_size", "url"),
        "eventId": Reference("event"),
    },
    is_qualified=True,
)
