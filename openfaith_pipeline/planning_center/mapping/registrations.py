"""Registrations: signups, who registered for them and who attends. Its people and campuses are those of People."""

from openfaith_pipeline.canonical.model import Alias, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import FirstOf, Money, Presence, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import people, registrations

PEOPLE = Alias(stream=registrations.PEOPLE, of=people.PEOPLE)

CAMPUSES = Alias(stream=registrations.CAMPUSES, of=people.CAMPUSES)

CATEGORIES = Folder(stream=registrations.CATEGORIES, type="pco_registrations_category")

SIGNUPS = Entity(
    table="signups",
    tag="signup",
    stream=registrations.SIGNUPS,
    columns={
        "name": Take("name", default=""),
        **taken("description", "open_at", "close_at", "logo_url"),
        "registrationUrl": Take("new_registration_url"),
        "status": Presence("archived", "inactive", "active"),
    },
)

SIGNUP_TIMES = Field(
    stream=registrations.SIGNUP_TIMES,
    on=registrations.SIGNUPS,
    via="signup",
    values={"starts_at": Take("starts_at"), "ends_at": Take("ends_at")},
)

SIGNUP_LOCATIONS = Field(
    stream=registrations.SIGNUP_LOCATIONS,
    on=registrations.SIGNUPS,
    via="signup",
    values={
        "location": Take("name"),
        "location_address": FirstOf("full_formatted_address", "formatted_address"),
        "location_url": Take("url"),
        **{f"location_{name}": Take(name) for name in ("latitude", "longitude", "subpremise")},
    },
)

REGISTRATIONS = Edge(
    stream=registrations.REGISTRATIONS,
    between=("registrant_contact", "signup"),
    metadata={**taken("created_at"), "createdById": Reference("created_by")},
)

ATTENDEES = Edge(
    stream=registrations.ATTENDEES,
    between=("person", "signup"),
    metadata=taken("active", "canceled", "complete", "waitlisted", "waitlisted_at", "created_at"),
    name="signup_attendee",
)

SELECTION_TYPES = Field(
    stream=registrations.SELECTION_TYPES,
    on=registrations.ATTENDEES,
    via="selection_type",
    values={"selection": Take("name"), "priceCents": Money("price_cents"), "priceCurrency": Take("price_currency")},
)

EMERGENCY_CONTACTS = Field(
    stream=registrations.EMERGENCY_CONTACTS,
    on=registrations.ATTENDEES,
    via="attendee",
    values={"emergencyContact": Take("name"), "emergencyPhoneNumber": Take("phone_number")},
)
