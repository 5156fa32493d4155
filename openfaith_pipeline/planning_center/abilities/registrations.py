"""The parameters that the lists of Registrations take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "campuses": Abilities(),
    "categories": Abilities(),
    "signups": Abilities(
        query="id",
        order="updated_at",
        filter="archived unarchived",
        include="campuses categories next_signup_time signup_location signup_times",
    ),
    "signup_times": Abilities(filter="future past"),
    "signup_locations": Abilities(),
    "selection_types": Abilities(filter="publicly_available"),
    "registrations": Abilities(order="updated_at", include="created_by registrant_contact"),
    "attendees": Abilities(
        filter="active canceled waitlist",
        include="emergency_contact person registration selection_type",
    ),
    "emergency_contacts": Abilities(),
    "people": Abilities(),
}
