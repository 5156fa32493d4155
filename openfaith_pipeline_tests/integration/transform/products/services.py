"""The expected mapping of Services' records."""

import json
from collections.abc import Callable
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

ATTACHABLE = ("plans", "items", "service_types", "songs", "arrangements", "keys", "media")


def _named(raw: Record) -> dict[str, Any]:
    return {"name": raw["name"] or ""}


def _ended(raw: Record, *attributes: str) -> dict[str, Any]:
    """Inactive from the first of these moments on."""
    at = next((moment for moment in [raw[name] for name in attributes] if moment is not None), None)
    return {"inactivatedAt": at, "status": "active" if at is None else "inactive"}


def _category(raw: Record) -> dict[str, Any]:
    return {**_named(raw), **_ended(raw, "deleted_at")}


def _simply(*attributes: str, **named: str) -> Callable[[Record], dict[str, Any]]:
    """Attributes unchanged, and the ids named by relationships."""
    return lambda raw: {**raw.all(*attributes), **{column: raw.named(key) for column, key in named.items()}}


def _titled(*attributes: str, **named: str) -> Callable[[Record], dict[str, Any]]:
    return lambda raw: {"title": raw["title"] or "", **_simply(*attributes, **named)(raw)}


def _called(*attributes: str, **named: str) -> Callable[[Record], dict[str, Any]]:
    return lambda raw: {**_named(raw), **_simply(*attributes, **named)(raw)}


def _attachment(raw: Record) -> dict[str, Any]:
    columns = raw.all("content_type", "file_size", "url", "thumbnail_url", "linked_url")
    return {"name": raw["filename"] or "", **columns, **_ended(raw, "deleted_at")}


def _song(raw: Record) -> dict[str, Any]:
    columns = _titled("author", "copyright", "admin", "themes", "notes", "ccli_number", "last_scheduled_at")(raw)
    return {**columns, "status": "inactive" if raw.look("hidden") else "active"}


def _plan(raw: Record) -> dict[str, Any]:
    columns = raw.all("title", "series_title", "dates", "short_dates", "sort_date", "last_time_at", "total_length")
    names = {"serviceTypeId": raw.named("service_type"), "seriesId": raw.named("series")}
    return {**columns, **names, "public": raw["public"], "url": raw["planning_center_url"]}


def _blockout(raw: Record) -> dict[str, Any]:
    until = raw["repeat_until"]
    return {
        **raw.all("reason", "description", "starts_at", "ends_at", "time_zone", "repeat_frequency", "repeat_interval"),
        **raw.all("repeat_period", "share"),
        "repeatUntil": until and until.strftime("%Y-%m-%d"),
        "personId": raw.named("person"),
    }


def _blockout_fields(raw: Record) -> dict[str, Any]:
    dates, exceptions = "services.blockout_dates", "services.blockout_exceptions"
    return {
        "dates_start_at": raw.of(dates, "blockout", lambda row: row["starts_at_utc"]),
        "dates_end_at": raw.of(dates, "blockout", lambda row: row["ends_at_utc"]),
        "exceptions": raw.of(exceptions, "blockout", lambda row: row["date"] and row["date"].isoformat()),
    }


def _service_type_fields(raw: Record) -> dict[str, Any]:
    shown = ("series_artwork", "series_and_plan_titles", "item_descriptions", "item_lengths", "service_times")
    shown += ("song_items", "media_items", "regular_items", "headers")
    views = {
        f"public_view_{name}": raw.of("services.public_views", "service_type", lambda row, name=name: row[name])
        for name in shown
    }
    controllers = raw.of("services.live_controllers", "service_type", lambda row: row["full_name"])
    return {**views, "live_controllers": controllers}


def _item_fields(raw: Record) -> dict[str, Any]:
    return {
        "live_start_at": raw.of("services.item_times", "item", lambda row: row["live_start_at"]),
        "live_end_at": raw.of("services.item_times", "item", lambda row: row["live_end_at"]),
        "custom_slides": raw.of(
            "services.custom_slides", "item", lambda row: joined(row["label"], row["body"], by=": ")
        ),
    }


def _person_fields(raw: Record) -> dict[str, Any]:
    settings = "services.text_settings"
    flags = ("scheduling_requests_enabled", "scheduling_replies_enabled", "reminders_enabled")
    return {
        "text_number": raw.of(settings, "person", lambda row: row["normalized_number"]),
        **{f"text_{name}": raw.of(settings, "person", lambda row, name=name: row[name]) for name in flags},
    }


def _plan_person(raw: Record) -> dict[str, Any]:
    names = {"teamId": raw.named("team"), "scheduledById": raw.named("scheduled_by")}
    columns = raw.all("status", "notes", "decline_reason", "status_updated_at")
    return {**columns, **names, "position": raw["team_position_name"]}


def _plan_person_fields(raw: Record) -> dict[str, Any]:
    return {
        "timeStatus": raw.of("services.plan_person_times", "plan_person", lambda row: row["status"]),
        "checkedInAt": raw.of("services.attendances", "plan_person", lambda row: row["checked_in_at"]),
    }


def _contributor(raw: Record) -> dict[str, Any]:
    return {
        "action": raw["contributable_action"],
        "category": raw["contributable_category"],
        "contributedTo": raw["contributable_type"],
        "createdAt": raw["created_at"],
    }


