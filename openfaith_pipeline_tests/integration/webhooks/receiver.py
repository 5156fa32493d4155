"""The real service on a socket, and deliveries signed as Planning Center signs them."""

import hashlib
import hmac
import http.client
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvicorn
from psycopg.rows import dict_row

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.service.app import create_app
from openfaith_pipeline.service.server import config_of
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.webhooks.secrets import secrets_of
from openfaith_pipeline_tests.waiting import wait_until


@contextmanager
def running_service(settings: Settings) -> Iterator[Database]:
    """The service, in a thread; its database's settings say the public URL, which is where it answers."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    public_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    public = settings.model_copy(update={"public_url": public_url})
    database = database_at(public, configured_url(public))
    server = uvicorn.Server(config_of(create_app(database)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield database
    finally:
        server.should_exit = True
        thread.join(10)


def post(database: Database, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """The status and the document of the answer, however long a busy machine takes for it."""
    connection = http.client.HTTPConnection(urlsplit(str(database.settings.public_url)).netloc, timeout=120)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, orjson.loads(response.read())
    finally:
        connection.close()


def secret_for(database: Database, org_id: str, event: str) -> bytes:
    with database.connect() as connection:
        return secrets_of(connection, cipher_from(database.settings), org_id, "pco")[event][0]


def envelope(event: str, payload: Any, *, event_id: str | None = None, organization_id: str = "1") -> bytes:
    attributes = {"name": event, "attempt": 1, "payload": payload if isinstance(payload, str) else _text(payload)}
    relationships = {"organization": {"data": {"type": "Organization", "id": organization_id}}}
    element = {"id": event_id or str(uuid.uuid4()), "type": "EventDelivery", "attributes": attributes}
    return orjson.dumps({"data": [{**element, "relationships": relationships}]})


def signed(event: str, body: bytes, secret: bytes) -> dict[str, str]:
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {"X-PCO-Webhooks-Name": event, "X-PCO-Webhooks-Authenticity": signature}


def kept(database: Database) -> list[dict[str, Any]]:
    with database.connect(row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM sync.webhook_deliveries ORDER BY id").fetchall()


def _text(document: Any) -> str:
    return orjson.dumps(document).decode()
