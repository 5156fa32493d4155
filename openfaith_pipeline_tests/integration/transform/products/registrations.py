"""The expected mapping of Registrations' records."""

from typing import Any

from openfaith_pipeline_tests.integration.transform.products.rules import Join, Oracle, Record, Row, directory, folder


def _signup(raw: Record) -> dict[str, Any]:
    return {
        "name": raw["name"] or "",
        **raw.all("description", "open_at", "close_at", "logo_url"),
        "registrationUrl": raw["new_registration_url"],
        "status": "inactive" if raw.look("archived") else "active",
    }


def _signup_fields(raw: Record) -> dict[str, Any]:
    times, places = "registrations.signup_times", "registrations.signup_locations"
    address = ("full_formatted_address", "formatted_address")
    return {
        "starts_at": raw.of(times, "signup", lambda row: row["starts_at"]),
        "ends_at": raw.of(times, "signup", lambda row: row["ends_at"]),
        "location": raw.of(places, "signup", lambda row: row["name"]),
        "location_address": raw.of(
            places, "signup", lambda row: row[address[1]] if row[address[0]] is None else row[address[0]]
        ),
        "location_url": raw.of(places, "signup", lambda row: row["url"]),
        "location_latitude": raw.of(places, "signup", lambda row: row["latitude"]),
        "location_longitude": raw.of(places, "signup", lambda row: row["longitude"]),
        "location_subpremise": raw.of(places, "signup", lambda row: row["subpremise"]),
    }


def _registration(raw: Record) -> dict[str, Any]:
    return {"createdAt": raw["created_at"], "createdById": raw.named("created_by")}


def _attendee_fields(raw: Record) -> dict[str, Any]:
    selections, contacts = "registrations.selection_types", "registrations.emergency_contacts"
    return {
        "selection": raw.of_named(selections, "selection_type", lambda row: row["name"]),
        "priceCents": raw.of_named(selections, "selection_type", lambda row: row["price_cents"]),
        "priceCurrency": raw.of_named(selections, "selection_type", lambda row: row["price_currency"]),
        "emergencyContact": raw.of(contacts, "attendee", lambda row: row["name"]),
        "emergencyPhoneNumber": raw.of(contacts, "attendee", lambda row: row["phone_number"]),
    }


ORACLE = Oracle(
    rows={
        **directory(),
        "registrations.categories": folder("pco_registrations_category", lambda raw: {"name": raw["name"] or ""}),
        "registrations.signups": Row("signups", "signup", _signup, fields=_signup_fields),
    },
    joins={
        "registrations.registrations": Join("registrant_contact", "signup", "registration", _registration),
        "registrations.attendees": Join(
            "person", "signup", "signup_attendee",
            lambda raw: raw.all("active", "canceled", "complete", "waitlisted", "waitlisted_at", "created_at"),
            _attendee_fields,
        ),
    },
    aliases={"registrations.people": "people.people", "registrations.campuses": "people.campuses"},
)  # fmt: skip
