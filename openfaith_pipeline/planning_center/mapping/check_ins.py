"""Check-Ins: who came to which event and where, and the people that it shares with People."""

from openfaith_pipeline.canonical.model import Alias, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import Constant, Presence, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import check_ins, people

PEOPLE = Alias(stream=check_ins.PEOPLE, of=people.PEOPLE)

EVENTS = Entity(
    table="events",
    tag="event",
    stream=check_ins.EVENTS,
    columns={
        "name": Take("name", default=""),
        **taken("frequency"),
        "status": Presence("archived_at", "inactive", "active"),
        "inactivatedAt": Take("archived_at"),
    },
    is_qualified=True,
)

EVENT_PERIODS = Entity(
    table="eventPeriods",
    tag="eventPeriod",
    stream=check_ins.EVENT_PERIODS,
    columns=taken("starts_at", "ends_at", "regular_count", "guest_count", "volunteer_count", "note"),
)

EVENT_TIMES = Entity(
    table="eventTimes",
    tag="eventTime",
    stream=check_ins.EVENT_TIMES,
    columns=taken(
        "name", "starts_at", "shows_at", "hides_at", "total_count", "regular_count", "guest_count", "volunteer_count"
    ),
)

LOCATIONS = Entity(
    table="locations",
    tag="location",
    stream=check_ins.LOCATIONS,
    columns={
        "name": Take("name", default=""),
        **taken("kind", "opened", "position", "max_occupancy"),
        "parentLocationId": Reference("parent"),
    },
    is_qualified=True,
)

CHECK_INS = Entity(
    table="checkIns",
    tag="checkIn",
    stream=check_ins.CHECK_INS,
    columns=taken(
        "first_name", "last_name", "kind", "number", "security_code", "one_time_guest", "confirmed_at", "checked_out_at"
    ),
)

CHECK_IN_TIMES = Edge(
    stream=check_ins.CHECK_IN_TIMES,
    between=("check_in", "location"),
    metadata={**taken("kind", "has_validated", "services_integrated"), "eventTimeId": Reference("event_time")},
)

OPTIONS = Field(stream=check_ins.OPTIONS, on=check_ins.CHECK_INS, via="options", values={"options": Take("body")})

STATIONS = Entity(
    table="stations",
    tag="station",
    stream=check_ins.STATIONS,
    columns={
        "name": Take("name", default=""),
        **taken("mode", "input_type", "timeout_seconds"),
        "printStationId": Reference("print_station"),
    },
)

THEMES = Field(
    stream=check_ins.THEMES,
    on=check_ins.STATIONS,
    via="theme",
    values={"theme": Take("name"), "theme_color": Take("color"), "theme_image": Take("image_thumbnail")},
)

LABELS = Entity(
    table="labels",
    tag="label",
    stream=check_ins.LABELS,
    columns={"name": Take("name", default=""), **taken("prints_for", "roll")},
    is_qualified=True,
)

_PRINTED = taken("quantity", "for_regular", "for_guest", "for_volunteer")

EVENT_LABELS = Edge(stream=check_ins.EVENT_LABELS, between=("event", "label"), metadata=_PRINTED)

LOCATION_LABELS = Edge(stream=check_ins.LOCATION_LABELS, between=("location", "label"), metadata=_PRINTED)

CHECK_IN_GROUPS = Folder(stream=check_ins.CHECK_IN_GROUPS, name=Constant("Check-in group", is_required=True))

ATTENDANCE_TYPES = Entity(
    table="attendanceTypes",
    tag="attendanceType",
    stream=check_ins.ATTENDANCE_TYPES,
    columns={"name": Take("name", default=""), **taken("color", "limit")},
)

HEADCOUNTS = Edge(stream=check_ins.HEADCOUNTS, between=("event_time", "attendance_type"), metadata=taken("total"))

PASSES = Field(
    stream=check_ins.PASSES,
    on=people.PEOPLE,
    via="person",
    values={"check_in_pass": Take("code"), "check_in_pass_kind": Take("kind")},
)
