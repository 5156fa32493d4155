"""Erasures that meet a sync, a delivery, a rollback, a rebuild, a backup or another erasure at the worst moment.

Afterwards no table has a value of the erased person.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database, reclaiming
from openfaith_pipeline.database.backup import dumping
from openfaith_pipeline.database.backup.dumping import write_backup
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.errors import OpenFaithError, StreamBusy, UnknownOrg, UsageError
from openfaith_pipeline.load import sessions
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.privacy.org_erasure import erase_org
from openfaith_pipeline.privacy.person_erasure import Certificate, erase_person
from openfaith_pipeline.privacy.unreclaimed import finish_erasures
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync import attempt, reading
from openfaith_pipeline.sync.rebuild import OrgRebuild, RebuildOrder, rebuild
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.sync.rollback import OnConflict, RollbackOrder, roll_back
from openfaith_pipeline.transform.workspace import UNWATCHED, Watching
from openfaith_pipeline.webhooks import applier
from openfaith_pipeline.webhooks.deliveries import claim
from openfaith_pipeline_tests.conftest import database_to_copy
from openfaith_pipeline_tests.integration.privacy.planting import (
    PLANTED,
    bring,
    files_with,
    found_in_tables,
    plant,
    transform,
)
from openfaith_pipeline_tests.integration.sync.church import connect, sync
from openfaith_pipeline_tests.rates import GENEROUS
from openfaith_pipeline_tests.waiting import wait_until

LEASES_END = "UPDATE sync.stream_states SET lease_expires_at = now() - interval '1 s' WHERE holder IS NOT NULL"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Church:
    """A church whose planted person is synced once, and has changed since."""

    database: Database
    postgres: RunningServer
    org_id: str
    person: str

    def erase(self) -> Certificate:
        return erase_person(self.database, self.org_id, self.person, "somebody")

    def run(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def found(self) -> list[str]:
        """Tables, and files of tables, with the person's values."""
        found = found_in_tables(self.database, self.org_id, PLANTED)
        return found + [f"file of {name}" for name in files_with(self.postgres, self.database, PLANTED)]


@pytest.fixture(scope="module")
def prepared(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Church]:
    """What each test has a copy of; none changes it at the source."""
    with (
        running_simulator(made_up_churches(1, people=40), rate_limit=GENEROUS) as simulator,
        database_to_copy(postgres, "erasure_races", tmp_path_factory.mktemp("erasure_races") / "home") as database,
    ):
        [org_id] = connect(database, simulator)
        planted = plant(simulator, org_id, PLANTED)
        person = int(planted["person"])
        bring(database, org_id)
        simulator.merge(org_id, "people.people", keep=person, remove=int(planted["loser"]))
        bring(database, org_id)
        simulator.edit(org_id, "people.people", [person], attributes={"nickname": f"{PLANTED}2"})
        yield Church(database, postgres, org_id, planted["person"])


@pytest.fixture(scope="module")
def template(prepared: Church) -> str:
    return str(prepared.database.settings.db_name)


@pytest.fixture
def church(database: Database, prepared: Church) -> Church:
    return replace(prepared, database=database)


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
    assert found_in_tables(church.database, church.org_id, PLANTED) == []
    assert certificate.reclaimed is not None
    assert certificate.reclaimed.vacuumed, "pg_dump holds every table, so that none can be rewritten"
    assert [*finish_erasures(church.database)] == [certificate.erasure_id]
    assert church.found() == []


class Frozen:
    """Stops a rebuild at a place, or an erasure at a message, until it is released."""

    def __init__(self, place: str) -> None:
        self.place, self.reached, self.released = place, threading.Event(), threading.Event()

    def began(self, stage: str, steps: int) -> None: ...

    def step(self, place: str) -> None:
        if self.place in place and not self.reached.is_set():
            self.reached.set()
            assert self.released.wait(PATIENCE_SECONDS)


def rebuilt(church: Church, watching: Watching = UNWATCHED) -> OrgRebuild:
    [done] = rebuild(church.database, RebuildOrder([church.org_id]), watching=watching)
    assert done.error is None
    return done


