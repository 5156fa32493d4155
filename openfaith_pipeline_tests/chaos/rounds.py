"""Rounds of work that is killed at a random point and resumed, and the invariants checked after each."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from openfaith_pipeline.database import Database
from openfaith_pipeline.journal import canonical_rows, link_rows, raw_rows
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import ENTITIES
from openfaith_pipeline_tests.chaos.attempt import CHOSEN, NAMES, attempt
from openfaith_pipeline_tests.chaos.canonical import canonical_differences
from openfaith_pipeline_tests.chaos.moments import wait_for_a_moment
from openfaith_pipeline_tests.chaos.refetching import Wreck, look_at_wreck, refetched
from openfaith_pipeline_tests.chaos.requested import ask, await_end, crash_meanwhile
from openfaith_pipeline_tests.chaos.world import Process, World, leftovers
from openfaith_pipeline_tests.integration.replay import replay_differences
from openfaith_pipeline_tests.integration.sync.church import differences

ACTIONS: Final = {"incremental": 4, "reconcile": 4, "verb": 1, "rollback": 1}
"""What is killed, by how often: syncs by the engine, `openfaith-pipeline sync`, `openfaith-pipeline rollback`."""

REQUEST: Final = "request"
"""The action of a sync that is asked for and carried out by Dagster's processes."""

VICTIMS: Final = {"process": 3, "postgres": 1}
DAGSTER_VICTIMS: Final = {"worker": 3, "daemon": 3, "host": 1, "code server": 1, "postgres": 1}

_JOURNALED: Final = [
    *map(raw_rows, CHOSEN),
    *(link_rows(stream, relationship) for stream in CHOSEN for relationship in stream.links),
    *(canonical_rows("public", table) for table in ENTITIES),
]
_STREAMS: Final = [argument for stream in CHOSEN for argument in ("--stream", stream.name)]


@dataclass(frozen=True)
class Plan:
    """The action of a round and the process that is killed during it."""

    action: str
    victim: str

    def __str__(self) -> str:
        return f"{self.action}, {self.victim} killed"


@dataclass
class Round:
    """The result of a round.

    moment: the work in progress at the kill. refetched: answered requests that were repeated. in_flight: upper bound
    of the pages in flight at the kill. wrong: the invariants that did not hold.
    """

    plan: Plan
    moment: str
    refetched: int = 0
    in_flight: int = 0
    seconds: float = 0
    wrong: list[str] = field(default_factory=list)


def plan_rounds(world: World, rounds: int, dagster_share: float) -> Iterator[Plan]:
    """Random plans; the given share of them goes through Dagster's processes."""
    for _ in range(rounds):
        if world.deployment and world.chance.random() < dagster_share:
            yield Plan(REQUEST, _choice(world, DAGSTER_VICTIMS))
        else:
            yield Plan(_choice(world, ACTIONS), _choice(world, VICTIMS))


def play(world: World, plans: Iterable[Plan]) -> Iterator[Round]:
    """Play the rounds, one after another."""
    with world.database() as database:
        attempt(database, world.org_id, SyncMode.INCREMENTAL, "sync_first")
    for plan in plans:
        began_at = time.monotonic()
        world.simulator.forget_requests()
        played = _play_request(world, plan) if plan.action == REQUEST else _play_process(world, plan)
        played.wrong += _recover(world)
        played.seconds = time.monotonic() - began_at
        yield played


def _play_request(world: World, plan: Plan) -> Round:
    """Ask, kill while it is carried out and the church changes, and let Dagster's processes bring it to its end."""
    assert world.deployment
    with world.editor.at_work():
        request_id = ask(world, world.chance.choice(["incremental", "reconcile"]))
        moment = crash_meanwhile(world, world.deployment, request_id, plan.victim)
    wreck = _wreck(world)
    wrong = await_end(world, world.deployment, request_id)
    return Round(plan, moment, refetched(world.simulator, wreck, NAMES), wreck.pages_in_flight, wrong=wrong)


def _play_process(world: World, plan: Plan) -> Round:
    """Begin, kill while the church changes, and sync again."""
    sync_id = f"sync_{uuid4().hex}"
    with world.editor.at_work():
        process = _begin(world, plan.action, sync_id)
        moment = wait_for_a_moment(world, lambda: process.poll() is not None, is_asking=plan.action != "rollback")
        world.kill(process, plan.victim)
    wreck = _wreck(world)
    is_retry = plan.action in set(SyncMode) and world.chance.random() < 0.5
    _take_up(world, plan.action, sync_id if is_retry else f"sync_{uuid4().hex}")
    # A new sync reads again the streams that the killed one had finished; a retry of the same sync does not.
    again = refetched(world.simulator, wreck, NAMES if is_retry else wreck.leads)
    return Round(plan, moment, again, wreck.pages_in_flight)


def _begin(world: World, action: str, sync_id: str) -> Process:
    if action == "verb":
        modes = ("--mode", "reconcile", "--if-busy", "wait")
        return world.start_verb("sync", world.org_id, *_STREAMS, *modes)
    if action == "rollback":
        return world.start_verb("rollback", _sync_to_undo(world), "--on-conflict", "keep", "--yes")
    return world.start_attempt(action, sync_id)


def _take_up(world: World, action: str, sync_id: str) -> None:
    """A sync of the same kind goes on where the killed one stopped."""
    mode = SyncMode(action) if action in set(SyncMode) else SyncMode.RECONCILE
    with world.database() as database:
        attempt(database, world.org_id, mode, sync_id)


def _recover(world: World) -> list[str]:
    """Once the source is quiet, one reconcile must make everything equal to it. Returns the remaining differences."""
    with world.database() as database:
        unsynced = attempt(database, world.org_id, SyncMode.RECONCILE, f"sync_{uuid4().hex}")
        return [
            *(f"{name} {status}" for name, status in unsynced.items()),
            *differences(database, world.simulator, world.org_id, CHOSEN),
            *leftovers(database),
            *_beyond_raw(database, world.org_id),
        ]


def _beyond_raw(database: Database, org_id: str) -> list[str]:
    """Compare the OpenFaith tables with their rules, and replay the journal against every journaled table."""
    with database.connect() as connection:
        return [*canonical_differences(connection, org_id), *replay_differences(connection, org_id, _JOURNALED)]


def _wreck(world: World) -> Wreck:
    with world.database() as database, database.connect() as connection:
        return look_at_wreck(connection, world.simulator, world.org_id)


def _sync_to_undo(world: World) -> str:
    with world.database() as database:
        return world.chance.choice(last_syncs(database, world.org_id))


def last_syncs(database: Database, org_id: str) -> list[str]:
    """The last that changed anything: syncs, and rollbacks, which are syncs too."""
    with database.connect() as connection:
        found = connection.execute(
            "SELECT sync_id FROM sync.syncs JOIN (SELECT sync_id, max(id) AS last FROM sync.journal WHERE org_id = %s"
            " GROUP BY sync_id) AS changes USING (sync_id) WHERE status = 'succeeded' ORDER BY last DESC LIMIT 3",
            (org_id,),
        ).fetchall()
    return [sync_id for (sync_id,) in found]


def _choice(world: World, weights: dict[str, int]) -> str:
    return world.chance.choices(list(weights), list(weights.values()))[0]
