"""The parameters that the lists of the API product take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "connected_applications": Abilities(),
    "connected_application_people": Abilities(),
}
