"""Planning Center People: a church's people and their contact data."""

from openfaith_pipeline.catalog.stream import (
    BOOLEAN,
    DATE,
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
    product=Product.PEOPLE,
    type="Organization",
    path="/people/v2",
    table="organization",
    is_singleton=True,
    attributes={
        "name": TEXT,
        "country_code": TEXT,
        "date_format": TEXT,
        "time_zone": TEXT,
        "contact_website": TEXT,
        "created_at": TIMESTAMP,
        "avatar_url": TEXT,
        "church_center_subdomain": TEXT,
        "grades": JSON,
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
    is_listed_only=True,
    attributes={"value": TEXT, "name": TEXT, "international": BOOLEAN},
    population=Population(20),
)

CAMPUSES = Stream(
    product=Product.PEOPLE,
    type="Campus",
    path="/people/v2/campuses",
    cursor="updated_at",
    attributes={
        "name": TEXT,
        "description": TEXT,
        "street": TEXT,
        "city": TEXT,
        "state": TEXT,
        "zip": TEXT,
        "country": TEXT,
        "latitude": FLOAT,
        "longitude": FLOAT,
        "geolocation_set_manually": BOOLEAN,
        "phone_number": TEXT,
        "website": TEXT,
        "contact_email_address": TEXT,
        "time_zone": TEXT,
        "twenty_four_hour_time": BOOLEAN,
        "date_format": TEXT,
        "church_center_enabled": BOOLEAN,
        "avatar_url": TEXT,
        **TIMESTAMPS,
    },
    aliases=("PrimaryCampus",),
    population=Population(3),
)

SERVICE_TIMES = Stream(
    product=Product.PEOPLE,
    type="ServiceTime",
    path="/people/v2/campuses/{campus_id}/service_times",
    carried_as="service_times",
    attributes={"start_time": INTEGER, "day": TEXT, "description": TEXT},
    belongs_to={"campus": "people.campuses"},
    population=Population(2, per="people.campuses"),
)

NAME_PREFIXES = Stream(
    product=Product.PEOPLE,
    type="NamePrefix",
    path="/people/v2/name_prefixes",
    attributes={"value": TEXT},
    population=Population(6),
)

NAME_SUFFIXES = Stream(
    product=Product.PEOPLE,
    type="NameSuffix",
    path="/people/v2/name_suffixes",
    attributes={"value": TEXT},
    population=Population(5),
)

MARITAL_STATUSES = Stream(
    product=Product.PEOPLE,
    type="MaritalStatus",
    path="/people/v2/marital_statuses",
    attributes={"value": TEXT},
    population=Population(4),
)

INACTIVE_REASONS = Stream(
    product=Product.PEOPLE,
    type="InactiveReason",
    path="/people/v2/inactive_reasons",
    attributes={"value": TEXT},
    population=Population(4),
)

SCHOOL_OPTIONS = Stream(
    product=Product.PEOPLE,
    type="SchoolOption",
    path="/people/v2/school_options",
    attributes={
        "value": TEXT,
        "sequence": INTEGER,
        "beginning_grade": TEXT,
        "ending_grade": TEXT,
        "school_types": JSON,
    },
    population=Population(6),
)

MEMBERSHIP_TYPES = Stream(
    product=Product.PEOPLE,
    type="MembershipType",
    path="/people/v2/membership_types",
    attributes={"value": TEXT},
    population=Population(4),
)

GRADES = Stream(
    product=Product.PEOPLE,
    type="Grade",
    path="/people/v2/grades",
    # No reference lists any attributes: all of them are kept in `_extra`.
    attributes={},
    population=Population(14),
)

TABS = Stream(
    product=Product.PEOPLE,
    type="Tab",
    path="/people/v2/tabs",
    attributes={"name": TEXT, "sequence": INTEGER, "slug": TEXT},
    population=Population(3),
)

FIELD_DEFINITIONS = Stream(
    product=Product.PEOPLE,
    type="FieldDefinition",
    path="/people/v2/field_definitions",
    asks_all={"filter": "include_deleted"},
    attributes={
        "data_type": TEXT,
        "name": TEXT,
        "sequence": INTEGER,
        "slug": TEXT,
        "config": TEXT,
        "deleted_at": TIMESTAMP,
        "tab_id": TEXT,
    },
    belongs_to={"tab": "people.tabs"},
    population=Population(9),
)

FIELD_OPTIONS = Stream(
    product=Product.PEOPLE,
    type="FieldOption",
    path="/people/v2/field_definitions/{field_definition_id}/field_options",
    carried_as="field_options",
    attributes={"value": TEXT, "sequence": INTEGER},
    belongs_to={"field_definition": "people.field_definitions"},
    population=Population(3, per="people.field_definitions"),
)

PEOPLE = Stream(
    product=Product.PEOPLE,
    type="Person",
    path="/people/v2/people",
    cursor="updated_at",
    attributes={
        "accounting_administrator": BOOLEAN,
        "anniversary": DATE,
        "avatar": TEXT,
        "birthdate": DATE,
        "can_create_forms": BOOLEAN,
        "can_email_lists": BOOLEAN,
        "child": BOOLEAN,
        "demographic_avatar_url": TEXT,
        "directory_status": TEXT,
        "first_name": TEXT,
        "gender": TEXT,
        "given_name": TEXT,
        "grade": INTEGER,
        "graduation_year": INTEGER,
        "inactivated_at": TIMESTAMP,
        "last_name": TEXT,
        "login_identifier": TEXT,
        "medical_notes": TEXT,
        "membership": TEXT,
        "middle_name": TEXT,
        "name": TEXT,
        "nickname": TEXT,
        "passed_background_check": BOOLEAN,
        "people_permissions": TEXT,
        "remote_id": INTEGER,
        "resource_permission_flags": JSON,
        "school_type": TEXT,
        "site_administrator": BOOLEAN,
        "status": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={
        "primary_campus": "people.campuses",
        "marital_status": "people.marital_statuses",
        "name_prefix": "people.name_prefixes",
        "name_suffix": "people.name_suffixes",
        "inactive_reason": "people.inactive_reasons",
        "school": "people.school_options",
        "created_by": "people.people",
    },
    seldom=("created_by",),
    asks_for=("marital_status", "name_prefix", "name_suffix", "inactive_reason", "school"),
    aliases=("Assignee",),
    population=Population(1, per="church"),
)

PERSON_MERGERS = Stream(
    product=Product.PEOPLE,
    type="PersonMerger",
    path="/people/v2/person_mergers",
    cursor="created_at",
    attributes={"created_at": TIMESTAMP, "person_to_keep_id": INTEGER, "person_to_remove_id": INTEGER},
    belongs_to={"person_to_keep": "people.people", "person_to_remove": "people.people"},
    population=Population(0.02, per="church"),
)

EMAILS = Stream(
    product=Product.PEOPLE,
    type="Email",
    path="/people/v2/emails",
    cursor="updated_at",
    attributes={"address": TEXT, "location": TEXT, "primary": BOOLEAN, "blocked": BOOLEAN, **TIMESTAMPS},
    belongs_to={"person": "people.people"},
    touches=("person",),
    comes_with={"people.people": "emails"},
    population=Population(0.8, per="people.people"),
)

PHONE_NUMBERS = Stream(
    product=Product.PEOPLE,
    type="PhoneNumber",
    path="/people/v2/phone_numbers",
    cursor="updated_at",
    attributes={
        "number": TEXT,
        "carrier": TEXT,
        "location": TEXT,
        "primary": BOOLEAN,
        "e164": TEXT,
        "international": TEXT,
        "national": TEXT,
        "country_code": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"person": "people.people"},
    touches=("person",),
    comes_with={"people.people": "phone_numbers"},
    population=Population(0.9, per="people.people"),
)

ADDRESSES = Stream(
    product=Product.PEOPLE,
    type="Address",
    path="/people/v2/addresses",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "street_line_1": TEXT,
        "street_line_2": TEXT,
        "city": TEXT,
        "state": TEXT,
        "zip": TEXT,
        "country_code": TEXT,
        "country_name": TEXT,
        "location": TEXT,
        "primary": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"person": "people.people"},
    touches=("person",),
    comes_with={"people.people": "addresses"},
    population=Population(0.7, per="people.people"),
)

SOCIAL_PROFILES = Stream(
    product=Product.PEOPLE,
    type="SocialProfile",
    path="/people/v2/social_profiles",
    cursor="updated_at",
    attributes={"site": TEXT, "url": TEXT, "verified": BOOLEAN, **TIMESTAMPS},
    belongs_to={"person": "people.people"},
    asks_for=("person",),
    comes_with={"people.people": "social_profiles"},
    population=Population(0.1, per="people.people"),
)

PERSON_APPS = Stream(
    product=Product.PEOPLE,
    type="PersonApp",
    path="/people/v2/people/{person_id}/person_apps",
    carried_as="person_apps",
    attributes={"allow_pco_login": BOOLEAN, "people_permissions": TEXT},
    belongs_to={"person": "people.people", "app": "people.apps"},
    population=Population(0.1, per="people.people"),
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
    belongs_to={"person": "people.people", "created_by": "people.people"},
    population=Population(0.1, per="church"),
)

FIELD_DATA = Stream(
    product=Product.PEOPLE,
    type="FieldDatum",
    path="/people/v2/field_data",
    # Timestamps since the versions after 2025-11-10; recorded responses of 2026-06-04 offer both for filter and order.
    cursor="updated_at",
    attributes={
        "value": TEXT,
        "file": JSON,
        "file_size": INTEGER,
        "file_content_type": TEXT,
        "file_name": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={
        "field_definition": "people.field_definitions",
        "customizable": None,
        "field_option": "people.field_options",
    },
    asks_for=("field_option",),
    comes_with={"people.people": "field_data"},
    population=Population(2, per="people.people"),
)

HOUSEHOLDS = Stream(
    product=Product.PEOPLE,
    type="Household",
    path="/people/v2/households",
    cursor="updated_at",
    attributes={
        "name": TEXT,
        "member_count": INTEGER,
        "primary_contact_name": TEXT,
        "primary_contact_id": TEXT,
        "avatar": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"primary_contact": "people.people"},
    population=Population(0.35, per="people.people"),
)

HOUSEHOLD_MEMBERSHIPS = Stream(
    product=Product.PEOPLE,
    type="HouseholdMembership",
    path="/people/v2/households/{household_id}/household_memberships",
    attributes={"person_name": TEXT, "pending": BOOLEAN, "household_role": TEXT},
    belongs_to={"household": "people.households", "person": "people.people"},
    unshown=("household",),
    population=Population(2.6, per="people.households"),
)
