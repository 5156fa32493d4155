"""People: names, contact data and a church's own fields, and its campuses."""

from openfaith_pipeline.canonical.model import Answers, Entity
from openfaith_pipeline.canonical.rules import Choice, Day, FirstOf, Matching, Phone, Take, taken
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
