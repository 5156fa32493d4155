"""Descriptions of the types of Calendar and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries, personal

TABLES: Final[Mapping[str, str]] = {
    "organization": "The church itself, as it is set up in Calendar",
    "tag_groups": "Groups of tags",
    "tags": "Tags of events",
    "people": "People with access to Calendar, or who own or approve something there",
    "resource_folders": "Folders of rooms and resources",
    "resources": "Rooms, and things that can be booked",
    "resource_approval_groups": "Groups of people who approve bookings",
    "resource_questions": "Questions that a booking must answer",
    "room_setups": "Ways to set up a room",
    "resource_suggestions": "Resources suggested for a room setup",
    "required_approvals": "Which group must approve which resource",
    "calendars": "Calendars that events are sorted into",
    "feeds": "Calendars of other products and of other systems, from which events come",
    "events": "Events of the church; their dates are event_instances",
    "event_connections": "Records of other products that an event is connected with",
    "event_instances": "Dates of events: each occurrence has its own",
    "event_times": "Times within an occurrence, such as setup and the event itself",
    "event_resource_requests": "Requests for a room or resource",
    "event_resource_answers": "Answers given with a request",
    "resource_bookings": "Rooms and resources booked for an occurrence",
    "conflicts": "Two bookings of one resource at one time",
    "attachments": "Files of events",
    "report_templates": "Templates of reports",
    "event_requests": "Requests for events, made by a form",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "organization": {
        "calendar_starts_on": "Weekday that a calendar begins with",
    },
    "tag_groups": {
        "required": "Whether each event must have one of its tags",
    },
    "tags": {
        "church_center_category": "Whether it is a category in Church Center",
    },
    "people": {
        "contact_data": personal("Email addresses, phone numbers and postal addresses"),
        "has_access": "Whether the person may open Calendar",
        "pending_request_count": "Number of requests that wait for the person",
        "permissions": "Level of access, as a number",
        "resolves_conflicts": "Whether the person may resolve conflicts",
        "status": "active, pending or inactive",
        "can_edit_people": "Whether the person may change other people's access",
        "can_edit_resources": "Whether the person may change resources",
        "can_edit_rooms": "Whether the person may change rooms",
        "event_permissions_type": "Level of access to events",
        "name": personal("Full name"),
        "people_permissions_type": "Level of access to people",
        "room_permissions_type": "Level of access to rooms",
        "resources_permissions_type": "Level of access to resources",
    },
    "resource_folders": {
        "ancestry": "Ids of the folders above it, outermost first",
        "kind": "Whether it holds rooms or resources",
        "path_name": "Names of the folders above it",
    },
    "resources": {
        "kind": "Room or Resource",
        "serial_number": "Serial number of the thing",
        "expires_at": "When it is no longer usable",
        "home_location": "Where it is kept",
        "path_name": "Names of the folders it is in",
        "quantity": "Number of pieces that there are",
    },
    "resource_questions": {
        "kind": "Kind of answer: dropdown, paragraph, text, yesno or section_header",
        "choices": "Answers to choose from",
        "description": "Explanation below the question",
        "multiple_select": "Whether several answers may be chosen",
        "optional": "Whether it may be left out",
        "question": "The question",
    },
    "room_setups": {
        "diagram": "Drawing of the setup, with its sizes",
        "diagram_url": "Web address of the drawing",
        "diagram_thumbnail_url": "Web address of the small drawing",
    },
    "calendars": {
        "access": "Access that the connected user has",
        "access_restricted": "Whether only some people may see it",
        "default": "Whether new events are put into it",
    },
    "feeds": {
        "can_delete": "Whether it may be deleted",
        "default_church_center_visibility": "Whether its events begin hidden or published",
        "feed_type": "registrations, groups, ical or form",
        "imported_at": "When its events were last read",
        "deleting": "Whether it is being deleted",
        "source_id": "Id of its source in the other product",
    },
    "events": {
        "approval_status": "State of the approval: A approved, P pending, R rejected",
        "image_url": "Web address of the picture",
        "link_only": "Whether it is shown only to people with the link",
        "percent_approved": "Share of its requests that are approved, in percent",
        "percent_rejected": "Share of its requests that are rejected, in percent",
        "registration_url": "Web address where people register",
        "summary": "Short description",
        "visible_in_church_center": "Whether it is shown in Church Center",
    },
    "event_connections": {
        "connected_to_id": "Id of the record",
        "connected_to_name": "Name of the record",
        "connected_to_type": "Type of the record",
        "product_name": "Product that has the record",
        "connected_to_url": "Web address of the record",
    },
    "event_instances": {
        "all_day_event": "Whether it has no time of day",
        "compact_recurrence_description": "How it repeats, in few words",
        "location": "Where it takes place",
        "recurrence": "How it repeats, as a code",
        "recurrence_description": "How it repeats, in words",
        "published_starts_at": "Beginning as it is shown publicly",
        "published_ends_at": "End as it is shown publicly",
    },
    "event_times": {
        "visible_on_kiosks": "Whether it is shown on room displays",
        "visible_on_widget_and_ical": "Whether it is shown on websites and in subscribed calendars",
    },
    "event_resource_requests": {
        "approval_sent": "Whether the people who approve were informed",
        "approval_status": "A approved, P pending, R rejected",
        "notes": "Remarks for the people who approve",
        "visible_on_kiosks": "Whether it is shown on room displays",
    },
    "event_resource_answers": {
        "answer": "The answer",
        "question": "The question, as it was when answered",
    },
    "conflicts": {
        "note": "Remark on the solution",
        "resolved_at": "When it was resolved; null while it is open",
    },
    "attachments": {
        "name": "Name of the file",
        "url": "Web address of the file",
    },
    "report_templates": {
        "body": "The template",
    },
    "event_requests": {
        "last_activity_at": "When anything last happened with it",
        "selected_options_by_field": personal("Answers that were chosen, by question"),
        "status": "State of the request",
    },
}
