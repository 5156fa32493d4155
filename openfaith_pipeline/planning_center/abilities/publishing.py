"""The parameters that the lists of Publishing take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "channels": Abilities(
        order="name position",
        include="channel_default_episode_resources channel_default_times current_episode",
    ),
    "channel_default_episode_resources": Abilities(),
    "channel_default_times": Abilities(order="position"),
    "series": Abilities(
        query="id",
        order="ended_at episodes_count started_at title",
        filter="not_published published",
        include="channel",
    ),
    "speakers": Abilities(order="first_name"),
    "episodes": Abilities(
        query="series_id services_plan_remote_identifier services_service_type_remote_identifier",
        order="published_live_at published_to_library_at stream_type title",
        filter=(
            "connected_to_services not_connected_to_services not_published_live published_live "
            "published_on_church_center"
        ),
        include="channel episode_resources episode_times series speakerships",
    ),
    "episode_resources": Abilities(order="position"),
    "episode_times": Abilities(order="starts_at"),
    "speakerships": Abilities(include="speaker"),
    "note_templates": Abilities(),
    "episode_statistics": Abilities(),
}
