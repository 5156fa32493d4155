"""The mapping of People, Groups and Check-Ins, written again by hand and independent of the declarations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A row: its table, type and columns. same: columns that are the attribute of that name, `joinedAt: joined_at`.

    named: columns with the id of the record that a relationship names -> that relationship. filled: '' for nothing.
    gone: attributes with the moment from which the record is inactive, first ones first. flag: the one that says that.
    nothing: column -> its value where there is none. narrow: columns of 32 bits.
    """

    table: str
    tag: str
    same: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    constant: Mapping[str, str] = field(default_factory=dict)
    filled: str = "name"
    gone: tuple[str, ...] = ()
    flag: str = ""
    nothing: Mapping[str, Any] = field(default_factory=dict)
    narrow: tuple[str, ...] = ()
    is_plain: bool = True

    @property
    def columns(self) -> dict[str, str]:
        """Column -> attribute."""
        filled = {"name": "name"} if self.filled == "name" else {}
        return {**filled, **{_camel(name): name for name in self.same.split()}, **self.renamed}


def _folder(type_: str, same: str = "", parent: str = "", **more: Any) -> Row:
    named = {"parentFolderId": parent} if parent else {}
    return Row("folders", "folder", same, named=named, constant={"folderType": type_}, is_plain=False, **more)


_DONE = ("archived_at", "deleted_at")

ROWS: dict[str, Row] = {
    "people.campuses": Row("campuses", "campus"),
    "people.people": Row("people", "person"),
    "people.social_profiles": Row("socialProfiles", "socialProfile", "site url verified", filled=""),
    "people.households": Row(
        "households", "household", "avatar member_count", named={"primaryContactId": "primary_contact"}
    ),
    "people.tabs": _folder("pco_custom_field_tab"),
    "people.field_definitions": Row("fields", "field"),
    "people.field_options": Row(
        "fieldOptions",
        "fieldOption",
        renamed={"label": "value", "value": "value", "order": "sequence"},
        named={"fieldId": "field_definition"},
        filled="",
        nothing={"label": "", "value": "", "order": 0, "fieldId": ""},
        narrow=("order",),
    ),
    "people.list_categories": _folder("pco_list_category"),
    "people.lists": _folder("pco_list", "description", "category"),
    "people.note_categories": _folder("pco_note_category"),
    "people.notes": Row(
        "notes", "note", "display_date", {"text": "note"}, named={"folderId": "note_category"}, filled="text"
    ),
    "people.workflow_categories": _folder("pco_workflow_category"),
    "people.workflows": _folder("pco_workflow", parent="workflow_category", gone=_DONE),
    "people.workflow_steps": Row(
        "workflowSteps",
        "workflowStep",
        "description sequence expected_response_time_in_days",
        named={"folderId": "workflow"},
    ),
    "people.form_categories": _folder("pco_form_category"),
    "people.forms": _folder("pco_form", "description", "form_category", gone=_DONE),
    "groups.group_types": _folder("pco_group_type", "description color"),
    "groups.groups": Row(
        "groups",
        "group",
        "description contact_email schedule memberships_count listed virtual_location_url",
        {"url": "public_church_center_web_url", "image": "header_image"},
        named={"folderId": "group_type"},
        gone=("archived_at",),
    ),
    "groups.events": Row(
        "events",
        "event",
        "description starts_at ends_at canceled visitors_count virtual_location_url image",
        gone=("canceled_at",),
        flag="canceled",
        is_plain=False,
    ),
    "groups.tag_groups": _folder("pco_tag_group"),
    "groups.tags": Row("tags", "tag", "position", named={"folderId": "tag_group"}, is_plain=False),
    "groups.resources": Row(
        "resources",
        "resource",
        "description visibility",
        {"kind": "type", "lastUpdatedAt": "last_updated"},
        is_plain=False,
    ),
    "check_ins.events": Row("events", "event", "frequency", gone=("archived_at",), is_plain=False),
    "check_ins.event_periods": Row(
        "eventPeriods",
        "eventPeriod",
        "starts_at ends_at regular_count guest_count volunteer_count note",
        filled="",
    ),
    "check_ins.event_times": Row(
        "eventTimes",
        "eventTime",
        "name starts_at shows_at hides_at total_count regular_count guest_count volunteer_count",
        filled="",
    ),
    "check_ins.locations": Row(
        "locations",
        "location",
        "kind opened position max_occupancy",
        named={"parentLocationId": "parent"},
        is_plain=False,
    ),
    "check_ins.check_ins": Row(
        "checkIns",
        "checkIn",
        "first_name last_name kind number security_code one_time_guest confirmed_at checked_out_at",
        filled="",
    ),
    "check_ins.stations": Row(
        "stations", "station", "mode input_type timeout_seconds", named={"printStationId": "print_station"}
    ),
    "check_ins.labels": Row("labels", "label", "prints_for roll", is_plain=False),
    "check_ins.check_in_groups": Row(
        "folders",
        "folder",
        constant={"folderType": "pco_check_in_group", "name": "Check-in group"},
        filled="",
        is_plain=False,
    ),
    "check_ins.attendance_types": Row("attendanceTypes", "attendanceType", "color limit"),
}

SAME_RECORDS = {
    "groups.people": "people.people",
    "check_ins.people": "people.people",
    "groups.campuses": "people.campuses",
}

