"""Trouble that is the church's, trouble that is one request's, and trouble that nobody foresaw."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConnectionRejected, SourceUnreachable
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.planning_center import Document, PersonalAccessToken, PlanningCenterClient
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode
from openfaith_pipeline_tests.integration.sync.church import (
    IMPATIENT,
    PEOPLE_ONLY,
    connect,
    differences,
    statuses,
    stored,
    sync,
)
from openfaith_pipeline_tests.oauth_grants import grant, with_oauth
from openfaith_pipeline_tests.rates import GENEROUS

REGISTRATIONS = streams_of(Product.REGISTRATIONS)
ODD_ID = "lyric_chart-12 (G#)"


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=16), rate_limit=GENEROUS) as running:
        yield running


def with_application(database: Database, url: str) -> Database:
    return replace(database, settings=with_oauth(database.settings, url))


def ends(database: Database) -> set[tuple[str, str | None]]:
    with database.connect() as connection:
        return set(connection.execute("SELECT status, error FROM sync.stream_syncs").fetchall())


def sync_through(database: Database, org_id: str, factory: ClientFactory) -> dict[str, StreamResult]:
    with database.connect() as connection:
        begin_sync(connection, SyncStart("sync_1", None, "incremental", "test", {}))
    return asyncio.run(
        sync_streams(database, org_id, PEOPLE_ONLY, mode=SyncMode.INCREMENTAL, sync_id="sync_1", client_factory=factory)
    )


def breaking_at(path: str, error: Callable[[], Exception]) -> ClientFactory:
    """A client that raises an unforeseen error at one path."""

    @asynccontextmanager
    async def connected(database: Database, org_id: str, adapter: str) -> AsyncIterator[PlanningCenterClient]:
        async with connect_client(database, org_id, adapter) as client:
            true_get = client.get

            async def get(asked: str, params: Mapping[str, str], **how: Any) -> Document:
                if asked == path:
                    raise error()
                return await true_get(asked, params, **how)

            client.get = get  # type: ignore[method-assign]
            yield client

    return connected


def test_an_error_that_nobody_foresaw_fails_its_own_walk_and_says_where(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    results = sync_through(database, org_id, breaking_at("/people/v2/campuses", lambda: KeyError("Jane Doe")))
    failed = {name: result for name, result in results.items() if result.status != "succeeded"}
    assert "KeyError in breaking_at.<locals>" in str(failed["people.campuses"].error)
    of_itself = {name for name, result in failed.items() if "its parent" not in str(result.error)}
    assert of_itself == {"people.campuses", "people.service_times"}
    assert results["people.people"].status == "succeeded"
    assert {status for status, _ in ends(database)} == {"succeeded", "failed"}
    assert not any("Jane Doe" in str(error) for _, error in ends(database))


def test_a_parents_id_may_be_any_text(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    odd = {**simulator.truth(org_id, "registrations.signups")[0], "id": ODD_ID}
    simulator.inject(org_id, "registrations.signups", odd)
    results = sync(database, org_id, REGISTRATIONS)
    assert statuses(results) == {}
    asked = {request["target"].partition("?")[0] for request in simulator.requests()}
    assert "/registrations/v2/signups/lyric_chart-12%20%28G%23%29/attendees" in asked


def test_one_stray_401_ends_nothing_and_alarms_nobody(database: Database, simulator: SimulatorClient) -> None:
    [org_id] = connect(database, simulator)
    simulator.script(Script(answer="unauthorized", skip=7))
    assert statuses(sync(database, org_id)) == {}
    assert differences(database, simulator, org_id) == []
    with database.connect() as connection:
        assert list_alerts(connection) == []


def test_a_new_token_that_is_refused_at_first_ends_nothing_and_alarms_nobody(database: Database) -> None:
    with running_simulator(made_up_churches(1, people=6), rate_limit=GENEROUS, new_token_refused_seconds=1.5) as slow:
        org_id, database = made_up_churches(1, people=6)[0].org_id, with_application(database, slow.url)
        with database.connect() as connection:
            cipher, token = cipher_from(database.settings), grant(slow, org_id)
            add_org(connection, cipher, org_id, "a church", token, api_url=slow.url, adapter="pco")
        streams = [*REGISTRATIONS, *streams_of(Product.GIVING)]
        assert statuses(sync(database, org_id, streams)) == {}
        assert differences(database, slow, org_id, streams) == []
        refused = [each for each in slow.requests() if each["status"] == 401]
        renewals = slow.requests(target="/oauth/token")
    assert 0 < len(refused) < 30
    assert len(renewals) <= 2, "the one of the church's approval, and one more"
    with database.connect() as connection:
        assert list_alerts(connection) == []


@pytest.mark.parametrize("is_of_record", [False, True])
def test_a_record_that_answers_410_is_gone_as_with_404(
    database: Database, simulator: SimulatorClient, is_of_record: bool
) -> None:
    [org_id] = connect(database, simulator)
    tabs = STREAMS["people.tabs"]
    assert statuses(sync(database, org_id, [tabs])) == {}
    [gone] = simulator.edit(org_id, tabs.name)
    simulator.delete(org_id, tabs.name, [gone])
    path = f"{tabs.path}/{gone}" if is_of_record else tabs.path
    simulator.script(Script(answer="gone", path=path, times=None))
    result = sync(database, org_id, [tabs], SyncMode.RECONCILE)[tabs.name]
    assert (result.status, result.deleted) == (("succeeded", 1) if is_of_record else ("unavailable", 0))
    assert (differences(database, simulator, org_id, [tabs]) == []) is is_of_record


@pytest.mark.parametrize("answer", ["lost", "server_error"])
def test_a_record_that_cannot_be_requested_is_not_gone_and_holds_up_no_other(
    database: Database, simulator: SimulatorClient, answer: str
) -> None:
    """A gateway's 404 is no word of the API's; and of a deleted record some requests fail for good."""
    [org_id] = connect(database, simulator)
    tabs = STREAMS["people.tabs"]
    assert statuses(sync(database, org_id, [tabs])) == {}
    gone, other, *_ = map(int, stored(database, org_id, tabs))
    simulator.delete(org_id, tabs.name, [gone])
    simulator.edit(org_id, tabs.name, [other], attributes={"name": "Allergies"})
    simulator.script(Script(answer=answer, path=f"{tabs.path}/{gone}", times=None))
    result = sync(database, org_id, [tabs], SyncMode.RECONCILE, client_factory=IMPATIENT)[tabs.name]
    assert (result.status, result.deleted) == ("incomplete", 0)
    assert str(gone) in str(result.error)
    assert stored(database, org_id, tabs)[str(other)]["name"] == "Allergies"
    assert str(gone) in stored(database, org_id, tabs)
    simulator.clear_scripts()
    assert sync(database, org_id, [tabs], SyncMode.RECONCILE)[tabs.name].deleted == 1


def test_credentials_that_stay_refused_end_the_sync_with_their_reason_in_every_stream(
    database: Database, simulator: SimulatorClient
) -> None:
    [org_id] = connect(database, simulator)
    simulator.script(Script(answer="revoked", skip=7, times=10_000))
    with pytest.raises(ConnectionRejected, match="CAPUCHIN"):
        sync(database, org_id)
    told = ends(database)
    assert {status for status, _ in told} <= {"succeeded", "failed"}
    assert all("CAPUCHIN" in str(error) for status, error in told if status == "failed")
    with database.connect() as connection:
        assert [alert.kind for alert in list_alerts(connection)] == ["connection_dead"]


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def connect_to(database: Database, url: str) -> str:
    org_id = made_up_churches(1, people=1)[0].org_id
    with database.connect() as connection:
        token = PersonalAccessToken("app", SecretStr("secret"))
        add_org(connection, cipher_from(database.settings), org_id, "a church", token, api_url=url, adapter="pco")
    return org_id


@pytest.mark.parametrize("place", [closed_port, lambda: "http://there-is-no-such-host.invalid"], ids=["port", "host"])
def test_an_api_that_is_not_there_is_given_up_for_the_church_within_seconds(
    database: Database, place: Callable[[], str]
) -> None:
    org_id = connect_to(database, place())
    began = time.monotonic()
    with pytest.raises(SourceUnreachable, match="no connection to"):
        sync(database, org_id, [stream for stream in STREAMS.values() if not stream.is_pushed])
    assert time.monotonic() - began < 10
    told = ends(database)
    assert {status for status, _ in told} <= {"failed"}
    assert all("no connection to" in str(error) for _, error in told)
