import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.load.preview import preview_columns
from openfaith_pipeline.sources import STREAMS

HARMLESS = {"id", "created_at", "updated_at", "_first_seen_at", "_synced_at"}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_preview_has_no_attribute_of_a_person(stream: Stream) -> None:
    relationships = {f"{name}_{part}" for name in stream.belongs_to for part in ("id", "type")}
    assert set(preview_columns(stream)) <= HARMLESS | relationships
