"""How many answered requests are repeated after a kill, compared with the pages then in flight."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psycopg import Connection

from openfaith_pipeline.planning_center.extract.children import PARENTS_IN_FLIGHT
from openfaith_pipeline.planning_center.extract.prefetch import PAGES_ABREAST
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.readahead import PAGES_AHEAD

IN_FLIGHT_OF_A_WALK = PAGES_ABREAST + 2 * PAGES_AHEAD
"""Pages being fetched, those that wait for the database, and those being committed, which had waited together."""


@dataclass(frozen=True)
class Wreck:
    """The state just after a kill.

    asked: number of requests until then. answered: targets of those answered with 200.
    leads: name of each stream whose walk had not ended -> the stream it is read with.
    """

    asked: int
    answered: frozenset[str]
    leads: Mapping[str, str]

    @property
    def pages_in_flight(self) -> int:
        """An upper bound: the pages of each walk, and under parents also those of the parents read in parallel."""
        return sum(
            IN_FLIGHT_OF_A_WALK + (PARENTS_IN_FLIGHT if STREAMS[lead].parent else 0)
            for lead in set(self.leads.values())
        )


def look_at_wreck(connection: Connection, simulator: SimulatorClient, org_id: str) -> Wreck:
    """The requests made until now, and the walks that another attempt may go on with."""
    requests = simulator.requests()
    unfinished = connection.execute(
        "SELECT stream, coalesce(lead_stream, stream) FROM (SELECT DISTINCT ON (stream) stream, lead_stream, status"
        " FROM sync.stream_syncs WHERE org_id = %s ORDER BY stream, id DESC) AS latest"
        " WHERE status IN ('running', 'failed')",
        (org_id,),
    ).fetchall()
    answered = frozenset(request["target"] for request in requests if request["status"] == 200)
    return Wreck(len(requests), answered, dict(unfinished))


def refetched(simulator: SimulatorClient, wreck: Wreck, streams: Collection[str]) -> int:
    """Answers of these streams that had been given before the kill, and were given again after it."""
    later = simulator.requests()[wreck.asked :]
    return len(
        {request["target"] for request in later if request["status"] == 200 and request["stream"] in streams}
        & wreck.answered
    )
