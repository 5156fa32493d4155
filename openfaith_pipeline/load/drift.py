"""Drift: differences between the source and the catalog. Attributes that are new, gone, or of another type."""

from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import AsyncConnection

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.load.rows import EncodedRows
from openfaith_pipeline.text.printable import plain_or_hash

MOST_NEW: Final = 50
"""Number of new attributes of a stream that are recorded."""


@dataclass
class Sightings:
    """Attributes of a stream seen by one attempt; the pages of an earlier attempt are not seen again."""

    rows: int = 0
    attributes: set[str] = field(default_factory=set)
    retyped: set[str] = field(default_factory=set)

    def add(self, rows: EncodedRows) -> None:
        self.rows += len(rows.lines)
        self.attributes |= rows.attributes
        self.retyped |= {issue.field for issue in rows.issues if issue.field}

    def drift(self, stream: Stream) -> list[tuple[str, str]]:
        """(attribute, kind), sorted. An attribute that no record sent is gone; an empty one is sent as null.

        They are shown in events and on terminals, so only plain new names are repeated, up to a limit.
        """
        new = {
            (plain_or_hash(name), "new") for name in self.attributes - stream.attributes.keys() - set(stream.withheld)
        }
        gone = {(name, "gone") for name in stream.attributes.keys() - self.attributes}
        return sorted({*sorted(new)[:MOST_NEW]} | gone | {(name, "retyped") for name in self.retyped})


async def record_drift(connection: AsyncConnection[Any], org_id: str, stream: Stream, sightings: Sightings) -> None:
    """Record current differences with the time they began, and delete those that ended. No effect without any rows."""
    if not sightings.rows:
        return
    drift = sightings.drift(stream)
    attributes, kinds = [name for name, _ in drift], [kind for _, kind in drift]
    await connection.execute(
        "DELETE FROM sync.drift WHERE org_id = %s AND stream = %s"
        " AND (attribute, kind) NOT IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
        (org_id, stream.name, attributes, kinds),
    )
    if drift:
        await connection.execute(
            "INSERT INTO sync.drift (org_id, stream, attribute, kind)"
            " SELECT %s, %s, attribute, kind FROM unnest(%s::text[], %s::text[]) AS seen (attribute, kind)"
            " ON CONFLICT DO NOTHING",
            (org_id, stream.name, attributes, kinds),
        )
