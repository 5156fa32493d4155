"""The person that Planning Center's records are about, decided for each relationship to a person.

Erased with a person: records that would be nothing without them, such as contact details, memberships, answers, notes.
Kept without them: records that are also the church's own, gifts (or its totals would change) and attendance. These lose
the reference and all that describes the person.
"""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.personal import Personal, PersonalData
from openfaith_pipeline.planning_center.streams import (
    api,
    calendar,
    check_ins,
    giving,
    groups,
    people,
    registrations,
    services_teams,
)

PEOPLE: Final = (
    people.PEOPLE,
    groups.PEOPLE,
    groups.OWNERS,
    giving.PEOPLE,
    calendar.PEOPLE,
    check_ins.PEOPLE,
    services_teams.PEOPLE,
    registrations.PEOPLE,
    api.CONNECTED_APPLICATION_PEOPLE,
)
"""A person has one id in every product, as Planning Center's staff says (planningcenter/developers, issue 226)."""

_THEIRS: Final = Personal(erased_with=("person",))
_NAMED: Final = Personal(describes={"person": ()})

PERSONAL: Final[Mapping[str, Personal]] = {
    "people.person_mergers": Personal(erased_with=("person_to_keep", "person_to_remove")),
    "people.emails": _THEIRS,
    "people.phone_numbers": _THEIRS,
    "people.addresses": _THEIRS,
    "people.social_profiles": _THEIRS,
    "people.person_apps": _THEIRS,
    "people.background_checks": _THEIRS,
    "people.field_data": Personal(erased_with=("customizable",)),
    "people.households": Personal(
        describes={"primary_contact": ("primary_contact_name", "avatar")}, members="people.household_memberships"
    ),
    "people.household_memberships": _THEIRS,
    "people.note_category_shares": _THEIRS,
    "people.note_category_subscriptions": _THEIRS,
    "people.notes": _THEIRS,
    "people.list_shares": _THEIRS,
    "people.list_results": _THEIRS,
    "people.message_groups": Personal(describes={"from": ("from_address", "reply_to_name", "reply_to_address")}),
    "people.messages": Personal(erased_with=("to",), describes={"from": ("from_name", "from_address")}),
    "people.people_import_histories": _THEIRS,
    "people.spam_email_addresses": Personal(shares={"address": ("people.emails", "address")}),
    "people.form_submissions": _THEIRS,
    "people.form_submission_values": Personal(erased_with=("form_submission",)),
    "people.workflow_shares": _THEIRS,
    "people.workflow_cards": _THEIRS,
    "people.workflow_card_activities": Personal(erased_with=("workflow_card",)),
    "people.workflow_card_notes": Personal(erased_with=("workflow_card",)),
    "groups.memberships": _THEIRS,
    "groups.group_applications": _THEIRS,
    "groups.attendances": _NAMED,
    "giving.pledges": Personal(describes={"person": (), "joint_giver": ()}),
    "giving.recurring_donations": _THEIRS,
    "giving.recurring_donation_designations": Personal(erased_with=("recurring_donation",)),
    "giving.donations": Personal(
        describes={
            "person": (
                "payment_last4",
                "payment_brand",
                "payment_check_number",
                "payment_check_dated_at",
                "payment_channel",
                "payment_identifier",
                "memo",
            )
        }
    ),
    "giving.notes": Personal(erased_with=("donation",), erased_once_unnamed=("donation",)),
    "giving.in_kind_donations": Personal(
        describes={"person": ("description", "exchange_details", "valuation_details", "internal_notes")}
    ),
    "giving.payment_methods": _THEIRS,
    "calendar.event_requests": Personal(describes={"person": ("selected_options_by_field",)}),
    "check_ins.passes": _THEIRS,
    "check_ins.check_ins": Personal(
        describes={
            "person": (
                "first_name",
                "last_name",
                "medical_notes",
                "number",
                "security_code",
                "emergency_contact_name",
                "emergency_contact_phone_number",
            )
        }
    ),
    "check_ins.check_in_times": Personal(erased_with=("check_in",)),
    "check_ins.person_events": _THEIRS,
    "services.emails": _THEIRS,
    "services.team_leaders": _THEIRS,
    "services.person_team_position_assignments": _THEIRS,
    "services.plan_people": Personal(
        erased_with=("person",),
        describes={"scheduled_by": ("notification_changed_by_name", "notification_sender_name")},
    ),
    "services.plan_person_times": Personal(erased_with=("person", "plan_person")),
    "services.attendances": Personal(erased_with=("plan_person",)),
    "services.contributors": _THEIRS,
    "services.blockouts": _THEIRS,
    "services.blockout_dates": Personal(erased_with=("person", "blockout")),
    "services.blockout_exceptions": Personal(erased_with=("person", "blockout")),
    "services.scheduling_preferences": Personal(erased_with=("person", "household_member")),
    "services.text_settings": _THEIRS,
    "services.live_controllers": _THEIRS,
    "registrations.attendees": _THEIRS,
    "registrations.emergency_contacts": Personal(erased_with=("attendee",)),
}

PERSONAL_DATA: Final = PersonalData(PEOPLE, PERSONAL)