NAMES: dict[str, Mapping[str, str]] = {
    "people.people": {"primary_campus": "people.campuses"},
    "people.social_profiles": {"person": "people.people"},
    "people.households": {"primary_contact": "people.people"},
    "people.field_definitions": {"tab": "people.tabs"},
    "people.field_options": {"field_definition": "people.field_definitions"},
    "people.lists": {"campus": "people.campuses", "created_by": "people.people", "updated_by": "people.people"},
    "people.notes": {
        "note_category": "people.note_categories",
        "person": "people.people",
        "created_by": "people.people",
    },
    "people.workflows": {"campus": "people.campuses"},
    "people.workflow_steps": {"workflow": "people.workflows", "default_assignee": "people.people"},
    "people.forms": {"campus": "people.campuses"},
    "groups.groups": {"group_type": "groups.group_types"},
    "groups.events": {"attendance_submitter": "people.people", "group": "groups.groups"},
    "groups.tags": {"tag_group": "groups.tag_groups"},
    "groups.resources": {
        "group": "groups.groups",
        "group_type": "groups.group_types",
        "created_by": "people.people",
        "groups*": "groups.groups",
    },
    "check_ins.event_periods": {"event": "check_ins.events"},
    "check_ins.event_times": {"event": "check_ins.events", "event_period": "check_ins.event_periods"},
    "check_ins.locations": {"event": "check_ins.events"},
    "check_ins.check_ins": {
        "event_period": "check_ins.event_periods",
        "person": "people.people",
        "checked_in_at": "check_ins.stations",
        "checked_in_by": "people.people",
        "checked_out_by": "people.people",
        "event": "check_ins.events",
    },
    "check_ins.stations": {"event": "check_ins.events", "location": "check_ins.locations"},
    "check_ins.check_in_groups": {
        "event_period": "check_ins.event_periods",
        "print_station": "check_ins.stations",
        "check_ins*": "check_ins.check_ins",
    },
    "check_ins.attendance_types": {"event": "check_ins.events"},
}
"""Edges: stream -> relationship -> the stream that it names; one with a star names many."""


@dataclass(frozen=True)
class Joined:
    """Records that are edges: the relationships to both ends with the streams these name, and their metadata.

    named: metadata with the id of a record -> (relationship, stream).
    """

    key: str
    ends: Mapping[str, str]
    same: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, str]:
        return {**{_camel(name): name for name in self.same.split()}, **self.renamed}


_PRINTED = "quantity for_regular for_guest for_volunteer"

EDGES: dict[str, Joined] = {
    "people.household_memberships": Joined(
        "household_membership",
        {"person": "people.people", "household": "people.households"},
        "pending",
        {"role": "household_role"},
    ),
    "people.list_results": Joined("list_result", {"person": "people.people", "list": "people.lists"}),
    "people.workflow_cards": Joined(
        "workflow_card",
        {"person": "people.people", "workflow": "people.workflows"},
        "stage overdue completed_at removed_at snooze_until moved_to_step_at",
        named={
            "assigneeId": ("assignee", "people.people"),
            "stepId": ("current_step", "people.workflow_steps"),
        },
    ),
    "people.form_submissions": Joined(
        "form_submission", {"person": "people.people", "form": "people.forms"}, "verified"
    ),
    "groups.memberships": Joined("membership", {"person": "people.people", "group": "groups.groups"}, "role joined_at"),
    "groups.group_applications": Joined(
        "group_application", {"person": "people.people", "group": "groups.groups"}, "status applied_at message"
    ),
    "groups.attendances": Joined("attendance", {"event": "groups.events", "person": "people.people"}, "attended role"),
    "check_ins.check_in_times": Joined(
        "check_in_time",
        {"check_in": "check_ins.check_ins", "location": "check_ins.locations"},
        "kind has_validated services_integrated",
        named={"eventTimeId": ("event_time", "check_ins.event_times")},
    ),
    "check_ins.event_labels": Joined(
        "event_label", {"event": "check_ins.events", "label": "check_ins.labels"}, _PRINTED
    ),
    "check_ins.location_labels": Joined(
        "location_label", {"location": "check_ins.locations", "label": "check_ins.labels"}, _PRINTED
    ),
    "check_ins.headcounts": Joined(
        "headcount",
        {"event_time": "check_ins.event_times", "attendance_type": "check_ins.attendance_types"},
        "total",
    ),
}


@dataclass(frozen=True)
class Values:
    """Custom fields of the records of `on`, from those of `of`. way: the relationship of `on`, many with a star, or,
    after a dot, of `of`."""

    on: str
    of: str
    way: str
    items: Mapping[str, str]


_PLACE = {"location": "name", "location_address": "full_formatted_address"}
_PLACE |= {"location_latitude": "latitude", "location_longitude": "longitude"}

FIELDS = (
    Values("people.people", "people.marital_statuses", "marital_status", {"marital_status": "value"}),
    Values("people.people", "people.inactive_reasons", "inactive_reason", {"inactive_reason": "value"}),
    Values("people.people", "people.name_prefixes", "name_prefix", {"name_prefix": "value"}),
    Values("people.people", "people.name_suffixes", "name_suffix", {"name_suffix": "value"}),
    Values("people.people", "people.school_options", "school", {"school": "value"}),
    Values("people.people", "check_ins.passes", ".person", {"check_in_pass": "code", "check_in_pass_kind": "kind"}),
    Values(
        "groups.groups",
        "groups.enrollments",
        ".group",
        {
            "enrollment_status": "status",
            "enrollment_strategy": "strategy",
            "enrollment_date_limit": "date_limit",
            "enrollment_member_limit": "member_limit",
        },
    ),
    Values("groups.groups", "groups.locations", "location", _PLACE),
    Values("groups.events", "groups.locations", "location", _PLACE),
    Values("groups.events", "groups.event_notes", ".event", {"note": "body"}),
    Values("check_ins.check_ins", "check_ins.options", "options*", {"options": "body"}),
    Values(
        "check_ins.stations",
        "check_ins.themes",
        "theme",
        {"theme": "name", "theme_color": "color", "theme_image": "image_thumbnail"},
    ),
)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
