"""Planning Center Publishing: channels, series, episodes and their speakers.

The populations are assumptions, not measurements: one channel with two series of sermons.
"""

from openfaith_pipeline.catalog.stream import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    TIMESTAMPS,
    Population,
    Stream,
)
from openfaith_pipeline.planning_center.products import Product

ORGANIZATION = Stream(
    product=Product.PUBLISHING,
    type="Organization",
    path="/publishing/v2",
    table="organization",
    is_singleton=True,
    attributes={"name": TEXT, "subdomain": TEXT},
    population=Population(1),
)

CHANNELS = Stream(
    product=Product.PUBLISHING,
    type="Channel",
    path="/publishing/v2/channels",
    attributes={
        "art": JSON,
        "podcast_art": JSON,
        "podcast_settings": JSON,
        "activate_episode_minutes_before": INTEGER,
        "can_enable_chat": BOOLEAN,
        "church_center_url": TEXT,
        "default_video_embed_code": TEXT,
        "description": TEXT,
        "url": TEXT,
        "default_video_duration": INTEGER,
        "default_video_url": TEXT,
        "enable_audio": BOOLEAN,
        "enable_on_demand_video": BOOLEAN,
        "enable_watch_live": BOOLEAN,
        "general_chat_enabled": BOOLEAN,
        "group_chat_enabled": BOOLEAN,
        "name": TEXT,
        "podcast_feed_url": TEXT,
        "position": INTEGER,
        "published": BOOLEAN,
        "archived": BOOLEAN,
        "sermon_notes_enabled": BOOLEAN,
        "services_service_type_remote_identifier": TEXT,
        **TIMESTAMPS,
    },
    population=Population(1),
)

CHANNEL_DEFAULT_EPISODE_RESOURCES = Stream(
    product=Product.PUBLISHING,
    type="ChannelDefaultEpisodeResource",
    path="/publishing/v2/channels/{channel_id}/channel_default_episode_resources",
    carried_as="channel_default_episode_resources",
    attributes={
        "featured": BOOLEAN,
        "icon": TEXT,
        "kind": TEXT,
        "position": INTEGER,
        "title": TEXT,
        "type": TEXT,
        "url": TEXT,
    },
    belongs_to={"channel": "publishing.channels"},
    unshown=("channel",),
    population=Population(2, per="publishing.channels"),
)

CHANNEL_DEFAULT_TIMES = Stream(
    product=Product.PUBLISHING,
    type="ChannelDefaultTime",
    path="/publishing/v2/channels/{channel_id}/channel_default_times",
    carried_as="channel_default_times",
    attributes={"day_of_week": INTEGER, "hour": INTEGER, "minute": INTEGER, "frequency": TEXT, "position": INTEGER},
    belongs_to={"channel": "publishing.channels"},
    unshown=("channel",),
    population=Population(2, per="publishing.channels"),
)

SERIES = Stream(
    product=Product.PUBLISHING,
    type="Series",
    path="/publishing/v2/series",
    attributes={
        "art": JSON,
        "church_center_url": TEXT,
        "description": TEXT,
        "ended_at": TIMESTAMP,
        "episodes_count": INTEGER,
        "published": BOOLEAN,
        "started_at": TIMESTAMP,
        "title": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"channel": "publishing.channels"},
    asks_for=("channel",),
    population=Population(2),
)

SPEAKERS = Stream(
    product=Product.PUBLISHING,
    type="Speaker",
    path="/publishing/v2/speakers",
    attributes={
        "avatar_url": TEXT,
        "episodes_count": INTEGER,
        "first_name": TEXT,
        "formatted_name": TEXT,
        "last_name": TEXT,
        "name_prefix": TEXT,
        "name_suffix": TEXT,
        "speaker_type": TEXT,
    },
    population=Population(4),
)

