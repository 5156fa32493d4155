"""The parameters that the lists of Giving take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "campuses": Abilities(),
    "labels": Abilities(query="slug"),
    "people": Abilities(query="first_name last_name", filter="has_donated"),
    "funds": Abilities(query="default id name visibility"),
    "payment_sources": Abilities(),
    "pledge_campaigns": Abilities(query="ends_at fund_id starts_at", order="ends_at starts_at", include="fund"),
    "pledges": Abilities(
        query="created_at updated_at",
        order="created_at updated_at",
        include="joint_giver pledge_campaign",
    ),
    "batch_groups": Abilities(query="updated_at", order="updated_at", filter="committed in_progress", include="owner"),
    "batches": Abilities(
        query="updated_at",
        order="updated_at",
        filter="committed in_progress",
        include="batch_group owner",
    ),
    "recurring_donations": Abilities(include="designations"),
    "recurring_donation_designations": Abilities(include="fund"),
    "donations": Abilities(
        query="completed_at created_at payment_method received_at updated_at",
        order="completed_at created_at received_at updated_at",
        filter="succeeded",
        include="designations labels note refund",
    ),
    "designations": Abilities(),
    "refunds": Abilities(include="designation_refunds"),
    "notes": Abilities(),
    "designation_refunds": Abilities(include="designation"),
    "in_kind_donations": Abilities(
        query="campus_id created_at fund_id received_on updated_at",
        order="created_at received_on updated_at",
        include="campus fund person",
    ),
    "payment_methods": Abilities(),
}
