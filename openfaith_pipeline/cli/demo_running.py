"""The demo's simulator, started by the verb that reads from it, unless it is running already."""

import asyncio
import fcntl
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.demo_churches import (
    DemoChurches,
    connect_churches,
    is_answering,
    load_demo,
    start_simulator,
)
from openfaith_pipeline.connections.registry import own_api_url
from openfaith_pipeline.database import Database
from openfaith_pipeline.processes.supervisor import Supervisor
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import DEFAULT_SOURCE

_Result = TypeVar("_Result")


def run_at_source(
    database: Database, org_ids: Collection[str], work: Callable[[], Coroutine[Any, Any, _Result]]
) -> _Result:
    """Run work that reads from, or writes to, the source of these orgs. Every verb uses this function for it."""
    with demo_answers(database, org_ids):
        return asyncio.run(work())


@contextmanager
def demo_answers(database: Database, org_ids: Collection[str]) -> Iterator[None]:
    """Keep the demo's simulator running during the block, if some of these orgs are its churches.

    Verbs that run at the same time share a simulator; the one that started it stops it when the last has ended.
    """
    demo = load_demo(database.settings)
    if demo is None or not _churches_among(demo, database, org_ids):
        yield
        return
    with _used(database.settings) as wait_for_others:
        if is_answering(demo):
            yield
            return
        with Supervisor(terminal.say) as supervisor:
            _start(demo, database, supervisor)
            try:
                yield
            finally:
                wait_for_others()


def _start(demo: DemoChurches, database: Database, supervisor: Supervisor) -> None:
    placed = start_simulator(demo, database.settings, supervisor)
    if placed != demo:
        connect_churches(placed, database, only=_churches_among(demo, database, [c.org_id for c in demo.churches]))
    terminal.say(
        f"this church is made up: a simulated Planning Center answers for it at {placed.url} until this is done"
        " (openfaith-pipeline dev keeps one running)"
    )


def _churches_among(demo: DemoChurches, database: Database, org_ids: Collection[str]) -> list[str]:
    """The orgs that are churches of the demo and still read from its simulator."""
    known = {church.org_id for church in demo.churches} & set(org_ids)
    with database.connect() as connection:
        return [
            org_id
            for org_id in sorted(known)
            if own_api_url(connection, org_id, adapter=DEFAULT_SOURCE.adapter) == demo.url
        ]


@contextmanager
def _used(settings: Settings) -> "Iterator[_Waiting]":
    """Hold a shared lock during the block, so that others see that the simulator is in use."""
    with (settings.home / "simulator.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield _Waiting(lock.fileno())


class _Waiting:
    """Waits until nobody else holds the lock."""

    def __init__(self, lock: int) -> None:
        self._lock = lock

    def __call__(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            terminal.say("another command still reads from the simulator: this one ends when that one is done")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
