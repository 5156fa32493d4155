"""Descriptions of the types of Registrations and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries, personal

TABLES: Final[Mapping[str, str]] = {
    "organization": "The church itself, as it is set up in Registrations",
    "campuses": "The church's sites, as Registrations knows them",
    "categories": "Categories of signups",
    "signups": "Signups: events that people register for",
    "signup_times": "When the events of signups take place",
    "signup_locations": "Where the events of signups take place",
    "selection_types": "Kinds of places to register for, such as Adult or Child",
    "registrations": "Registrations: one person registers one or several attendees",
    "attendees": "People who are registered",
    "emergency_contacts": "People to call about an attendee in an emergency",
    "people": "People who registered somebody or are registered",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "campuses": {
        "street": "Street and number of the campus",
        "city": "City of the campus",
        "state": "State or region of the campus",
        "zip": "Postal code of the campus",
        "country": "Country of the campus",
        "full_formatted_address": "Whole postal address of the campus, in one text",
    },
    "signups": {
        "close_at": "When registration ends",
        "closed": "Whether registration has ended",
        "logo_url": "Web address of the picture",
        "maximum_capacity": "Most people who can register",
        "new_registration_url": "Web address where people register",
        "open": "Whether people can register",
        "open_at": "When registration begins",
    },
    "signup_times": {
        "all_day": "Whether it has no time of day",
    },
    "signup_locations": {
        "subpremise": "Room or unit",
        "location_type": "Kind of place, such as address or online",
        "formatted_address": "Postal address of the place",
        "full_formatted_address": "Whole postal address of the place, in one text",
    },
    "selection_types": {
        "maximum_capacity": "Most people who can choose it",
        "publicly_available": "Whether everyone may choose it",
        "price_cents": "Price for one person, in cents",
        "price_currency": "Currency of the price, as an ISO 4217 code",
        "waitlist": "Whether there is a waiting list",
    },
    "attendees": {
        "active": "Whether the place is taken: neither canceled nor waiting",
        "canceled": "Whether it was canceled",
        "complete": "Whether everything required was filled in and paid",
        "waitlisted": "Whether the person is on the waiting list",
        "waitlisted_at": "When the person was put on the waiting list",
    },
    "emergency_contacts": {
        "name": personal("Name of the contact"),
        "phone_number": personal("Phone number of the contact"),
    },
    "people": {
        "name": personal("Full name"),
    },
}
