"""Email: an address of a person."""

from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.transform.entity import Entity, or_empty, or_false, taken

EMAILS = Entity(
    table="emails",
    tag="email",
    stream=people.EMAILS,
    columns={
        "address": or_empty("address"),
        "location": taken("location"),
        "primary": or_false("primary"),
        "blocked": or_false("blocked"),
    },
)
