"""The expected mapping of Publishing's records."""

from typing import Any

from openfaith_pipeline_tests.integration.transform.products.rules import Join, Oracle, Record, Row, folder, joined


def _channel(raw: Record) -> dict[str, Any]:
    status = "inactive" if raw.look("archived") else "active"
    return {"name": raw["name"] or "", "description": raw["description"], "status": status}


def _channel_fields(raw: Record) -> dict[str, Any]:
    times = raw.of(
        "publishing.channel_default_times", "channel",
        lambda row: joined(row["frequency"], row["day_of_week"], row["hour"], row["minute"]),
    )  # fmt: skip
    links = raw.of(
        "publishing.channel_default_episode_resources", "channel", lambda row: joined(row["title"], row["url"], by=": ")
    )
    return {"default_times": times, "default_episode_resources": links}


def _series(raw: Record) -> dict[str, Any]:
    parent = raw.named("channel")
    return {"name": raw["title"] or "", "description": raw["description"], "parentFolderId": parent}


def _speaker(raw: Record) -> dict[str, Any]:
    names = raw.all("first_name", "last_name")
    return {"name": raw["formatted_name"] or "", "avatar": raw["avatar_url"], **names}


def _episode(raw: Record) -> dict[str, Any]:
    return {
        "title": raw["title"] or "",
        **raw.all("description", "video_url", "library_video_url", "library_audio_url", "church_center_url"),
        **raw.all("published_live_at", "published_to_library_at"),
        "seriesId": raw.named("series"),
        "channelId": raw.named("channel"),
    }


def _episode_fields(raw: Record) -> dict[str, Any]:
    times, notes = "publishing.episode_times", "publishing.note_templates"
    return {
        "resources": raw.of(
            "publishing.episode_resources", "episode", lambda row: joined(row["title"], row["url"], by=": ")
        ),
        "starts_at": raw.of(times, "episode", lambda row: row["starts_at"]),
        "ends_at": raw.of(times, "episode", lambda row: row["ends_at"]),
        "notes_template": raw.of(notes, "episode", lambda row: row["template"]),
        "notes_enabled": raw.of(notes, "episode", lambda row: row["enabled"]),
        "notes_published_at": raw.of(notes, "episode", lambda row: row["published_at"]),
    }


ORACLE = Oracle(
    rows={
        "publishing.channels": folder("pco_publishing_channel", _channel, _channel_fields),
        "publishing.series": folder("pco_publishing_series", _series),
        "publishing.speakers": Row("speakers", "speaker", _speaker),
        "publishing.episodes": Row("episodes", "episode", _episode, fields=_episode_fields),
    },
    joins={"publishing.speakerships": Join("episode", "speaker", "episode_speakership")},
    aliases={},
)

KINDS = {"publishing.speakerships": ("Speaker", "Speaker", "Series", "Other")}
