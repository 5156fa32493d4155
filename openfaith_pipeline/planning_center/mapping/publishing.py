"""Publishing: channels and series, the episodes in them, and who speaks. Its speakers are not records of People."""

from openfaith_pipeline.canonical.model import Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import Joined, Presence, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import publishing

CHANNELS = Folder(
    stream=publishing.CHANNELS,
    type="pco_publishing_channel",
    columns={**taken("description"), "status": Presence("archived", "inactive", "active")},
)

CHANNEL_DEFAULT_EPISODE_RESOURCES = Field(
    stream=publishing.CHANNEL_DEFAULT_EPISODE_RESOURCES,
    on=publishing.CHANNELS,
    via="channel",
    values={"default_episode_resources": Joined("title", "url", by=": ")},
)

CHANNEL_DEFAULT_TIMES = Field(
    stream=publishing.CHANNEL_DEFAULT_TIMES,
    on=publishing.CHANNELS,
    via="channel",
    # The weekday, from 0 for Sunday, then the hour and the minute in the church's time zone.
    values={"default_times": Joined("frequency", "day_of_week", "hour", "minute")},
)

SERIES = Folder(
    stream=publishing.SERIES,
    type="pco_publishing_series",
    name=Take("title", default=""),
    parent="channel",
    columns=taken("description"),
)

SPEAKERS = Entity(
    table="speakers",
    tag="speaker",
    stream=publishing.SPEAKERS,
    columns={
        "name": Take("formatted_name", default=""),
        **taken("first_name", "last_name"),
        "avatar": Take("avatar_url"),
    },
)

EPISODES = Entity(
    table="episodes",
    tag="episode",
    stream=publishing.EPISODES,
    columns={
        "title": Take("title", default=""),
        **taken("description", "video_url", "library_video_url", "library_audio_url", "church_center_url"),
        **taken("published_live_at", "published_to_library_at"),
        "seriesId": Reference("series"),
        "channelId": Reference("channel"),
    },
)

SPEAKERSHIPS = Edge(stream=publishing.SPEAKERSHIPS, between=("episode", "speaker"), name="episode_speakership")

EPISODE_RESOURCES = Field(
    stream=publishing.EPISODE_RESOURCES,
    on=publishing.EPISODES,
    via="episode",
    values={"resources": Joined("title", "url", by=": ")},
)

EPISODE_TIMES = Field(
    stream=publishing.EPISODE_TIMES,
    on=publishing.EPISODES,
    via="episode",
    values={"starts_at": Take("starts_at"), "ends_at": Take("ends_at")},
)

NOTE_TEMPLATES = Field(
    stream=publishing.NOTE_TEMPLATES,
    on=publishing.EPISODES,
    via="episode",
    values={
        "notes_template": Take("template"),
        "notes_enabled": Take("enabled"),
        "notes_published_at": Take("published_at"),
    },
)
