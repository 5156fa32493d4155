"""The parameters that the lists of Groups take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "campuses": Abilities(query="id name", order="name"),
    "people": Abilities(query="first_name last_name", order="first_name last_name"),
    "tag_groups": Abilities(query="name", order="name position", filter="public"),
    "tags": Abilities(query="id name", order="name position"),
    "group_types": Abilities(
        query="id",
        order="name position",
        filter="church_center_visible not_church_center_visible",
    ),
    "groups": Abilities(
        query="archive_status name",
        order="name",
        filter="campus group group_type my_groups people_database_searchable",
        include="enrollment group_type location",
    ),
    "enrollments": Abilities(),
    "memberships": Abilities(query="role", order="first_name joined_at last_name role", include="person"),
    "resources": Abilities(order="last_updated name", filter="leaders"),
    "group_applications": Abilities(query="applied_at status", order="applied_at status", include="group person"),
    "events": Abilities(
        query="ends_at name starts_at",
        order="ends_at name starts_at",
        filter="canceled group group_type my_groups not_canceled upcoming",
        include="group location",
    ),
    "event_notes": Abilities(include="owner"),
    "owners": Abilities(),
    "locations": Abilities(include="group"),
    "attendances": Abilities(query="role", order="first_name last_name role", filter="attended", include="person"),
}
