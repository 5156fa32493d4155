"""People: names, contact data, households and a church's own fields, and its campuses."""

from openfaith_pipeline.canonical.model import Answers, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import (
    Choice,
    Constant,
    Day,
    FirstOf,
    Integer32,
    Matching,
    Phone,
    Presence,
    Reference,
    Take,
    taken,
)
from openfaith_pipeline.planning_center.streams import people

CAMPUSES = Entity(
    table="campuses",
    tag="campus",
    stream=people.CAMPUSES,
    columns={
        **{name: Take(name, default="") for name in ("name", "street", "city", "state", "zip")},
        # Planning Center has one free field for a campus's country; only a two-letter code is a country code.
        "countryCode": Matching("country", "[A-Za-z]{2}", is_upper=True),
        **taken("description", "latitude", "longitude"),
        "url": Take("website"),
        "avatar": Take("avatar_url"),
    },
)

PEOPLE = Entity(
    table="people",
    tag="person",
    stream=people.PEOPLE,
    columns={
        **taken("first_name", "middle_name", "last_name", "name", "membership", "avatar", "inactivated_at"),
        "gender": Choice("gender", {"male": "male", "m": "male", "female": "female", "f": "female"}),
        "birthdate": Day("birthdate"),
        "anniversary": Day("anniversary"),
        # The source also knows `pending`: such a person counts as active, and the word is kept as a custom field.
        "status": Choice("status", {"active": "active", "inactive": "inactive"}, default="active"),
    },
)

FIELD_DATA = Answers(
    stream=people.FIELD_DATA,
    on=people.PEOPLE,
    via="customizable",
    definition="field_definition",
    definitions=people.FIELD_DEFINITIONS,
    value=FirstOf("value", "file_name"),
)

EMAILS = Entity(
    table="emails",
    tag="email",
    stream=people.EMAILS,
    columns={
        "address": Take("address", default=""),
        "location": Take("location"),
        "primary": Take("primary", default=False),
        "blocked": Take("blocked", default=False),
    },
)

PHONE_NUMBERS = Entity(
    table="phoneNumbers",
    tag="phoneNumber",
    stream=people.PHONE_NUMBERS,
    columns={
        "number": Phone("e164", number="number", country="country_code"),
        **taken("country_code", "location"),
        "primary": Take("primary", default=False),
    },
)

ADDRESSES = Entity(
    table="addresses",
    tag="address",
    stream=people.ADDRESSES,
    columns={
        "streetLine1": Take("street_line_1"),
        "streetLine2": Take("street_line_2"),
        **taken("city", "state", "zip", "country_code", "location"),
        "primary": Take("primary", default=False),
    },
)

MARITAL_STATUSES = Field(
    stream=people.MARITAL_STATUSES, on=people.PEOPLE, via="marital_status", values={"marital_status": Take("value")}
)

INACTIVE_REASONS = Field(
    stream=people.INACTIVE_REASONS, on=people.PEOPLE, via="inactive_reason", values={"inactive_reason": Take("value")}
)

NAME_PREFIXES = Field(
    stream=people.NAME_PREFIXES, on=people.PEOPLE, via="name_prefix", values={"name_prefix": Take("value")}
)

NAME_SUFFIXES = Field(
    stream=people.NAME_SUFFIXES, on=people.PEOPLE, via="name_suffix", values={"name_suffix": Take("value")}
)

SCHOOL_OPTIONS = Field(stream=people.SCHOOL_OPTIONS, on=people.PEOPLE, via="school", values={"school": Take("value")})

SOCIAL_PROFILES = Entity(
    table="socialProfiles", tag="socialProfile", stream=people.SOCIAL_PROFILES, columns=taken("site", "url", "verified")
)

HOUSEHOLDS = Entity(
    table="households",
    tag="household",
    stream=people.HOUSEHOLDS,
    columns={
        "name": Take("name", default=""),
        **taken("avatar", "member_count"),
        "primaryContactId": Reference("primary_contact"),
    },
)

HOUSEHOLD_MEMBERSHIPS = Edge(
    stream=people.HOUSEHOLD_MEMBERSHIPS,
    between=("person", "household"),
    metadata={"role": Take("household_role"), **taken("pending")},
)

TABS = Folder(stream=people.TABS, type="pco_custom_field_tab")

FIELD_DEFINITIONS = Entity(
    table="fields",
    tag="field",
    stream=people.FIELD_DEFINITIONS,
    columns={
        "key": Take("slug", default=""),
        "label": Take("name", default=""),
        "entityTag": Constant("person", is_required=True),
        "source": Constant("pco"),
        "type": Choice(
            "data_type",
            {
                "text": "text",
                "string": "text",
                "number": "number",
                "boolean": "boolean",
                "date": "date",
                "select": "singleSelect",
                "checkboxes": "multiSelect",
            },
            default="text",
        ),
        # Planning Center still lists a deleted definition, with the time of deletion.
        "status": Presence("deleted_at", "inactive", "active"),
        "inactivatedAt": Take("deleted_at"),
    },
)

FIELD_OPTIONS = Entity(
    table="fieldOptions",
    tag="fieldOption",
    stream=people.FIELD_OPTIONS,
    columns={
        "label": Take("value", default=""),
        "value": Take("value", default=""),
        "order": Integer32("sequence", default=0),
        "fieldId": Reference("field_definition", default=""),
    },
)
