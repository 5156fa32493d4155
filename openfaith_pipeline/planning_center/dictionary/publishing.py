"""Descriptions of the types of Publishing and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries

TABLES: Final[Mapping[str, str]] = {
    "organization": "The church itself, as it is set up in Publishing",
    "channels": "Channels of episodes, such as Sunday services",
    "channel_default_episode_resources": "Links that each new episode of a channel begins with",
    "channel_default_times": "When a channel usually has episodes",
    "series": "Series of episodes",
    "speakers": "Speakers of episodes",
    "episodes": "Episodes: services and sermons to watch or hear",
    "episode_resources": "Links of episodes",
    "episode_times": "When episodes take place",
    "speakerships": "Who speaks in which episode",
    "note_templates": "Sermon notes of episodes for listeners to fill in",
    "episode_statistics": "How often episodes were watched",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "organization": {
        "subdomain": "Part of the church's Church Center address before .churchcenter.com",
    },
    "channels": {
        "podcast_art": "Artwork of the podcast, with its sizes and addresses",
        "podcast_settings": "Settings of the podcast",
        "activate_episode_minutes_before": "Minutes before its beginning at which an episode opens",
        "can_enable_chat": "Whether chat may be switched on",
        "default_video_embed_code": "HTML that shows the channel's usual video",
        "default_video_duration": "Usual length of an episode, in seconds",
        "default_video_url": "Web address of the channel's usual video",
        "enable_audio": "Whether episodes have audio",
        "enable_on_demand_video": "Whether episodes can be watched later",
        "enable_watch_live": "Whether episodes can be watched while they happen",
        "published": "Whether visitors see it",
        "sermon_notes_enabled": "Whether episodes have sermon notes",
        "services_service_type_remote_identifier": "Id of the service type in Services that its episodes come from",
    },
    "channel_default_episode_resources": {
        "icon": "Name of the symbol",
        "kind": "giving_fund, people_form, generic_url or services_public_page",
        "type": "Type of the record it leads to",
    },
    "channel_default_times": {
        "frequency": "How often it repeats",
    },
    "series": {
        "ended_at": "When the series ended",
        "published": "Whether visitors see it",
        "started_at": "When the series began",
    },
    "speakers": {
        "avatar_url": "Web address of the speaker's picture",
        "first_name": "First name of the speaker, who is shown publicly",
        "formatted_name": "Whole name as it is shown",
        "last_name": "Last name of the speaker, who is shown publicly",
        "name_prefix": "Title before the name",
        "name_suffix": "Addition after the name",
        "speaker_type": "Kind of speaker, such as guest",
    },
    "episodes": {
        "library_audio_url": "Web address of the audio",
        "library_streaming_service": "Service that keeps the video to watch later",
        "library_video_embed_code": "HTML that shows the video to watch later",
        "library_video_thumbnail_url": "Web address of the video's small picture",
        "library_video_url": "Web address of the video to watch later",
        "needs_library_audio_or_video_url": "Whether audio or video to watch later is missing",
        "needs_notes_template": "Whether notes are missing",
        "needs_video_url": "Whether the address of the stream is missing",
        "page_actions": "Buttons on its page",
        "published_live_at": "When it was opened to watch live",
        "published_to_library_at": "When it was opened to watch later",
        "sermon_audio": "Audio of the sermon, with its address",
        "stream_type": "channel_default_livestream, livestream or prerecorded",
        "video_thumbnail_url": "Web address of the small picture of the stream",
        "video_embed_code": "HTML that shows the stream",
        "services_plan_remote_identifier": "Id of the plan in Services",
        "services_service_type_remote_identifier": "Id of the service type in Services",
    },
    "episode_resources": {
        "icon": "Name of the symbol",
        "kind": "giving_fund, people_form, generic_url or services_public_page",
        "type": "Type of the record it leads to",
    },
    "episode_times": {
        "video_embed_code": "HTML that shows the stream",
        "current_timestamp": "Where the stream stood when the record was read, in seconds",
        "current_state": "upcoming, active or over, when the record was read",
        "caveats": "Restrictions on watching it",
    },
    "note_templates": {
        "enabled": "Whether listeners see it",
        "template": "The notes, with their blanks",
        "auto_create_free_form_notes": "Whether listeners can write notes of their own",
        "published_at": "When it was opened to listeners",
    },
    "episode_statistics": {
        "times": "Viewers at each time of the episode",
        "library_watch_count": "Number of views later",
        "live_watch_count": "Number of views live",
        "published_to_library_at": "When the episode was opened to watch later",
        "published_live_at": "When the episode was opened to watch live",
        "title": "Title of the episode",
    },
}
