"""Services: songs with their arrangements and keys, and media."""

from openfaith_pipeline.canonical.model import Entity, Field
from openfaith_pipeline.canonical.rules import Presence, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import services_songs

SONGS = Entity(
    table="songs",
    tag="song",
    stream=services_songs.SONGS,
    columns={
        "title": Take("title", default=""),
        **taken("author", "copyright", "admin", "themes", "notes", "ccli_number", "last_scheduled_at"),
        "status": Presence("hidden", "inactive", "active"),
    },
)

ARRANGEMENTS = Entity(
    table="arrangements",
    tag="arrangement",
    stream=services_songs.ARRANGEMENTS,
    columns={
        "name": Take("name", default=""),
        **taken("bpm", "meter", "length", "lyrics", "chord_chart", "chord_chart_key", "notes"),
        "status": Presence("archived_at", "inactive", "active"),
        "inactivatedAt": Take("archived_at"),
        "songId": Reference("song"),
    },
)

ARRANGEMENT_SECTIONS = Field(
    stream=services_songs.ARRANGEMENT_SECTIONS,
    on=services_songs.ARRANGEMENTS,
    via="arrangement",
    values={"sections": Take("sections")},
)

KEYS = Entity(
    table="keys",
    tag="key",
    stream=services_songs.KEYS,
    columns={
        "name": Take("name", default=""),
        **taken("starting_key", "ending_key", "starting_minor", "ending_minor"),
        "arrangementId": Reference("arrangement"),
    },
)

MEDIA = Entity(
    table="media",
    tag="media",
    stream=services_songs.MEDIA,
    columns={
        "title": Take("title", default=""),
        **taken("media_type", "length", "themes", "creator_name", "thumbnail_url", "preview_url", "image_url"),
    },
)
