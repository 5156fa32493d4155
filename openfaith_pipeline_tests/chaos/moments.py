"""Random points in time: after some number of requests, after some time, or while Postgres does certain work."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from openfaith_pipeline_tests.chaos.world import World

_WORK: Final[Mapping[str, str]] = {
    "publishing": "%incoming AS (%",
    "transforming": "%transform_changes%",
    "journaling": "%journal%",
}
"""What Postgres does for somebody, by how its statement is known."""

_MOST_REQUESTS: Final = 90
_LONGEST_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 30.0
_FINDING: Final = (
    "SELECT what FROM pg_stat_activity, unnest(%s::text[], %s::text[]) AS work (what, pattern)"
    " WHERE pid <> pg_backend_pid() AND datname = current_database() AND state = 'active' AND query ILIKE pattern"
    " LIMIT 1"
)


def wait_for_a_moment(world: World, is_over: Callable[[], bool], *, is_asking: bool = True) -> str:
    """Wait until a random point before `is_over`. Returns a name for the work in progress then.

    is_asking: whether the action sends requests to Planning Center, so that they can be counted.
    """
    if world.chance.random() < (0.35 if is_asking else 0.7):
        return _wait_for_work(world, is_over)
    return _wait_for_requests(world, is_over) if is_asking else _wait_a_while(world, is_over)


def _wait_for_requests(world: World, is_over: Callable[[], bool]) -> str:
    wanted, deadline = world.chance.randrange(_MOST_REQUESTS), time.monotonic() + _PATIENCE_SECONDS
    before = world.simulator.stats()["requests"]
    while not is_over() and (made := world.simulator.stats()["requests"] - before) < wanted:
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)
    time.sleep(world.chance.random() * 0.2)
    if is_over():
        return "nothing more"
    return "reading" if made else "beginning"


def _wait_a_while(world: World, is_over: Callable[[], bool]) -> str:
    ends_at = time.monotonic() + world.chance.random() * _LONGEST_SECONDS
    while not is_over() and time.monotonic() < ends_at:
        time.sleep(0.005)
    return "nothing more" if is_over() else "beginning"


def _wait_for_work(world: World, is_over: Callable[[], bool]) -> str:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with world.database() as database, database.connect(autocommit=True) as connection:
        while not is_over() and time.monotonic() < deadline:
            found = connection.execute(_FINDING, (list(_WORK), list(_WORK.values()))).fetchone()
            if found is not None and world.chance.random() < 0.3:
                return str(found[0])
            time.sleep(0.001)
    return "nothing more" if is_over() else "reading"
