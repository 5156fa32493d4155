"""The parameters that the lists of Calendar take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "tag_groups": Abilities(query="created_at name updated_at", order="name", filter="required", include="events tags"),
    "tags": Abilities(
        query="church_center_category color created_at id name position updated_at",
        order="name position",
        filter="individual",
        include="tag_group",
    ),
    "people": Abilities(
        query="created_at first_name last_name middle_name updated_at",
        order="created_at first_name last_name resolves_conflicts updated_at",
        filter="active event_owners",
        include="organization",
    ),
    "resource_folders": Abilities(
        query="ancestry created_at name path_name updated_at",
        order="ancestry created_at name updated_at",
        filter="resources rooms",
        include="resources",
    ),
    "resources": Abilities(
        query="created_at kind name path_name serial_number updated_at",
        order="created_at expires_at name updated_at",
        filter="resources rooms",
        include="resource_approval_groups resource_folder resource_questions room_setups",
    ),
    "resource_approval_groups": Abilities(
        query="created_at id name updated_at",
        order="created_at name updated_at",
        include="people resources",
    ),
    "resource_questions": Abilities(query="created_at kind updated_at"),
    "room_setups": Abilities(
        query="created_at name updated_at",
        order="created_at name updated_at",
        filter="shared_room_setups",
        include="containing_resource resource_suggestions",
    ),
    "resource_suggestions": Abilities(include="resource"),
    "required_approvals": Abilities(filter="resources rooms", include="resource"),
    "feeds": Abilities(query="feed_type source_id", order="name"),
    "events": Abilities(
        query=(
            "approval_status created_at featured name percent_approved percent_rejected updated_at "
            "visible_in_church_center"
        ),
        filter="future",
        include="attachments feed owner tags",
    ),
    "event_connections": Abilities(query="product_name"),
    "event_instances": Abilities(
        query="created_at ends_at starts_at updated_at",
        order="created_at ends_at starts_at updated_at",
        filter=(
            "all approved approved_pending approved_pending_rejected approved_rejected approver "
            "approver_subscriber future lost manager manager_approver manager_approver_subscriber "
            "manager_subscriber owner owner_approver owner_approver_subscriber owner_manager "
            "owner_manager_approver owner_manager_approver_subscriber owner_manager_subscriber owner_subscriber "
            "pending pending_rejected rejected shared subscriber unresolved"
        ),
        include="event event_times resource_bookings tags",
    ),
    "event_times": Abilities(
        query="ends_at name starts_at visible_on_kiosks visible_on_widget_and_ical",
        order="ends_at starts_at",
        include="event",
    ),
    "event_resource_requests": Abilities(
        query="approval_sent approval_status created_at updated_at",
        include="created_by event resource room_setup updated_by",
    ),
    "event_resource_answers": Abilities(),
    "resource_bookings": Abilities(
        query="created_at ends_at starts_at updated_at",
        order="created_at ends_at starts_at updated_at",
        filter=(
            "approved approved_pending approved_pending_rejected approved_rejected future pending "
            "pending_rejected rejected resources rooms"
        ),
        include="event_instance event_resource_request resource",
    ),
    "conflicts": Abilities(
        order="resolved_at",
        filter="future resolved unresolved",
        include="resolved_by resource winner",
    ),
    "attachments": Abilities(
        query="content_type created_at description file_size name updated_at",
        order="content_type created_at description file_size name updated_at",
        include="event",
    ),
    "report_templates": Abilities(),
}
