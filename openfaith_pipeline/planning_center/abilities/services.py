"""The parameters that the lists of Services take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "attachment_type_groups": Abilities(order="name"),
    "attachment_types": Abilities(order="name"),
    "folders": Abilities(query="parent_id", order="name", include="service_types"),
    "tag_groups": Abilities(query="name tags_for", filter="arrangement media person song", include="folder tags"),
    "tags": Abilities(),
    "service_types": Abilities(
        query="id name parent_id",
        order="name sequence",
        filter="no_parent",
        include="time_preference_options",
    ),
    "time_preference_options": Abilities(order="day_of_week hour_of_day"),
    "item_note_categories": Abilities(),
    "plan_note_categories": Abilities(),
    "people": Abilities(
        query="assigned_to_rehearsal_team legacy_id",
        order="created_at first_name last_name updated_at",
        include="emails tags team_leaders",
    ),
    "emails": Abilities(),
    "teams": Abilities(
        query="name",
        order="created_at name updated_at",
        include="people person_team_position_assignments service_types team_leaders team_positions",
    ),
    "team_positions": Abilities(order="name", include="tags team"),
    "team_leaders": Abilities(order="first_name last_name", include="people team"),
    "person_team_position_assignments": Abilities(order="first_name last_name", include="person team_position"),
    "songs": Abilities(
        query="author ccli_number hidden themes title",
        order="created_at last_scheduled_at title updated_at",
    ),
    "arrangements": Abilities(include="keys sections"),
    "arrangement_sections": Abilities(),
    "keys": Abilities(order="created_at updated_at"),
    "media": Abilities(
        query="creator_name id themes title",
        order="created_at title updated_at",
        filter=(
            "archived audio background_audio background_image background_video countdown curriculum document "
            "drama image not_archived powerpoint song_video video"
        ),
        include="attachments",
    ),
    "series": Abilities(query="title", order="created_at"),
    "plans": Abilities(
        query="created_at id series_title title updated_at",
        order="created_at sort_date title updated_at",
        filter="after before future no_dates past",
        include="contributors my_schedules plan_times series",
    ),
    "plan_templates": Abilities(order="created_at item_count name note_count team_count updated_at"),
    "plan_times": Abilities(query="time_type", order="starts_at", include="split_team_rehearsal_assignments"),
    "plan_people": Abilities(
        query="team_id",
        filter="confirmed not_archived not_declined not_deleted",
        include="declined_plan_times person plan team",
    ),
    "plan_person_times": Abilities(order="updated_at"),
    "needed_positions": Abilities(include="team time"),
    "items": Abilities(include="arrangement item_notes item_times key media selected_attachment song"),
    "item_notes": Abilities(include="item_note_category"),
    "item_times": Abilities(),
    "plan_notes": Abilities(
        query="created_at updated_at",
        order="created_at updated_at",
        filter="team",
        include="plan_note_category",
    ),
    "attendances": Abilities(),
    "contributors": Abilities(order="created_at updated_at"),
    "split_team_rehearsal_assignments": Abilities(),
    "attachments": Abilities(
        query="administrator_id licenses_purchased",
        order="attachable_type created_at deleted_at filename filetype size",
        filter="attachable_type extensions",
        include="zooms",
    ),
    "custom_slides": Abilities(),
    "blockouts": Abilities(query="group_identifier", filter="future past"),
    "blockout_dates": Abilities(),
    "blockout_exceptions": Abilities(),
    "scheduling_preferences": Abilities(),
    "text_settings": Abilities(),
    "email_templates": Abilities(),
    "report_templates": Abilities(filter="matrix people plans without_defaults"),
    "live_controllers": Abilities(order="created_at updated_at"),
    "public_views": Abilities(),
}
