"""A client for an org: its credentials, and the record of refusals that it meets."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.connections.registry import add_org, set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConnectionRejected, OrgPaused, SourceUnreachable, UnknownOrg
from openfaith_pipeline.network.credentials import PersonalAccessToken
from openfaith_pipeline.network.retrying import RetryLimits
from openfaith_pipeline.orgs.org_ids import new_org_id
from openfaith_pipeline.orgs.registry import OrgConnection, pause_org
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline_tests.acceptance.dagster.processes import free_port
from openfaith_pipeline_tests.tenants import connection_of


class _Church(BaseHTTPRequestHandler):
    """Answers the planted token (app:good) and nobody else."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == "Basic YXBwOmdvb2Q="
        body = b'{"data": []}' if known else b'{"errors": [{"status": "401", "code": "unauthorized"}]}'
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/vnd.api+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output for the tests."""


@pytest.fixture
def church_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Church) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _connected_org(database: Database, secret: str, api_url: str) -> str:
    org_id = new_org_id()
    with database.connect() as connection:
        token = PersonalAccessToken("app", SecretStr(secret))
        add_org(
            connection, cipher_from(database.settings), org_id, "First Church", token, api_url=api_url, adapter="pco"
        )
    return org_id


def _connection(database: Database, org_id: str) -> OrgConnection:
    with database.connect() as connection:
        return connection_of(connection, org_id)


async def test_refused_credentials_mark_the_org_for_reconnecting(database: Database, church_url: str) -> None:
    org_id = _connected_org(database, "bad", church_url)
    with pytest.raises(ConnectionRejected):
        async with connect_client(database, org_id, adapter="pco") as client:
            await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    assert _connection(database, org_id).state == "needs_reconnect"


async def test_credentials_that_work_again_heal_the_org(database: Database, church_url: str) -> None:
    org_id = _connected_org(database, "good", church_url)
    with database.connect() as connection:
        set_connection_state(connection, org_id, "needs_reconnect", "refused once", adapter="pco")
    async with connect_client(database, org_id, adapter="pco") as client:
        await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    found = _connection(database, org_id)
    assert (found.state, found.reason) == ("connected", None)


async def test_work_that_goes_on_without_the_refused_answers_does_not_revive_the_org(
    database: Database, church_url: str
) -> None:
    """As the applier of webhooks goes on; each of its rounds would end an alert that the next sync raises again."""
    org_id = _connected_org(database, "bad", church_url)
    async with connect_client(database, org_id, adapter="pco") as client:
        with suppress(ConnectionRejected):
            await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    assert _connection(database, org_id).state == "needs_reconnect"


async def test_work_without_any_answer_leaves_the_state(database: Database) -> None:
    org_id = _connected_org(database, "good", f"http://127.0.0.1:{free_port()}")
    with database.connect() as connection:
        set_connection_state(connection, org_id, "needs_reconnect", "refused once", adapter="pco")
    retry = RetryLimits(attempts=1, total=timedelta(seconds=5))
    async with connect_client(database, org_id, adapter="pco", retry=retry) as client:
        with suppress(SourceUnreachable):
            await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    assert _connection(database, org_id).state == "needs_reconnect"


async def test_paused_and_unknown_orgs_get_no_client(database: Database, church_url: str) -> None:
    org_id = _connected_org(database, "good", church_url)
    with database.connect() as connection:
        pause_org(connection, org_id)
    with pytest.raises(OrgPaused, match="org resume"):
        async with connect_client(database, org_id, adapter="pco"):
            pass
    with pytest.raises(UnknownOrg):
        async with connect_client(database, new_org_id(), adapter="pco"):
            pass
