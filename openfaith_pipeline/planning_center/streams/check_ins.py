"""Planning Center Check-Ins: attendance at events and locations, and the adults who checked people in.

The populations are assumptions, not measurements: three weekly events over three months, two check-ins per person.
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
    Stream,
)
from openfaith_pipeline.planning_center.products import Product

ORGANIZATION = Stream(
    product=Product.CHECK_INS,
    type="Organization",
    path="/check-ins/v2",
    table="organization",
    is_singleton=True,
    attributes={
        "date_format_pattern": TEXT,
        "time_zone": TEXT,
        "name": TEXT,
        "daily_check_ins": INTEGER,
        "avatar_url": TEXT,
        **TIMESTAMPS,
    },
    population=Population(1),
)

THEMES = Stream(
    product=Product.CHECK_INS,
    type="Theme",
    path="/check-ins/v2/themes",
    attributes={
        "image_thumbnail": TEXT,
        "name": TEXT,
        "color": TEXT,
        "text_color": TEXT,
        "image": JSON,
        "background_color": TEXT,
        "mode": TEXT,
        **TIMESTAMPS,
    },
    population=Population(3),
)

LABELS = Stream(
    product=Product.CHECK_INS,
    type="Label",
    path="/check-ins/v2/labels",
    attributes={"name": TEXT, "xml": TEXT, "prints_for": TEXT, "roll": TEXT, **TIMESTAMPS},
    population=Population(5),
)

EVENTS = Stream(
    product=Product.CHECK_INS,
    type="Event",
    path="/check-ins/v2/events",
    attributes={
        "name": TEXT,
        "frequency": TEXT,
        "enable_services_integration": BOOLEAN,
        "archived_at": TIMESTAMP,
        "integration_key": TEXT,
        "location_times_enabled": BOOLEAN,
        "pre_select_enabled": BOOLEAN,
        **TIMESTAMPS,
    },
    has_many={"campuses": None},
    population=Population(3),
)

ATTENDANCE_TYPES = Stream(
    product=Product.CHECK_INS,
    type="AttendanceType",
    path="/check-ins/v2/events/{event_id}/attendance_types",
    carried_as="attendance_types",
    attributes={"name": TEXT, "color": TEXT, "limit": INTEGER, **TIMESTAMPS},
    belongs_to={"event": "check_ins.events"},
    population=Population(2, per="check_ins.events"),
)

LOCATIONS = Stream(
    product=Product.CHECK_INS,
    type="Location",
    path="/check-ins/v2/locations",
    is_unconfirmed=True,
    fallback_path="/check-ins/v2/events/{event_id}/locations",
    attributes={
        "name": TEXT,
        "kind": TEXT,
        "opened": BOOLEAN,
        "questions": JSON,
        "age_min_in_months": INTEGER,
        "age_max_in_months": INTEGER,
        "age_range_by": TEXT,
        "age_on": DATE,
        "child_or_adult": TEXT,
        "effective_date": DATE,
        "gender": TEXT,
        "grade_min": INTEGER,
        "grade_max": INTEGER,
        "max_occupancy": INTEGER,
        "min_volunteers": INTEGER,
        "attendees_per_volunteer": INTEGER,
        "position": INTEGER,
        "milestone": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"event": "check_ins.events", "parent": "check_ins.locations"},
    has_many={"options": "check_ins.options"},
    asks_for=("event", "options"),
    aliases=("Parent",),
    population=Population(4, per="check_ins.events"),
)

OPTIONS = Stream(
    product=Product.CHECK_INS,
    type="Option",
    path="/check-ins/v2/options",
    attributes={"body": TEXT, "quantity": INTEGER, **TIMESTAMPS},
    belongs_to={"label": "check_ins.labels"},
    asks_for=("label",),
    population=Population(4),
)

STATIONS = Stream(
    product=Product.CHECK_INS,
    type="Station",
    path="/check-ins/v2/stations",
    attributes={
        "mode": INTEGER,
        "name": TEXT,
        "timeout_seconds": INTEGER,
        "input_type": TEXT,
        "input_type_options": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={
        "event": "check_ins.events",
        "location": "check_ins.locations",
        "print_station": "check_ins.stations",
        "theme": "check_ins.themes",
    },
    asks_for=("event", "location", "print_station", "theme"),
    population=Population(5),
)

INTEGRATION_LINKS = Stream(
    product=Product.CHECK_INS,
    type="IntegrationLink",
    path="/check-ins/v2/integration_links",
    attributes={
        "remote_gid": TEXT,
        "remote_app": TEXT,
        "remote_type": TEXT,
        "remote_id": TEXT,
        "sync_future_assignment_types": BOOLEAN,
    },
    belongs_to={"local": None},
    population=Population(4),
)

PEOPLE = Stream(
    product=Product.CHECK_INS,
    type="Person",
    path="/check-ins/v2/people",
    attributes={
        "addresses": JSON,
        "email_addresses": JSON,
        "phone_numbers": JSON,
        "avatar_url": TEXT,
        "name_prefix": TEXT,
        "first_name": TEXT,
        "middle_name": TEXT,
        "last_name": TEXT,
        "name_suffix": TEXT,
        "birthdate": DATE,
        "grade": INTEGER,
        "gender": TEXT,
        "medical_notes": TEXT,
        "child": BOOLEAN,
        "permission": TEXT,
        "headcounter": BOOLEAN,
        "last_checked_in_at": TIMESTAMP,
        "check_in_count": INTEGER,
        "passed_background_check": BOOLEAN,
        "demographic_avatar_url": TEXT,
        "name": TEXT,
        "top_permission": TEXT,
        "ignore_filters": BOOLEAN,
        "search_name": JSON,
        **TIMESTAMPS,
    },
    population=Population(0.35, per="church"),
)

PASSES = Stream(
    product=Product.CHECK_INS,
    type="Pass",
    path="/check-ins/v2/passes",
    attributes={"code": TEXT, "kind": TEXT, "send_to": JSON, **TIMESTAMPS},
    belongs_to={"person": "check_ins.people"},
    asks_for=("person",),
    population=Population(0.2, per="check_ins.people"),
)

EVENT_PERIODS = Stream(
    product=Product.CHECK_INS,
    type="EventPeriod",
    path="/check-ins/v2/events/{event_id}/event_periods",
    attributes={
        "starts_at": TIMESTAMP,
        "ends_at": TIMESTAMP,
        "regular_count": INTEGER,
        "guest_count": INTEGER,
        "volunteer_count": INTEGER,
        "note": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"event": "check_ins.events"},
    population=Population(12, per="check_ins.events"),
)

EVENT_TIMES = Stream(
    product=Product.CHECK_INS,
    type="EventTime",
    path="/check-ins/v2/event_times",
    cursor="updated_at",
    is_cursor_orderable=False,
    attributes={
        "total_count": INTEGER,
        "starts_at": TIMESTAMP,
        "shows_at": TIMESTAMP,
        "hides_at": TIMESTAMP,
        "regular_count": INTEGER,
        "guest_count": INTEGER,
        "volunteer_count": INTEGER,
        "name": TEXT,
        "hour": INTEGER,
        "minute": INTEGER,
        "day_of_week": INTEGER,
        **TIMESTAMPS,
    },
    belongs_to={"event": "check_ins.events", "event_period": "check_ins.event_periods"},
    population=Population(1.3, per="check_ins.event_periods"),
)

HEADCOUNTS = Stream(
    product=Product.CHECK_INS,
    type="Headcount",
    path="/check-ins/v2/headcounts",
    cursor="updated_at",
    attributes={"total": INTEGER, **TIMESTAMPS},
    belongs_to={"event_time": "check_ins.event_times", "attendance_type": "check_ins.attendance_types"},
    population=Population(1, per="check_ins.event_times"),
)

CHECK_INS = Stream(
    product=Product.CHECK_INS,
    type="CheckIn",
    path="/check-ins/v2/check_ins",
    cursor="updated_at",
    attributes={
        "first_name": TEXT,
        "last_name": TEXT,
        "medical_notes": TEXT,
        "number": INTEGER,
        "security_code": TEXT,
        "checked_out_at": TIMESTAMP,
        "confirmed": JSON,
        "confirmed_at": TIMESTAMP,
        "emergency_contact_name": TEXT,
        "emergency_contact_phone_number": TEXT,
        "one_time_guest": BOOLEAN,
        "kind": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={
        "event_period": "check_ins.event_periods",
        "person": "check_ins.people",
        "checked_in_at": "check_ins.stations",
        "checked_in_by": "check_ins.people",
        "checked_out_by": "check_ins.people",
        "event": "check_ins.events",
    },
    has_many={"options": "check_ins.options"},
    asks_for=("checked_in_at", "checked_in_by", "checked_out_by", "event", "options"),
    population=Population(2, per="church"),
)

CHECK_IN_TIMES = Stream(
    product=Product.CHECK_INS,
    type="CheckInTime",
    path="/check-ins/v2/check_ins/{check_in_id}/check_in_times",
    carried_as="check_in_times",
    attributes={"kind": TEXT, "has_validated": BOOLEAN, "services_integrated": BOOLEAN, "alerts": JSON},
    belongs_to={
        "check_in": "check_ins.check_ins",
        "event_time": "check_ins.event_times",
        "location": "check_ins.locations",
        "pre_check": None,
    },
    population=Population(1.1, per="check_ins.check_ins"),
)

CHECK_IN_GROUPS = Stream(
    product=Product.CHECK_INS,
    type="CheckInGroup",
    path="/check-ins/v2/check_in_groups",
    is_unconfirmed=True,
    fallback_path="/check-ins/v2/stations/{station_id}/check_in_groups",
    attributes={
        "name_labels_count": INTEGER,
        "security_labels_count": INTEGER,
        "check_ins_count": INTEGER,
        "print_status": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"event_period": "check_ins.event_periods", "print_station": "check_ins.stations"},
    has_many={"check_ins": "check_ins.check_ins"},
    asks_for=("event_period", "print_station", "check_ins"),
    walked_under={"station": "check_ins.stations"},
    population=Population(0.8, per="church"),
)

EVENT_LABELS = Stream(
    product=Product.CHECK_INS,
    type="EventLabel",
    path="/check-ins/v2/events/{event_id}/event_labels",
    attributes={
        "quantity": INTEGER,
        "for_regular": BOOLEAN,
        "for_guest": BOOLEAN,
        "for_volunteer": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"event": "check_ins.events", "label": "check_ins.labels"},
    unshown=("event",),
    asks_for=("label",),
    population=Population(2, per="check_ins.events"),
)

LOCATION_EVENT_PERIODS = Stream(
    product=Product.CHECK_INS,
    type="LocationEventPeriod",
    path="/check-ins/v2/locations/{location_id}/location_event_periods",
    is_unconfirmed=True,
    attributes={"regular_count": INTEGER, "guest_count": INTEGER, "volunteer_count": INTEGER, **TIMESTAMPS},
    belongs_to={"location": "check_ins.locations", "event_period": "check_ins.event_periods"},
    unshown=("location",),
    asks_for=("event_period",),
    population=Population(10, per="check_ins.locations"),
)

LOCATION_EVENT_TIMES = Stream(
    product=Product.CHECK_INS,
    type="LocationEventTime",
    path="/check-ins/v2/event_times/{event_time_id}/location_event_times",
    cursor="updated_at",
    is_cursor_orderable=False,
    attributes={"regular_count": INTEGER, "guest_count": INTEGER, "volunteer_count": INTEGER, **TIMESTAMPS},
    belongs_to={"event_time": "check_ins.event_times", "location": "check_ins.locations"},
    unshown=("event_time",),
    asks_for=("location",),
    population=Population(4, per="check_ins.event_times"),
)

LOCATION_LABELS = Stream(
    product=Product.CHECK_INS,
    type="LocationLabel",
    path="/check-ins/v2/labels/{label_id}/location_labels",
    attributes={
        "quantity": INTEGER,
        "for_regular": BOOLEAN,
        "for_guest": BOOLEAN,
        "for_volunteer": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"label": "check_ins.labels", "location": "check_ins.locations"},
    unshown=("label",),
    asks_for=("location",),
    population=Population(3, per="check_ins.labels"),
)

PERSON_EVENTS = Stream(
    product=Product.CHECK_INS,
    type="PersonEvent",
    path="/check-ins/v2/events/{event_id}/person_events",
    attributes={"check_in_count": INTEGER, **TIMESTAMPS},
    belongs_to={
        "event": "check_ins.events",
        "first_check_in": "check_ins.check_ins",
        "last_check_in": "check_ins.check_ins",
        "person": "check_ins.people",
    },
    unshown=("event",),
    asks_for=("first_check_in", "last_check_in", "person"),
    population=Population(0.4, per="church"),
)
