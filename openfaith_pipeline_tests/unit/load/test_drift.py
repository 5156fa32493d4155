"""What differs from the catalog, as it is noted."""

from openfaith_pipeline.load.columns import LONGEST_ID
from openfaith_pipeline.load.drift import Sightings
from openfaith_pipeline.sources import STREAMS


def test_an_attribute_of_any_name_is_noted_by_one_that_can_be_indexed() -> None:
    stream = STREAMS["people.tabs"]
    seen = {*stream.attributes, "short", "x" * 3200}
    assert Sightings(1, seen).drift(stream) == [("short", "new"), ("x" * LONGEST_ID, "new")]
