"""Anybody may ask whether the service is ready, as often as they like: Postgres is looked at once a second at most."""

import asyncio
import time
from typing import Any

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.service import health
from openfaith_pipeline.service.app import create_app
from openfaith_pipeline.service.health import Readiness, Watch

LOOK_SECONDS = 0.05


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When Postgres was looked at; a look takes a while."""
    found: list[float] = []
    look = health.read_readiness

    def slow(pool: Any) -> Readiness:
        found.append(time.monotonic())
        time.sleep(LOOK_SECONDS)
        return look(pool)

    monkeypatch.setattr(health, "read_readiness", slow)
    return found


async def test_many_who_ask_at_once_and_after_cause_one_look(database: Database, looks: list[float]) -> None:
    app, clock = create_app(database), Clock()
    with app.state.pool:
        watch = Watch(app.state.pool, clock)
        first = await asyncio.gather(*(watch.read() for _ in range(200)))
        assert {each.status for each in first} == {"ready"}
        assert (await watch.read()).status == "ready"
        assert len(looks) == 1
        clock.now = health.KEPT_SECONDS
        await watch.read()
        assert len(looks) == 2


async def test_one_who_gives_up_ends_nobody_elses_look(database: Database, looks: list[float]) -> None:
    app = create_app(database)
    with app.state.pool:
        watch = Watch(app.state.pool)
        impatient, patient = asyncio.create_task(watch.read()), asyncio.create_task(watch.read())
        await asyncio.sleep(LOOK_SECONDS / 5)
        impatient.cancel()
        assert (await patient).status == "ready"
        assert len(looks) == 1
