"""Descriptions of the types of Groups and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries, personal

TABLES: Final[Mapping[str, str]] = {
    "organization": "The church itself, as it is set up in Groups",
    "campuses": "The church's sites, as Groups knows them",
    "people": "People who are in a group or manage one",
    "tag_groups": "Groups of tags, such as day of the week",
    "tags": "Tags by which groups are sorted and found",
    "group_types": "Kinds of groups, such as small groups and classes",
    "groups": "Groups of people who meet",
    "enrollments": "How each group can be joined",
    "memberships": "Members and leaders of groups",
    "resources": "Files and links for members of groups",
    "group_applications": "Requests of people to join a group",
    "events": "Meetings of groups",
    "event_notes": "Notes that leaders wrote on a meeting",
    "owners": "Owners and writers of notes in Groups",
    "locations": "Places where groups meet, often somebody's home",
    "attendances": "Who was present at each meeting of a group",
    "rsvps": "Answers of people to invitations to a meeting",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "people": {
        "permissions": "Level of access to Groups",
    },
    "tag_groups": {
        "display_publicly": "Whether visitors can filter groups by it",
        "multiple_options_enabled": "Whether a group may have several of its tags",
    },
    "group_types": {
        "church_center_visible": "Whether its groups are shown in Church Center",
        "church_center_map_visible": "Whether its groups are shown on the map of Church Center",
        "default_group_settings": "Settings that a new group of the kind begins with",
        "public_church_center_web_url": "Web address of its page in Church Center",
    },
    "groups": {
        "contact_email": personal("Email address for questions about the group"),
        "description": "Description, with its formatting",
        "description_as_plain_text": "Description without formatting",
        "direct_messages_enabled": "Whether members may write to each other",
        "events_listed": "Whether its events are listed publicly",
        "events_visibility": "Who sees its events: public or members",
        "header_image": "Picture at the top of its page, with its sizes",
        "leaders_can_search_people_database": "Whether leaders may add anyone in the church's database",
        "listed": "Whether it is listed in Church Center",
        "location_type_preference": "Whether it meets in a place or online: physical or virtual",
        "members_are_confidential": "Whether members are hidden from each other",
        "public_church_center_web_url": "Web address of its page in Church Center",
        "schedule": "When it meets, in words",
        "tag_ids": "Ids of its tags",
        "virtual_location_url": "Web address where it meets online",
    },
    "enrollments": {
        "auto_closed": "Whether joining ended by itself",
        "auto_closed_reason": "Limit that ended it",
        "date_limit": "Day after which nobody can join",
        "date_limit_reached": "Whether that day has passed",
        "member_limit": "Most members it may have",
        "member_limit_reached": "Whether it has as many members",
        "status": "open, closed, full or private",
        "strategy": "How to join: request_to_join, open_signup or closed",
    },
    "memberships": {
        "joined_at": "When the person joined",
        "role": "member or leader",
    },
    "resources": {
        "last_updated": "When the file or link was last changed",
        "type": "Kind of resource, such as a file or a link",
        "visibility": "Who sees it: leaders or members",
    },
    "group_applications": {
        "applied_at": "When the person applied",
        "message": personal("Message of the applicant"),
        "status": "pending, approved or rejected",
    },
    "events": {
        "attendance_requests_enabled": "Whether leaders are reminded to record attendance",
        "automated_reminder_enabled": "Whether members are reminded of it",
        "canceled": "Whether it is canceled",
        "canceled_at": "When it was canceled",
        "location_type_preference": "Whether it is in a place or online: physical or virtual",
        "reminders_sent": "Whether members were reminded",
        "reminders_sent_at": "When members were reminded",
        "repeating": "Whether it is one of a series",
        "virtual_location_url": "Web address where it takes place online",
        "visitors_count": "Number of visitors who are not recorded by name",
    },
    "event_notes": {
        "body": personal("Text of the note"),
    },
    "locations": {
        "display_preference": "How exactly others see it: hidden, approximate or exact",
        "name": personal("Name of the place, often that of a family"),
        "full_formatted_address": personal("Whole postal address, in one text"),
        "latitude": personal("Latitude of the place"),
        "longitude": personal("Longitude of the place"),
        "radius": "Distance within which it is shown when only approximate",
        "strategy": "How exactly it is shown",
    },
    "attendances": {
        "attended": personal("Whether the person was present"),
        "role": "member, leader, visitor or applicant",
    },
    "rsvps": {
        "response": personal("Whether the person is coming"),
    },
}
