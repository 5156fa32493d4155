"""Erasures that meet a sync, a delivery, a rollback, a rebuild, a backup or another erasure at the worst moment.

Afterwards no table has a value of the erased person.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database, reclaiming
from openfaith_pipeline.database.backup import dumping
from openfaith_pipeline.database.backup.dumping import write_backup
from openfaith_pipeline.errors import OpenFaithError, StreamBusy, UsageError
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.privacy.person_erasure import Certificate, erase_person
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync import attempt, reading
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import OnConflict, RollbackOrder, roll_back
from openfaith_pipeline.webhooks import applier
from openfaith_pipeline.webhooks.deliveries import claim
from openfaith_pipeline_tests.integration.privacy.planting import (
    PLANTED,
    bring,
    found_in_tables,
    plant,
    transform,
)
from openfaith_pipeline_tests.integration.sync.church import connect, sync
from openfaith_pipeline_tests.rates import GENEROUS

LEASES_END = "UPDATE sync.stream_states SET lease_expires_at = now() - interval '1 s' WHERE holder IS NOT NULL"
PATIENCE_SECONDS = 60


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=40), rate_limit=GENEROUS) as running:
        yield running


class Church:
    """A church whose planted person is synced once, and has changed since."""

    def __init__(self, database: Database, simulator: SimulatorClient) -> None:
        self.database, self.simulator = database, simulator
        [self.org_id] = connect(database, simulator)
        planted = plant(simulator, self.org_id, PLANTED)
        self.person = planted["person"]
        bring(database, self.org_id)
        simulator.merge(self.org_id, "people.people", keep=int(self.person), remove=int(planted["loser"]))
        bring(database, self.org_id)
        simulator.edit(self.org_id, "people.people", [int(self.person)], attributes={"nickname": f"{PLANTED}2"})

    def erase(self) -> Certificate:
        return erase_person(self.database, self.org_id, self.person, "somebody")

    def run(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def found(self) -> list[str]:
        return found_in_tables(self.database, self.org_id, PLANTED)


@pytest.fixture
def church(database: Database, simulator: SimulatorClient) -> Church:
    return Church(database, simulator)


class Halt:
    """Stops a thread where it calls a function for the first time, as a frozen process is stopped, until released."""

    def __init__(self, patch: pytest.MonkeyPatch, place: Any, name: str, *, after: bool = False) -> None:
        self.reached, self.released = threading.Event(), threading.Event()
        original: Callable[..., Any] = getattr(place, name)

        async def halting(*arguments: Any, **named: Any) -> Any:
            if not after:
                self.stop()
            done = await original(*arguments, **named)
            if after:
                self.stop()
            return done

        patch.setattr(place, name, halting)

    def stop(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.released.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("moment", ["before a page is staged", "after a page was staged", "before it is published"])
def test_a_frozen_sync_writes_nothing_of_a_person_erased_meanwhile(
    church: Church, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = (attempt, "publish") if "published" in moment else (reading, "commit_page")
    halt = Halt(monkeypatch, *place, after=moment.startswith("after"))
    streams = [STREAMS["people.people"], STREAMS["people.emails"]]
    with ThreadPoolExecutor(1) as threads:
        syncing = threads.submit(sync, church.database, church.org_id, streams, SyncMode.FULL_REFRESH)
        try:
            assert halt.reached.wait(PATIENCE_SECONDS)
            with pytest.raises(StreamBusy):
                church.erase()
            church.run(LEASES_END)
            church.erase()
        finally:
            halt.released.set()
        ended = syncing.exception(PATIENCE_SECONDS)
        assert isinstance(ended, OpenFaithError) or "succeeded" not in {
            each.status for each in syncing.result().values()
        }
    assert church.found() == []
    transform(church.database, church.org_id)
    bring(church.database, church.org_id, SyncMode.FULL_REFRESH)
    assert church.found() == []


def test_a_claimed_delivery_of_a_person_erased_meanwhile_is_not_applied(church: Church) -> None:
    """The applier has the document in its memory by then."""
    document = (
        f'{{"data": {{"type": "Email", "id": "777", "attributes": {{"address": "{PLANTED}@example.net", "created_at":'
        ' "2026-11-29T10:00:00Z", "updated_at": "2026-11-29T10:00:00Z"},'
        f' "relationships": {{"person": {{"data": {{"type": "Person", "id": "{church.person}"}}}}}}}}}}'
    )
    with church.database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, stream, record_id, payload)"
            " VALUES (%s, 'e', 'people.v2.events.email.created', 'people.emails', '777', %s)",
            (church.org_id, document.encode()),
        )

    async def race() -> None:
        database = church.database
        async with database.pool(size=3, row_factory=dict_row) as pool, holding(pool) as holder:
            async with pool.connection() as connection:
                deliveries = await claim(connection, holder, [])
            assert len(deliveries) == 1
            await asyncio.to_thread(church.erase)
            batch = applier._Batch(database, pool, holder, applier.connect_with_priority, tuple(deliveries))
            await batch.apply()

    asyncio.run(race())
    assert church.found() == []
    assert church.run("SELECT FROM pco_people.emails WHERE id = '777'") == []


def test_a_rollback_and_an_erasure_at_once(church: Church) -> None:
    bring(church.database, church.org_id)
    newest = church.run("SELECT sync_id FROM sync.stream_syncs WHERE stream = 'people.people' ORDER BY id DESC LIMIT 1")
    order = RollbackOrder(newest[0][0], OnConflict.OVERWRITE, org_ids=[church.org_id], is_over=True)
    for _ in range(2):
        with ThreadPoolExecutor(2) as threads:
            rolling, erasing = threads.submit(roll_back, church.database, order), threads.submit(_insist, church)
            for each in (rolling, erasing):
                assert isinstance(each.exception(PATIENCE_SECONDS), OpenFaithError | None)
    assert church.found() == []
    bring(church.database, church.org_id)
    assert church.found() == []


def _insist(church: Church) -> Certificate | None:
    while True:
        try:
            return church.erase()
        except StreamBusy:
            continue
        except UsageError:  # erased already
            return None


def test_two_erasures_of_one_person_at_once(church: Church) -> None:
    with ThreadPoolExecutor(2) as threads:
        done = [each.result(PATIENCE_SECONDS) for each in [threads.submit(_insist, church) for _ in range(2)]]
    assert sum(each is not None for each in done) >= 1
    assert church.found() == []


def test_an_erasure_during_a_backup(church: Church, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumping, "CHUNK", 4096)
    monkeypatch.setattr(reclaiming, "_PATIENCE", "1s")
    monkeypatch.setattr(reclaiming, "_READERS_SECONDS", 1.0)
    began, goes_on = threading.Event(), threading.Event()

    def halt(_: int) -> None:
        began.set()
        assert goes_on.wait(PATIENCE_SECONDS)

    def back_up() -> None:
        write_backup(church.database, tmp_path / "one", key_prints=(), sealed_key=None, progress=halt)

    with ThreadPoolExecutor(1) as threads:
        backing = threads.submit(back_up)
        try:
            assert began.wait(PATIENCE_SECONDS), backing.exception(1)
            certificate = church.erase()
        finally:
            goes_on.set()
        backing.result(PATIENCE_SECONDS)
    assert church.found() == []
    assert certificate.reclaimed is not None
    assert certificate.reclaimed.vacuumed, "pg_dump holds every table, so that none can be rewritten"