def damage(church: Church) -> None:
    """Have the rebuild write the person's rows anew."""
    bring(church.database, church.org_id)
    for statement in ("DELETE FROM openfaith_people", "DELETE FROM openfaith_emails"):
        church.run(statement)


@pytest.mark.parametrize("place", ["people.people", "entityRelationships"])
def test_an_erasure_during_a_rebuild(church: Church, place: str) -> None:
    damage(church)
    frozen = Frozen(place)
    with ThreadPoolExecutor(2) as threads:
        rebuilding = threads.submit(rebuilt, church, frozen)
        assert frozen.reached.wait(PATIENCE_SECONDS), rebuilding.exception(1)
        erasing = threads.submit(church.erase)
        assert not erasing.done()
        frozen.released.set()
        assert rebuilding.result(PATIENCE_SECONDS).written
        erasing.result(PATIENCE_SECONDS)
    assert church.found() == []
    assert rebuilt(church).written == 0
    assert church.found() == []


@pytest.mark.parametrize("place", ["records to erase", "the journal"])
def test_a_rebuild_during_an_erasure(church: Church, place: str) -> None:
    damage(church)
    frozen = Frozen(place)
    with ThreadPoolExecutor(2) as threads:
        erasing = threads.submit(erase_person, church.database, church.org_id, church.person, "somebody", frozen.step)
        assert frozen.reached.wait(PATIENCE_SECONDS), erasing.exception(1)
        rebuilding = threads.submit(rebuilt, church)
        frozen.released.set()
        erasing.result(PATIENCE_SECONDS)
        rebuilding.result(PATIENCE_SECONDS)
    assert church.found() == []


def test_a_rebuild_that_waits_for_the_erasure_of_its_org(church: Church) -> None:
    frozen = Frozen("sync.journal")
    with ThreadPoolExecutor(2) as threads:
        erasing = threads.submit(erase_org, church.database, church.org_id, "somebody", frozen.step)
        assert frozen.reached.wait(PATIENCE_SECONDS), erasing.exception(1)
        rebuilding = threads.submit(rebuild, church.database, RebuildOrder([church.org_id]))
        begun = "SELECT sync_id FROM sync.syncs WHERE mode = 'rebuild'"
        wait_until(lambda: bool(church.run(begun)))
        frozen.released.set()
        erasing.result(PATIENCE_SECONDS)
        [done] = rebuilding.result(PATIENCE_SECONDS)
    assert isinstance(done.failure, UnknownOrg)
    assert found_in_tables(church.database, church.org_id, church.org_id) == ["sync.erasures"]
    assert church.found() == []


def test_an_org_that_is_erased_while_a_sync_of_it_begins_does_not_come_back(
    church: Church, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync has its credentials by then."""
    halt = Halt(monkeypatch, sessions, "lock_streams")
    with ThreadPoolExecutor(1) as threads:
        syncing = threads.submit(sync, church.database, church.org_id, [STREAMS["people.people"]])
        try:
            assert halt.reached.wait(PATIENCE_SECONDS)
            erase_org(church.database, church.org_id, "somebody")
        finally:
            halt.released.set()
        with suppress(OpenFaithError):
            assert {each.status for each in syncing.result(PATIENCE_SECONDS).values()} == {"failed"}
    assert found_in_tables(church.database, church.org_id, church.org_id) == ["sync.erasures"]
    assert church.found() == []


def test_an_org_is_erased_during_its_rebuild(church: Church) -> None:
    damage(church)
    frozen = Frozen("entityRelationships")
    with ThreadPoolExecutor(2) as threads:
        rebuilding = threads.submit(rebuilt, church, frozen)
        assert frozen.reached.wait(PATIENCE_SECONDS), rebuilding.exception(1)
        erasing = threads.submit(erase_org, church.database, church.org_id, "somebody")
        frozen.released.set()
        rebuilding.result(PATIENCE_SECONDS)
        erasing.result(PATIENCE_SECONDS)
    assert church.found() == []
    assert found_in_tables(church.database, church.org_id, church.org_id) == ["sync.erasures"]