EPISODES = Stream(
    product=Product.PUBLISHING,
    type="Episode",
    path="/publishing/v2/episodes",
    attributes={
        "art": JSON,
        "church_center_url": TEXT,
        "description": TEXT,
        "library_audio_url": TEXT,
        "library_streaming_service": TEXT,
        "library_video_embed_code": JSON,
        "library_video_thumbnail_url": TEXT,
        "library_video_url": TEXT,
        "needs_library_audio_or_video_url": BOOLEAN,
        "needs_notes_template": JSON,
        "needs_video_url": BOOLEAN,
        "page_actions": JSON,
        "published_live_at": TIMESTAMP,
        "published_to_library_at": TIMESTAMP,
        "sermon_audio": JSON,
        "stream_type": TEXT,
        "streaming_service": TEXT,
        "title": TEXT,
        "video_thumbnail_url": TEXT,
        "video_embed_code": JSON,
        "video_url": TEXT,
        "services_plan_remote_identifier": TEXT,
        "services_service_type_remote_identifier": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"series": "publishing.series", "channel": "publishing.channels"},
    asks_for=("channel",),
    population=Population(6, per="publishing.series"),
)

EPISODE_RESOURCES = Stream(
    product=Product.PUBLISHING,
    type="EpisodeResource",
    path="/publishing/v2/episodes/{episode_id}/episode_resources",
    carried_as="episode_resources",
    attributes={
        "featured": BOOLEAN,
        "icon": TEXT,
        "kind": TEXT,
        "position": INTEGER,
        "title": TEXT,
        "type": TEXT,
        "url": TEXT,
    },
    belongs_to={"episode": "publishing.episodes"},
    unshown=("episode",),
    population=Population(1.5, per="publishing.episodes"),
)

EPISODE_TIMES = Stream(
    product=Product.PUBLISHING,
    type="EpisodeTime",
    path="/publishing/v2/episodes/{episode_id}/episode_times",
    carried_as="episode_times",
    attributes={
        "starts_at": TIMESTAMP,
        "ends_at": TIMESTAMP,
        "video_url": TEXT,
        "video_embed_code": TEXT,
        "current_timestamp": FLOAT,
        "current_state": TEXT,
        "streaming_service": TEXT,
        "caveats": JSON,
    },
    belongs_to={"episode": "publishing.episodes"},
    unshown=("episode",),
    population=Population(2, per="publishing.episodes"),
)

SPEAKERSHIPS = Stream(
    product=Product.PUBLISHING,
    type="Speakership",
    path="/publishing/v2/episodes/{episode_id}/speakerships",
    carried_as="speakerships",
    attributes={},
    belongs_to={"episode": "publishing.episodes", "speaker": None},
    unshown=("episode",),
    population=Population(1.1, per="publishing.episodes"),
)

NOTE_TEMPLATES = Stream(
    product=Product.PUBLISHING,
    type="NoteTemplate",
    path="/publishing/v2/episodes/{episode_id}/note_template",
    table="note_templates",
    is_singleton=True,
    attributes={
        "enabled": BOOLEAN,
        "template": TEXT,
        "auto_create_free_form_notes": BOOLEAN,
        "published_at": TIMESTAMP,
    },
    belongs_to={"episode": "publishing.episodes"},
    unshown=("episode",),
    population=Population(0.8, per="publishing.episodes"),
)

EPISODE_STATISTICS = Stream(
    product=Product.PUBLISHING,
    type="EpisodeStatistics",
    path="/publishing/v2/channels/{channel_id}/statistics",
    table="episode_statistics",
    # The reference calls both watch counts booleans; they are stored as received.
    attributes={
        "times": JSON,
        "library_watch_count": JSON,
        "live_watch_count": JSON,
        "published_to_library_at": TIMESTAMP,
        "published_live_at": TIMESTAMP,
        "title": TEXT,
    },
    belongs_to={"channel": "publishing.channels"},
    unshown=("channel",),
    population=Population(6, per="publishing.channels"),
)
