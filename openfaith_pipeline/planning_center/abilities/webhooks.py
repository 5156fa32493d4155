"""The parameters that the lists of the webhooks product take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "available_events": Abilities(),
    "webhook_subscriptions": Abilities(query="application_id"),
}
