"""Planning Center Registrations: signups, registrations and attendees.

The contents of lists depend on the permissions of the token's user.

The populations are assumptions, not measurements: a few signups with a dozen registrations each.
"""

from openfaith_pipeline.catalog.stream import BOOLEAN, INTEGER, JSON, TEXT, TIMESTAMP, TIMESTAMPS, Population, Stream
from openfaith_pipeline.planning_center.products import Product

ORGANIZATION = Stream(
    product=Product.REGISTRATIONS,
    type="Organization",
    path="/registrations/v2",
    table="organization",
    is_singleton=True,
    attributes={"name": TEXT, **TIMESTAMPS},
    population=Population(1),
)

CAMPUSES = Stream(
    product=Product.REGISTRATIONS,
    type="Campus",
    path="/registrations/v2/campuses",
    attributes={
        "name": TEXT,
        "street": TEXT,
        "city": TEXT,
        "state": TEXT,
        "zip": TEXT,
        "country": TEXT,
        "full_formatted_address": TEXT,
        **TIMESTAMPS,
    },
    population=Population(2),
)

CATEGORIES = Stream(
    product=Product.REGISTRATIONS,
    type="Category",
    path="/registrations/v2/categories",
    attributes={"name": TEXT, **TIMESTAMPS},
    population=Population(3),
)

SIGNUPS = Stream(
    product=Product.REGISTRATIONS,
    type="Signup",
    path="/registrations/v2/signups",
    attributes={
        "archived": BOOLEAN,
        "close_at": TIMESTAMP,
        "closed": JSON,
        "description": TEXT,
        "logo_url": TEXT,
        "maximum_capacity": JSON,
        "name": TEXT,
        "new_registration_url": TEXT,
        "open": JSON,
        "open_at": TIMESTAMP,
        **TIMESTAMPS,
    },
    has_many={"campuses": "registrations.campuses", "categories": "registrations.categories"},
    asks_for=("campuses", "categories"),
    population=Population(5),
)

SIGNUP_TIMES = Stream(
    product=Product.REGISTRATIONS,
    type="SignupTime",
    path="/registrations/v2/signups/{signup_id}/signup_times",
    carried_as="signup_times",
    attributes={"starts_at": TIMESTAMP, "ends_at": TIMESTAMP, "all_day": BOOLEAN, **TIMESTAMPS},
    belongs_to={"signup": "registrations.signups"},
    unshown=("signup",),
    population=Population(1.2, per="registrations.signups"),
)

SIGNUP_LOCATIONS = Stream(
    product=Product.REGISTRATIONS,
    type="SignupLocation",
    path="/registrations/v2/signups/{signup_id}/signup_location",
    table="signup_locations",
    carried_as="signup_location",
    is_singleton=True,
    attributes={
        "name": TEXT,
        "subpremise": TEXT,
        "latitude": TEXT,
        "longitude": TEXT,
        "location_type": TEXT,
        "url": TEXT,
        "formatted_address": TEXT,
        "full_formatted_address": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"signup": "registrations.signups"},
    unshown=("signup",),
    population=Population(0.8, per="registrations.signups"),
)

SELECTION_TYPES = Stream(
    product=Product.REGISTRATIONS,
    type="SelectionType",
    path="/registrations/v2/signups/{signup_id}/selection_types",
    attributes={
        "maximum_capacity": JSON,
        "name": TEXT,
        "publicly_available": BOOLEAN,
        "price_cents": INTEGER,
        "price_currency": TEXT,
        "waitlist": JSON,
        **TIMESTAMPS,
    },
    only_asked=("price_currency",),
    belongs_to={"signup": "registrations.signups"},
    unshown=("signup",),
    population=Population(2, per="registrations.signups"),
)

REGISTRATIONS = Stream(
    product=Product.REGISTRATIONS,
    type="Registration",
    path="/registrations/v2/signups/{signup_id}/registrations",
    attributes=TIMESTAMPS,
    belongs_to={
        "signup": "registrations.signups",
        "created_by": "registrations.people",
        "registrant_contact": "registrations.people",
    },
    unshown=("signup",),
    asks_for=("created_by", "registrant_contact"),
    population=Population(12, per="registrations.signups"),
)

ATTENDEES = Stream(
    product=Product.REGISTRATIONS,
    type="Attendee",
    path="/registrations/v2/signups/{signup_id}/attendees",
    attributes={
        "active": BOOLEAN,
        "canceled": BOOLEAN,
        "complete": BOOLEAN,
        "waitlisted": BOOLEAN,
        "waitlisted_at": TIMESTAMP,
        **TIMESTAMPS,
    },
    only_asked=("complete",),
    belongs_to={
        "signup": "registrations.signups",
        "person": "registrations.people",
        "registration": "registrations.registrations",
        "selection_type": "registrations.selection_types",
    },
    unshown=("signup",),
    asks_for=("person", "registration", "selection_type"),
    population=Population(20, per="registrations.signups"),
)

EMERGENCY_CONTACTS = Stream(
    product=Product.REGISTRATIONS,
    type="EmergencyContact",
    path="/registrations/v2/signups/{signup_id}/attendees/{attendee_id}/emergency_contact",
    table="emergency_contacts",
    carried_as="emergency_contact",
    is_singleton=True,
    attributes={"name": TEXT, "phone_number": TEXT},
    belongs_to={"signup": "registrations.signups", "attendee": "registrations.attendees"},
    unshown=("signup", "attendee"),
    population=Population(0.5, per="registrations.attendees"),
)

PEOPLE = Stream(
    product=Product.REGISTRATIONS,
    type="Person",
    path="/registrations/v2/signups/{signup_id}/attendees/{attendee_id}/person",
    table="people",
    carried_as="person",
    is_singleton=True,
    also_under=(
        "/registrations/v2/signups/{signup_id}/registrations/{registration_id}/created_by",
        "/registrations/v2/signups/{signup_id}/registrations/{registration_id}/registrant_contact",
    ),
    attributes={"first_name": TEXT, "last_name": TEXT, "name": TEXT},
    # One person attends and registers many times; attendees and registrations name their person.
    walked_under={
        "signup": "registrations.signups",
        "attendee": "registrations.attendees",
        "registration": "registrations.registrations",
    },
    population=Population(0.06, per="church"),
)
