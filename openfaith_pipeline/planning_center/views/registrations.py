"""Sign-ups, from Registrations."""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.catalog.words import personal
from openfaith_pipeline.planning_center.views.churches import ORG_ID

_REGISTRATIONS: Final = """
SELECT attendee.org_id, attendee.signup_id, signup.name AS signup,
    occasion.starts_at, occasion.starts_at AT TIME ZONE church.time_zone AS starts_at_local,
    attendee.id AS attendee_id, attendee.person_id,
    coalesce(person.name, registrant.name) AS person,
    contact.id AS contact_id, coalesce(known_contact.name, contact.name) AS contact,
    selection.name AS selection, selection.price_cents, round(selection.price_cents / 100.0, 2) AS price,
    selection.price_currency AS currency,
    coalesce(attendee.active, false) AS is_active, coalesce(attendee.canceled, false) AS is_canceled,
    coalesce(attendee.waitlisted, false) AS is_waitlisted,
    attendee.created_at AS registered_at, attendee.created_at AT TIME ZONE church.time_zone AS registered_at_local
FROM pco_registrations.attendees AS attendee
JOIN {schema}.churches AS church ON church.org_id = attendee.org_id
LEFT JOIN pco_registrations.signups AS signup
    ON signup.org_id = attendee.org_id AND signup.id = attendee.signup_id AND signup._deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT min(moment.starts_at) AS starts_at FROM pco_registrations.signup_times AS moment
    WHERE moment.org_id = attendee.org_id AND moment.signup_id = attendee.signup_id AND moment._deleted_at IS NULL
) AS occasion ON true
LEFT JOIN pco_people.people AS person
    ON person.org_id = attendee.org_id AND person.id = attendee.person_id AND person._deleted_at IS NULL
LEFT JOIN pco_registrations.people AS registrant
    ON registrant.org_id = attendee.org_id AND registrant.id = attendee.person_id AND registrant._deleted_at IS NULL
LEFT JOIN pco_registrations.registrations AS registration
    ON registration.org_id = attendee.org_id AND registration.id = attendee.registration_id
    AND registration._deleted_at IS NULL
LEFT JOIN pco_registrations.people AS contact
    ON contact.org_id = registration.org_id AND contact.id = registration.registrant_contact_id
    AND contact._deleted_at IS NULL
LEFT JOIN pco_people.people AS known_contact
    ON known_contact.org_id = contact.org_id AND known_contact.id = contact.id AND known_contact._deleted_at IS NULL
LEFT JOIN pco_registrations.selection_types AS selection
    ON selection.org_id = attendee.org_id AND selection.id = attendee.selection_type_id
    AND selection._deleted_at IS NULL
WHERE attendee._deleted_at IS NULL
"""

REGISTRATIONS: Final = View(
    name="registrations",
    comment="Everyone who is signed up for something, with the one who registered them.",
    sql=_REGISTRATIONS,
    columns={
        "org_id": ORG_ID,
        "signup_id": "The signup's id in Planning Center.",
        "signup": "Its name.",
        "starts_at": "When it first takes place, UTC.",
        "starts_at_local": "When it first takes place, in the church's zone.",
        "attendee_id": "The attendee's id in Planning Center.",
        "person_id": "Who attends.",
        "person": personal("That person's name."),
        "contact_id": "Who registered them.",
        "contact": personal("That person's name."),
        "selection": "The kind of place chosen, such as adult or child.",
        "price_cents": "Its price in cents; payments are not in Planning Center's API.",
        "price": "The same as a number.",
        "currency": "Currency of the price.",
        "is_active": "Whether the place is taken.",
        "is_canceled": "Whether it was canceled.",
        "is_waitlisted": "Whether the attendee is on the waiting list.",
        "registered_at": "When the attendee was registered, UTC.",
        "registered_at_local": "When the attendee was registered, in the church's zone.",
    },
)
