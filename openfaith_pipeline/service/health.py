"""Liveness and readiness."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from psycopg import Connection
from pydantic import BaseModel

from openfaith_pipeline.database.versions import head_revision
from openfaith_pipeline.inbox.lifecycle import waiting_for_runs
from openfaith_pipeline.service.executions import Told
from openfaith_pipeline.service.problems import DATABASE_TROUBLE

router = APIRouter(tags=["health"])

KEPT_SECONDS: Final = 1.0
_SILENT_AFTER: Final = timedelta(minutes=2)


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(Told):
    """postgres: whether it answers, and has this version's tables.

    dagster: whether its daemon has sent a heartbeat recently. While it has not, requests are stored.
    waiting: requests that could have a run and have none, as those of a paused church, or behind its sync, could not.
    """

    status: Literal["ready", "not ready"]
    postgres: Literal["ok", "behind", "down"]
    dagster: Literal["ok", "down", "unknown"]
    waiting: int | None = None
    oldest_waiting_seconds: float | None = None


@router.get("/health", summary="Whether the service is alive")
async def show_health() -> Health:
    return Health()


class Watch:
    """The readiness, kept for a second for all callers: anybody may request it, without a key and without limit.

    For one event loop. A look at a Postgres that does not answer takes seconds, but one thread only.
    """

    def __init__(self, pool: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._clock = pool, clock
        self._found: Readiness | None = None
        self._found_at = 0.0
        self._looking: asyncio.Task[Readiness] | None = None

    async def read(self) -> Readiness:
        if self._found and self._clock() - self._found_at < KEPT_SECONDS:
            return self._found
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> Readiness:
        try:
            self._found = await asyncio.to_thread(read_readiness, self._pool)
            self._found_at = self._clock()
            return self._found
        finally:
            self._looking = None


@router.get("/health/ready", summary="Whether it can take requests", responses={503: {"model": Readiness}})
async def show_readiness(request: Request, response: Response) -> Readiness:
    """200 while Postgres answers, 503 while it does not. Dagster may be down: requests wait for it."""
    watch: Watch = request.app.state.watch
    readiness = await watch.read()
    if readiness.status != "ready":
        response.status_code = 503
    return readiness


def read_readiness(pool: Any) -> Readiness:
    try:
        with pool.connection(timeout=2) as connection:
            return _look(connection)
    except DATABASE_TROUBLE:
        return Readiness(status="not ready", postgres="down", dagster="unknown")


def _look(connection: Connection[Any]) -> Readiness:
    row = connection.execute("SELECT to_regclass('sync.requests') IS NOT NULL").fetchone()
    if row != (True,) or _revision(connection) < head_revision():
        return Readiness(status="not ready", postgres="behind", dagster=_dagster(connection))
    count, oldest = waiting_for_runs(connection)
    return Readiness(
        status="ready",
        postgres="ok",
        dagster=_dagster(connection),
        waiting=count,
        oldest_waiting_seconds=None if oldest is None else round(oldest, 1),
    )


def is_daemon_alive(connection: Connection[Any]) -> bool:
    """Whether Dagster's daemon has sent a heartbeat lately."""
    return _dagster(connection) == "ok"


def _revision(connection: Connection[Any]) -> str:
    row = connection.execute("SELECT max(version_num) FROM sync.alembic_version").fetchone()
    return (row[0] if row else None) or ""


def _dagster(connection: Connection[Any]) -> Literal["ok", "down", "unknown"]:
    """Dagster's health, by the heartbeat of its sensor daemon, which turns requests into runs, in Dagster's schema."""
    row = connection.execute("SELECT to_regclass('dagster.daemon_heartbeats') IS NOT NULL").fetchone()
    if row != (True,):
        return "unknown"
    beat = connection.execute(
        "SELECT max(timestamp) FROM dagster.daemon_heartbeats WHERE daemon_type = 'SENSOR'"
    ).fetchone()
    if beat is None or beat[0] is None:
        return "down"
    seen: datetime = beat[0] if beat[0].tzinfo else beat[0].replace(tzinfo=UTC)
    return "ok" if datetime.now(UTC) - seen < _SILENT_AFTER else "down"
