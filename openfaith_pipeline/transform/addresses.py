"""Address: where a person lives or gets mail."""

from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.transform.entity import Entity, or_false, taken

ADDRESSES = Entity(
    table="addresses",
    tag="address",
    stream=people.ADDRESSES,
    columns={
        "streetLine1": taken("street_line_1"),
        "streetLine2": taken("street_line_2"),
        "city": taken("city"),
        "state": taken("state"),
        "zip": taken("zip"),
        "countryCode": taken("country_code"),
        "location": taken("location"),
        "primary": or_false("primary"),
    },
)