def _needed(raw: Record) -> dict[str, Any]:
    names = {"planTimeId": raw.named("time"), "timePreferenceOptionId": raw.named("time_preference_option")}
    return {"position": raw["team_position_name"], **raw.all("quantity", "scheduled_to"), **names}


def _sections(raw: Record) -> dict[str, Any]:
    """As JSON text, the quotes of a string among it."""
    found = raw.of("services.arrangement_sections", "arrangement", lambda row: row["sections"])
    return {"sections": [json.dumps(sections) for sections in found]}


def _types(raw: Record) -> dict[str, Any]:
    return {"attachment_types": raw.of_listed("services.attachment_types", "attachment_types", lambda row: row["name"])}


ORACLE = Oracle(
    rows={
        **directory(_person_fields),
        "services.folders": folder("pco_folder", _called(parentFolderId="parent")),
        "services.tag_groups": folder("pco_tag_group", _called(parentFolderId="folder")),
        "services.tags": Row("tags", "tag", _called(folderId="tag_group"), is_qualified=True),
        "services.series": folder("pco_series", lambda raw: {"name": raw["title"] or ""}),
        "services.item_note_categories": folder("pco_item_note_category", _category),
        "services.plan_note_categories": folder("pco_plan_note_category", _category),
        "services.attachment_type_groups": folder("pco_attachment_type_group", _named),
        "services.service_types": Row(
            "serviceTypes", "serviceType",
            lambda raw: {
                **_called("sequence", "frequency", folderId="parent")(raw),
                **_ended(raw, "archived_at", "deleted_at"),
            },
            fields=_service_type_fields,
        ),
        "services.time_preference_options": Row(
            "timePreferenceOptions", "timePreferenceOption",
            _simply("description", "day_of_week", "minute_of_day", "time_type", "starts_at"),
        ),
        "services.plans": Row("plans", "plan", _plan),
        "services.plan_times": Row(
            "planTimes", "planTime",
            _simply("name", "time_type", "starts_at", "ends_at", "live_starts_at", "live_ends_at", planId="plan"),
        ),
        "services.items": Row(
            "items", "item",
            _titled(
                "item_type", "sequence", "length", "description", "service_position", "key_name",
                planId="plan", songId="song", arrangementId="arrangement",
            ),
            fields=_item_fields,
        ),
        "services.attachments": Row(
            "attachments", "attachment", _attachment, is_qualified=True, fields=_types,
            polymorphic={"attachable": tuple(f"services.{name}" for name in ATTACHABLE)},
        ),
        "services.email_templates": Row(
            "emailTemplates", "emailTemplate", lambda raw: {**raw.all("subject", "kind"), "body": raw["html_body"]}
        ),
        "services.report_templates": Row(
            "reportTemplates", "reportTemplate", lambda raw: {**_titled("body")(raw), "reportType": raw["type"]}
        ),
        "services.songs": Row("songs", "song", _song),
        "services.arrangements": Row(
            "arrangements", "arrangement",
            lambda raw: {
                **_called("bpm", "meter", "length", "lyrics", "chord_chart", "chord_chart_key", "notes")(raw),
                **_ended(raw, "archived_at"),
                "songId": raw.named("song"),
            },
            fields=_sections,
        ),
        "services.keys": Row(
            "keys", "key",
            _called("starting_key", "ending_key", "starting_minor", "ending_minor", arrangementId="arrangement"),
        ),
        "services.media": Row(
            "media", "media",
            _titled("media_type", "length", "themes", "creator_name", "thumbnail_url", "preview_url", "image_url"),
        ),
        "services.teams": Row(
            "teams", "team",
            lambda raw: {
                **_called("sequence", "schedule_to", serviceTypeId="service_type")(raw),
                **_ended(raw, "archived_at", "deleted_at"),
            },
        ),
        "services.team_positions": Row("teamPositions", "teamPosition", _called("sequence", teamId="team")),
        "services.blockouts": Row("blockouts", "blockout", _blockout, fields=_blockout_fields),
    },
    joins={
        "services.plan_notes": Join(
            "plan", "plan_note_category", "plan_note", _simply("category_name", "content", createdById="created_by")
        ),
        "services.item_notes": Join("item", "item_note_category", "item_note", _simply("category_name", "content")),
        "services.team_leaders": Join(
            "team", "person", "team_leader",
            _simply("send_responses_for_accepts", "send_responses_for_declines", "send_responses_for_blockouts"),
        ),
        "services.person_team_position_assignments": Join(
            "person", "team_position", "person_team_position_assignment",
            _simply("schedule_preference", "preferred_weeks", "created_at", teamId="team"),
        ),
        "services.plan_people": Join("plan", "person", "plan_person", _plan_person, _plan_person_fields),
        "services.contributors": Join("plan", "person", "plan_contributor", _contributor),
        "services.needed_positions": Join("plan", "team", "needed_position", _needed),
        "services.split_team_rehearsal_assignments": Join(
            "plan_time", "team", "split_team_rehearsal_assignment", _simply("schedule_special_service_times")
        ),
    },
    aliases={"services.people": "people.people"},
)  # fmt: skip

KINDS = {"services.attachments": ("Plan", "Item", "ServiceType", "Song", "Arrangement", "Key", "Media", "Folder")}
