"""Descriptions of the types of Check-Ins and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries, personal

TABLES: Final[Mapping[str, str]] = {
    "organization": "The church itself, as it is set up in Check-Ins",
    "themes": "Looks of check-in stations",
    "labels": "Labels that are printed at check-in",
    "events": "Events that people check in to",
    "attendance_types": "Kinds of headcounts",
    "locations": "Rooms and groups that people are checked in to",
    "options": "Things to choose at check-in",
    "stations": "Devices that people check in at",
    "integration_links": "Connections of events and locations with other products",
    "people": "People who checked in or who check others in",
    "passes": "Barcodes and passes that people check in with",
    "event_periods": "Days or weekends of an event",
    "event_times": "Times of an event within a day",
    "headcounts": "Counts of people by kind, beside those checked in by name",
    "check_ins": "Check-ins: a person at an event",
    "check_in_times": "The times and locations of each check-in",
    "check_in_groups": "People who were checked in together",
    "event_labels": "Labels that an event prints",
    "location_event_periods": "Counts of a location on one day of an event",
    "location_event_times": "Counts of a location at one time of an event",
    "location_labels": "Labels that a location prints",
    "person_events": "Each person's check-ins to an event, counted",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "organization": {
        "date_format_pattern": "Order in which a date's parts are shown",
        "daily_check_ins": "Check-ins in one day that the subscription is for",
        "avatar_url": "Web address of the church's logo",
    },
    "themes": {
        "image_thumbnail": "Web address of the small picture",
        "text_color": "Color of the text",
        "background_color": "Color behind the text",
        "mode": "Whether it is light or dark",
    },
    "labels": {
        "xml": "Layout of the label",
        "prints_for": "Who receives it",
        "roll": "Kind of paper it is printed on",
    },
    "events": {
        "frequency": "How often it takes place",
        "enable_services_integration": "Whether volunteers scheduled in Services are taken over",
        "integration_key": "Key by which another product finds the event",
        "location_times_enabled": "Whether a location can be closed for single times",
        "pre_select_enabled": "Whether the usual choice is made beforehand",
    },
    "attendance_types": {
        "limit": "Most people of the kind",
    },
    "locations": {
        "kind": "Folder or location",
        "opened": "Whether people can be checked in to it",
        "questions": "Questions that are put at check-in",
        "age_min_in_months": "Lowest age in months",
        "age_max_in_months": "Highest age in months",
        "age_range_by": "How the range of ages is given",
        "age_on": "Day on which ages are compared",
        "child_or_adult": "Whether it is for children or adults",
        "effective_date": "Day on which grades are compared",
        "gender": "Gender it is for",
        "grade_min": "Lowest grade",
        "grade_max": "Highest grade",
        "max_occupancy": "Most people in it at one time",
        "min_volunteers": "Fewest volunteers needed",
        "attendees_per_volunteer": "People that one volunteer may look after",
        "milestone": "Milestone that the location is for",
    },
    "options": {
        "body": "Text of the option",
        "quantity": "How many can be given out",
    },
    "stations": {
        "mode": "Way of checking in, as Planning Center's number for it",
        "timeout_seconds": "Seconds without a touch after which it begins anew",
        "input_type": "How people are found: scanner or keypad",
        "input_type_options": "Which of the two are offered",
    },
    "integration_links": {
        "remote_gid": "Whole id of the other record",
        "remote_app": "Product that has the other record",
        "remote_type": "Type of the other record",
        "remote_id": "Id of the other record",
        "sync_future_assignment_types": "Whether later kinds of assignment are taken over too",
    },
    "people": {
        "permission": "Level of access to Check-Ins",
        "headcounter": "Whether the person may count heads",
        "last_checked_in_at": personal("When the person was last checked in"),
        "check_in_count": personal("Number of times the person was checked in"),
        "name": personal("Full name"),
        "top_permission": "Highest level of access in any event",
        "ignore_filters": "Whether limits of age and grade do not apply to the person",
        "search_name": personal("Name as searches compare it"),
    },
    "passes": {
        "code": personal("Content of the barcode"),
        "kind": "barcode or pkpass",
        "send_to": personal("Where the pass is sent to"),
    },
    "event_periods": {
        "note": "Remark on the day",
    },
    "event_times": {
        "total_count": "People checked in, of every kind",
        "shows_at": "When it begins to be offered at check-in",
        "hides_at": "When it is no longer offered",
    },
    "headcounts": {
        "total": "Number of people counted",
    },
    "check_ins": {
        "number": "Number on the labels, within the event",
        "security_code": personal("Code on the labels that a child is picked up with"),
        "checked_out_at": "When the person was checked out",
        "confirmed": "Whether a station confirmed it",
        "confirmed_at": "When a station confirmed it",
        "emergency_contact_name": personal("Name of the person to call in an emergency"),
        "emergency_contact_phone_number": personal("Phone number to call in an emergency"),
        "one_time_guest": "Whether the person has no profile",
        "kind": "Regular, Guest or Volunteer",
    },
    "check_in_times": {
        "kind": "Regular, Guest or Volunteer",
        "has_validated": "Whether the limits of the location were examined",
        "services_integrated": "Whether it came from a schedule in Services",
        "alerts": personal("Limits that the person does not keep"),
    },
    "check_in_groups": {
        "name_labels_count": "Number of name labels",
        "security_labels_count": "Number of labels to pick children up with",
        "check_ins_count": "Number of check-ins",
        "print_status": "State of the labels: ready, printed, canceled or skipped",
    },
    "event_labels": {
        "quantity": "Labels for each person",
    },
    "location_labels": {
        "quantity": "Labels for each person",
    },
    "person_events": {
        "check_in_count": personal("Number of times the person was checked in"),
    },
}
