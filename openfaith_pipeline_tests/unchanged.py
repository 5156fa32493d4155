"""A church in which nothing changes, synced again and again: nothing is written, and every table is the source.

    python -m openfaith_pipeline_tests.unchanged [--people 800]

All streams of all products, parents and links included: a first sync, three more, then one of every other kind. Prints
the duration, requests and rows written of each; exit code 1 if a later one wrote anything or a table differs.
"""

import argparse
import sys
from collections.abc import Sequence
from time import monotonic
from typing import Any

from benchmarks.church import NO_LIMIT, fresh_place
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.integration.sync.church import ALL, connect, differences, row_versions, statuses, sync
from openfaith_pipeline_tests.integration.sync.kinds import linked, linked_at_the_source, syncs_of_every_kind, written

_AGAIN = ("second", "third", "fourth")
_MOST_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=800)
    people = parser.parse_args().people
    with (
        running_simulator(made_up_churches(1, people=people), rate_limit=NO_LIMIT) as simulator,
        fresh_place() as place,
    ):
        [org_id] = connect(place.database, simulator)
        wrong = _synced(place.database, simulator, org_id, "first", ALL, {}, is_first=True)
        before = row_versions(place.database, ALL)
        rounds: list[tuple[str, Sequence[Stream], dict[str, Any]]] = [(name, ALL, {}) for name in _AGAIN] + list(
            syncs_of_every_kind()
        )[1:]
        for name, streams, asked in rounds:
            wrong += _synced(place.database, simulator, org_id, name, streams, asked)
        if row_versions(place.database, ALL) != before:
            wrong.append("rows were written again, though none was counted")
    for each in wrong[:_MOST_SHOWN]:
        print(each)
    return 1 if wrong else 0


def _synced(
    database: Database,
    simulator: SimulatorClient,
    org_id: str,
    name: str,
    streams: Sequence[Stream],
    asked: dict[str, Any],
    *,
    is_first: bool = False,
) -> list[str]:
    """Sync and compare. Returns the faults found."""
    simulator.forget_requests()
    started = monotonic()
    results = sync(database, org_id, streams, **asked)
    seconds, requests = monotonic() - started, simulator.stats()["requests"]
    found = differences(database, simulator, org_id, ALL)
    if linked(database, org_id) != linked_at_the_source(simulator, org_id):
        found.append("links differ")
    rows = sum(sum(counts) for counts in written(results).values())
    print(f"{name}: {rows} rows written, {requests} requests, {seconds:.0f} s, {len(found)} differences", flush=True)
    found += [f"{stream}: {status}" for stream, status in statuses(results).items()]
    if not is_first:
        found += [f"{stream} wrote {counts}" for stream, counts in written(results).items()]
    return [f"{name}: {each}" for each in found]


if __name__ == "__main__":
    sys.exit(main())
