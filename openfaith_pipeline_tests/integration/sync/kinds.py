"""Every way there is of reading all streams, and the tables of links beside the source's own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk_planner import plan_walks
from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.integration.sync.church import ALL

Links = dict[str, set[tuple[str, str]]]


def syncs_of_every_kind() -> Iterator[tuple[str, Sequence[Stream], dict[str, Any]]]:
    """The name of each kind, the streams that are read, and the arguments of the sync."""
    yield "incremental", ALL, {}
    yield "quick", ALL, {"is_rotating": True}
    yield "children without their parents' stream", [stream for stream in ALL if stream.carried_as], {}
    walks = [walk.streams for walk in plan_walks(ALL, STREAMS, is_full=True)]
    for night, chosen in enumerate((walks[::2], walks[1::2]), start=1):
        streams = [stream for together in chosen for stream in together]
        yield f"rolling reconcile, night {night}", streams, {"mode": SyncMode.RECONCILE}


def written(results: Mapping[str, StreamResult]) -> dict[str, tuple[int, int, int]]:
    """Counts of inserted, updated and deleted rows, for streams with any."""
    counts = {name: (each.inserted, each.updated, each.deleted) for name, each in results.items()}
    return {name: count for name, count in counts.items() if any(count)}


def linked(database: Database, org_id: str) -> Links:
    """An org's rows in each table of links."""
    found: Links = {}
    with database.connect() as connection:
        for stream in ALL:
            for table in stream.links.values():
                rows = connection.execute(
                    sql.SQL("SELECT id, related_id FROM {} WHERE org_id = %s").format(
                        sql.Identifier(stream.schema, table)
                    ),
                    (org_id,),
                ).fetchall()
                found[f"{stream.schema}.{table}"] = set(rows)
    return found


def linked_at_the_source(simulator: SimulatorClient, org_id: str) -> Links:
    """The rows that each table of links should hold."""
    return {
        f"{stream.schema}.{table}": {
            (record["id"], named["id"])
            for record in simulator.truth(org_id, stream.name)
            for named in record["relationships"].get(relationship, {}).get("data") or []
        }
        for stream in ALL
        for relationship, table in stream.links.items()
    }
