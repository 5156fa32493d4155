"""Where the assets are placed: under their tables' names in our own code location, elsewhere in somebody else's."""

from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.defs.asset_metadata import asset_key
from openfaith_pipeline.defs.partitions import ORG

CANONICAL_GROUP: Final = "openfaith"


def canonical_key(table: str) -> dg.AssetKey:
    """`openfaith/phoneNumbers` for the table `openfaith_phoneNumbers`."""
    return dg.AssetKey([CANONICAL_GROUP, table])


@dataclass(frozen=True)
class Placement:
    """prefix: before every key. group: of all assets; None for one per product. partitions: one for each org."""

    prefix: tuple[str, ...] = ()
    group: str | None = None
    partitions: dg.PartitionsDefinition[str] = field(default_factory=lambda: ORG)

    def raw(self, stream: Stream) -> dg.AssetKey:
        return self._placed(asset_key(stream))

    def canonical(self, table: str) -> dg.AssetKey:
        return self._placed(canonical_key(table))

    def _placed(self, key: dg.AssetKey) -> dg.AssetKey:
        return dg.AssetKey([*self.prefix, *key.path]) if self.prefix else key


HERE: Final = Placement()
"""Our own code location."""
