"""The expected mapping of Calendar's records."""

from typing import Any

from openfaith_pipeline_tests.integration.transform.products.rules import (
    Join,
    Oracle,
    Record,
    Row,
    directory,
    folder,
    joined,
)


def _named(raw: Record) -> dict[str, Any]:
    return {"name": raw["name"] or ""}


def _tag(raw: Record) -> dict[str, Any]:
    return {**_named(raw), "color": raw["color"], "folderId": raw.named("tag_group")}


def _resource(raw: Record) -> dict[str, Any]:
    columns = raw.all("description", "kind", "quantity", "serial_number", "home_location", "expires_at")
    return {**_named(raw), **columns, "folderId": raw.named("resource_folder")}


def _resource_fields(raw: Record) -> dict[str, Any]:
    return {
        "questions": raw.of("calendar.resource_questions", "resource", lambda row: row["question"]),
        "room_setups": raw.of("calendar.room_setups", "containing_resource", lambda row: row["name"]),
    }


def _event(raw: Record) -> dict[str, Any]:
    return {
        **_named(raw),
        **raw.all("description", "summary", "approval_status", "visible_in_church_center", "featured"),
        **raw.all("image_url", "registration_url"),
        "ownerId": raw.named("owner"),
        "feedId": raw.named("feed"),
    }


def _instance(raw: Record) -> dict[str, Any]:
    columns = raw.all("starts_at", "ends_at", "location", "recurrence", "church_center_url")
    return {**_named(raw), **columns, "allDay": raw["all_day_event"] or False, "eventId": raw.named("event")}


def _request(raw: Record) -> dict[str, Any]:
    by = {"createdById": raw.named("created_by"), "updatedById": raw.named("updated_by")}
    return {**raw.all("approval_status", "quantity", "notes"), **by}


def _request_fields(raw: Record) -> dict[str, Any]:
    answers = raw.of(
        "calendar.event_resource_answers", "event_resource_request",
        lambda row: joined(row["question"], row["answer"], by=": "),
    )  # fmt: skip
    setup = raw.of_named("calendar.room_setups", "room_setup", lambda row: row["name"])
    return {"answers": answers, "roomSetup": setup}


def _booking(raw: Record) -> dict[str, Any]:
    return {**raw.all("starts_at", "ends_at", "quantity"), "eventInstanceId": raw.named("event_instance")}


def _attachment(raw: Record) -> dict[str, Any]:
    columns = raw.all("description", "content_type", "file_size", "url")
    return {**_named(raw), **columns, "eventId": raw.named("event")}


ORACLE = Oracle(
    rows={
        **directory(),
        "calendar.feeds": folder("pco_feed", _named),
        "calendar.tag_groups": folder("pco_tag_group", _named),
        "calendar.tags": Row("tags", "tag", _tag, is_qualified=True),
        "calendar.resource_folders": folder("pco_resource_folder", _named),
        "calendar.resources": Row("resources", "resource", _resource, is_qualified=True, fields=_resource_fields),
        "calendar.resource_approval_groups": Row("resourceApprovalGroups", "resourceApprovalGroup", _named),
        "calendar.events": Row("events", "event", _event, is_qualified=True),
        "calendar.event_instances": Row("eventInstances", "eventInstance", _instance),
        "calendar.attachments": Row("attachments", "attachment", _attachment, is_qualified=True),
    },
    joins={
        "calendar.required_approvals": Join("resource_approval_group", "resource", "required_approval"),
        "calendar.event_resource_requests": Join(
            "event", "resource", "event_resource_request", _request, _request_fields
        ),
        "calendar.resource_bookings": Join("event", "resource", "resource_booking", _booking),
    },
    aliases={"calendar.people": "people.people"},
)
