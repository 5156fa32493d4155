"""A requested sync, carried out by Dagster's processes while these are killed."""

import time
from collections.abc import Callable
from typing import Final

from openfaith_pipeline.inbox.requests import Request, get_request
from openfaith_pipeline.inbox.sync_requests import request_sync
from openfaith_pipeline_tests.chaos.attempt import NAMES
from openfaith_pipeline_tests.chaos.deployment import Deployment
from openfaith_pipeline_tests.chaos.moments import wait_for_a_moment
from openfaith_pipeline_tests.chaos.world import World

_LONGEST_SECONDS: Final = 240
"""Longer than it takes to make good a retry that Dagster has lost."""


def ask(world: World, mode: str) -> str:
    """Ask for a sync as the service does; the id of the request."""
    with world.database() as database, database.connect() as connection:
        return request_sync(connection, world.org_id, mode=mode, streams=NAMES, trigger="api", adapter="pco")


def crash_meanwhile(world: World, deployment: Deployment, request_id: str, victim: str) -> str:
    """Kill the victim at a random point of the request's life. Returns a name for the work in progress then."""
    if victim in {"worker", "host"}:
        deployment.wait_for_worker()
    if victim in {"daemon", "code server"} and world.chance.random() < 0.5:
        time.sleep(world.chance.random() * 5)
        moment = "launching"
    else:
        moment = wait_for_a_moment(world, _has_ended(world, request_id))
    if victim == "postgres":
        world.kill_postgres()
    elif deployment.crash(victim, world.chance):
        world.kills[victim] += 1
    return moment


def await_end(world: World, deployment: Deployment, request_id: str) -> list[str]:
    """Wait for the request's end, restarting processes that end meanwhile. Returns why it did not succeed."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while (request := _read(world, request_id)).is_open:
        if time.monotonic() > deadline:
            return [f"{request_id} is {request.status} after {_LONGEST_SECONDS} s"]
        deployment.revive()
        time.sleep(0.2)
    return [] if request.status == "succeeded" else [f"{request_id} {request.status}: {request.error}"]


def _has_ended(world: World, request_id: str) -> Callable[[], bool]:
    return lambda: not _read(world, request_id).is_open


def _read(world: World, request_id: str) -> Request:
    with world.database() as database, database.connect() as connection:
        return get_request(connection, request_id)
