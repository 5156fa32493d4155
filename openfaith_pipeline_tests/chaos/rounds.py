"""Rounds of work that is killed at a random point and taken up again, and what must be true after each."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from openfaith_pipeline.database import Database
from openfaith_pipeline.extract.ahead import PAGES_AHEAD
from openfaith_pipeline.extract.children import PARENTS_IN_FLIGHT
from openfaith_pipeline.journal import canonical_rows, link_rows, raw_rows
from openfaith_pipeline.results import SyncMode
from openfaith_pipeline.transform import TABLES
from openfaith_pipeline_tests.chaos.attempt import CHOSEN, attempt
from openfaith_pipeline_tests.chaos.canonical import canonical_differences
from openfaith_pipeline_tests.chaos.world import World, leftovers, refetched
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.integration.sync.church import differences

ACTIONS: Final = {"incremental": 4, "reconcile": 4, "verb": 1, "rollback": 1}
"""What is killed, by how often: syncs by the engine, `openfaith-pipeline sync`, `openfaith-pipeline rollback`."""

VICTIMS: Final = {"sync": 3, "postgres": 1}

MOST_REFETCHED: Final = len(CHOSEN) * (PAGES_AHEAD + 2 + PARENTS_IN_FLIGHT)
"""Of one kill: every walk's pages in flight. In truth a handful of walks are under way at a time."""

_JOURNALED: Final = [
    *map(raw_rows, CHOSEN),
    *(link_rows(stream, relationship) for stream in CHOSEN for relationship in stream.links),
    *(canonical_rows("public", table) for table in TABLES),
]
_STREAMS: Final = [argument for stream in CHOSEN for argument in ("--stream", stream.name)]


@dataclass
class Figures:
    """What the rounds came to."""

    rounds: Counter[str] = field(default_factory=Counter)
    refetched: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def play(world: World, rounds: int, figures: Figures) -> Iterator[tuple[str, list[str]]]:
    """Play the rounds; of each, what was done and everything that is wrong after it."""
    with world.database() as database:
        attempt(database, world.org_id, SyncMode.INCREMENTAL, "sync_first")
    for _ in range(rounds):
        action = _choice(world, ACTIONS)
        victim = _choice(world, VICTIMS)
        began_at = time.monotonic()
        _interrupt(world, action, victim)
        figures.refetched.append(_take_up(world, action))
        wrong = _recover(world)
        figures.rounds[f"{action}, {victim} killed"] += 1
        figures.seconds.append(time.monotonic() - began_at)
        if figures.refetched[-1] > MOST_REFETCHED:
            wrong.append(f"{figures.refetched[-1]} pages were fetched again")
        yield f"{action}, {victim} killed", wrong


def _interrupt(world: World, action: str, victim: str) -> None:
    """Begin, while the church changes, and kill."""
    world.simulator.forget_requests()
    with world.changing_church():
        if action == "verb":
            process = world.start_verb("sync", world.org_id, *_STREAMS, "--mode", "reconcile")
        elif action == "rollback":
            process = world.start_verb("rollback", _last_sync(world), "--on-conflict", "keep")
        else:
            process = world.start_attempt(action, f"sync_{uuid4().hex}")
        world.wait_for_a_moment(process)
        world.kill(process, victim)


def _take_up(world: World, action: str) -> int:
    """The next sync of the same kind goes on where the killed one stopped; how many answers it asked for again."""
    mode = SyncMode(action) if action in set(SyncMode) else SyncMode.RECONCILE
    with world.database() as database:
        attempt(database, world.org_id, mode, f"sync_{uuid4().hex}")
    return refetched(world.simulator)


def _recover(world: World) -> list[str]:
    """Once the church is quiet, one whole sync makes everything equal to it; what is not."""
    with world.database() as database:
        unsynced = attempt(database, world.org_id, SyncMode.RECONCILE, f"sync_{uuid4().hex}")
        return [
            *(f"{name} {status}" for name, status in unsynced.items()),
            *differences(database, world.simulator, world.org_id, CHOSEN),
            *leftovers(database),
            *_beyond_raw(database, world.org_id),
        ]


def _beyond_raw(database: Database, org_id: str) -> list[str]:
    """The OpenFaith tables by their rules, and the journal against every table it tells of."""
    with database.connect() as connection:
        return [*canonical_differences(connection, org_id), *replay_differences(connection, org_id, _JOURNALED)]


def _last_sync(world: World) -> str:
    with world.database() as database, database.connect() as connection:
        row = connection.execute(
            "SELECT sync_id FROM sync.syncs WHERE status = 'succeeded' ORDER BY finished_at DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    return str(row[0])


def _choice(world: World, weights: dict[str, int]) -> str:
    return world.chance.choices(list(weights), list(weights.values()))[0]
