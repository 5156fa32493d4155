"""The webhook receiver: deliveries signed by Planning Center are stored before they are answered.

All others are refused.

Any 2xx ends an event at Planning Center, and a 410 ends the subscription. So 2xx is never sent too early, and 410 only
for a removed org: if Postgres does not answer it is 503, and Planning Center retries for days.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar, cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from openfaith_pipeline.catalog.events import Incoming
from openfaith_pipeline.catalog.source import Source
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable, InboxFull
from openfaith_pipeline.service.addresses import network_of
from openfaith_pipeline.service.keyring import Keyring
from openfaith_pipeline.service.pace import Pace
from openfaith_pipeline.service.schemas import ANSWERS
from openfaith_pipeline.service.turns import Turns
from openfaith_pipeline.service.wire import may_be_dropped
from openfaith_pipeline.sources import DIALECTS, SOURCES
from openfaith_pipeline.telemetry.spans import current_traceparent
from openfaith_pipeline.webhooks.commit_queue import LARGE_BYTES, Inbox
from openfaith_pipeline.webhooks.deliveries import of_source

POOL_SIZE: Final = 2
REFUSAL_SECONDS: Final = 0.25
REFUSALS_PER_SECOND: Final = 30
"""What is refused is answered after so long at least, and so often for one network: a forger who sends as fast as
answers come is slow by it, over however many connections."""
LARGE_BYTES_PER_SECOND: Final = 4 * 1024 * 1024
"""Of one org's large bodies from one network. More stays in the sockets, where it costs nobody anything."""

_TRY_AGAIN_SECONDS: Final = "30"

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receiver:
    """State shared by the endpoints."""

    keyring: Keyring
    inbox: Inbox
    turns: Turns = field(default_factory=lambda: Turns(rest=1.0))
    large_turns: Turns = field(default_factory=lambda: Turns(at_once=2, of_one=1, rest=2.0))
    reading: Pace = field(default_factory=lambda: Pace(LARGE_BYTES_PER_SECOND))
    refusing: Pace = field(default_factory=lambda: Pace(REFUSALS_PER_SECOND, shortest=REFUSAL_SECONDS, longest=3.0))

    async def receive(self, source: Source, org_id: str | None, request: Request) -> JSONResponse:
        """Answer a delivery for the org, or for the one named in its body.

        Foreign ones are mostly refused without reading it.

        Raises DatabaseUnavailable, ConfigurationError and InboxFull.
        """
        named, sent = source.event_headers, request.headers
        event, signature = (sent.get(name, "").strip() for name in (named.event, named.signature))
        if not event or not DIALECTS[source.adapter].is_signature(signature):
            return _refusal(401, "Unsigned", f"a delivery carries {named.event} and {named.signature}")
        if org_id is not None and not await self.keyring.is_subscribed(source.adapter, org_id, event):
            return await self._not_ours(source.adapter, org_id=org_id)
        caller = (org_id, _network_of(request))
        body = await self._body_of(request, caller)
        turns = self.large_turns if len(body) > LARGE_BYTES else self.turns
        async with turns.turn(caller):
            return await self._keep(source.adapter, org_id, event, signature, body, sent.get(named.sent_at, ""))

    async def _body_of(self, request: Request, caller: Hashable) -> bytes:
        """The body; a large one is read no faster than its sender's share allows."""
        chunks, size = [], 0
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGE_BYTES:
                await asyncio.sleep(self.reading.wait_after(caller, len(chunk)))
        return b"".join(chunks)

    async def rest_before_refusing(self, request: Request) -> None:
        """Wait before a refusal is sent. Meanwhile the connection is one of those that go first where room is short."""
        may_be_dropped(request.scope)
        await asyncio.sleep(self.refusing.wait_after(_network_of(request), 1))

    async def _keep(
        self, adapter: str, org_id: str | None, event: str, signature: str, body: bytes, sent_at: str
    ) -> JSONResponse:
        dialect = DIALECTS[adapter]
        org_ids = [org_id] if org_id is not None else await self._orgs_named_in(adapter, body, event)
        for each in org_ids:
            if await self.keyring.has_signed(adapter, each, event, body, signature):
                deliveries = await _read(body, dialect.read_envelope, each, event, sent_at)
                await self.inbox.keep(_traced(of_source(adapter, deliveries)))
                return JSONResponse({"received": len(deliveries)})
        if org_ids:
            return _refusal(401, "WrongSignature", "the signature does not match the subscription's secret")
        return await self._not_ours(adapter, account=dialect.account_in(body))

    async def _not_ours(self, adapter: str, *, org_id: str | None = None, account: str | None = None) -> JSONResponse:
        if await self.keyring.subscribers.is_removed(adapter, org_id, account):
            return _refusal(410, "OrgRemoved", "this church was removed here and no longer receives deliveries")
        return _refusal(404, "UnknownSubscription", "there is no subscription to this event here")

    async def _orgs_named_in(self, adapter: str, body: bytes, event: str) -> list[str]:
        """The orgs whose secrets to try on a delivery without an org in its URL."""
        account = await _read(body, DIALECTS[adapter].account_in)
        named = await self.keyring.subscribers.orgs_of(adapter, account) if account else []
        return [org_id for org_id in named if await self.keyring.is_subscribed(adapter, org_id, event)]


async def _read(body: bytes, read: Callable[..., _T], *arguments: str) -> _T:
    """Parse a body, in a thread if it is large, since unusual JSON is parsed slowly."""
    if len(body) > LARGE_BYTES:
        return await asyncio.to_thread(read, body, *arguments)
    return read(body, *arguments)


def _traced(deliveries: Sequence[Incoming]) -> Sequence[Incoming]:
    """The deliveries with the call's span, which the applier continues."""
    traceparent = current_traceparent()
    return [replace(each, traceparent=traceparent) for each in deliveries] if traceparent else deliveries


class Received(BaseModel):
    """Number of events in the delivery."""

    received: int


@asynccontextmanager
async def _receiving(app: FastAPI) -> AsyncIterator[None]:
    database: Database = app.state.database
    # Storing is one statement in its own transaction: it needs one round trip, not three.
    async with database.pool(size=POOL_SIZE, autocommit=True) as pool:
        inbox = Inbox(pool)
        app.state.receiver = Receiver(Keyring(database), inbox)
        keeping = asyncio.create_task(inbox.run())
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


class _AsItComes(APIRoute):
    """A route whose endpoint gets only the request: FastAPI's parameter handling would cost more than the endpoint."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


router = APIRouter(
    tags=["webhooks"],
    lifespan=_receiving,
    route_class=_AsItComes,
    responses={**ANSWERS, 200: {"model": Received, "description": "It is stored, now or earlier."}},
)

_ORG_ID: Final = {"name": "org_id", "in": "path", "required": True, "schema": {"type": "string"}}


def _add_routes(source: Source) -> None:
    """Add the two addresses for a source's deliveries."""

    async def receive_for_org(request: Request) -> JSONResponse:
        """The URL of our subscriptions, with the org whose secrets are tried."""
        return await _received(source, request, request.path_params["org_id"])

    async def receive(request: Request) -> JSONResponse:
        """For subscriptions without an org in their URL.

        The church named in the body decides whose secrets are tried.
        """
        return await _received(source, request, None)

    name = {
        "name": source.event_headers.event,
        "in": "header",
        "required": True,
        "schema": {"type": "string"},
        "description": "The event of the subscription.",
    }
    signed: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "security": [{"signature": []}],
    }
    router.post(
        f"{source.events_path}/{{org_id}}",
        summary="Receive a delivery for one org",
        openapi_extra={**signed, "parameters": [_ORG_ID, name]},
    )(receive_for_org)
    router.post(
        source.events_path,
        summary="Receive a delivery for the org named in its body",
        openapi_extra={**signed, "parameters": [name]},
    )(receive)


for _adapter in DIALECTS:
    _add_routes(SOURCES[_adapter])


async def _received(source: Source, request: Request, org_id: str | None) -> JSONResponse:
    receiver: Receiver = request.app.state.receiver
    try:
        answer = await receiver.receive(source, org_id, request)
    except (DatabaseUnavailable, InboxFull) as error:
        answer = _unavailable(error)
    except ConfigurationError as error:
        _log.error("webhooks cannot be verified: %s", error)
        answer = _unavailable(error)
    if answer.status_code != 200:
        await receiver.rest_before_refusing(request)
    return answer


def _network_of(request: Request) -> str:
    return network_of(request.client.host if request.client else "")


def _unavailable(error: Exception) -> JSONResponse:
    refusal = _refusal(503, type(error).__name__, "the delivery could not be stored; send it again")
    refusal.headers["Retry-After"] = _TRY_AGAIN_SECONDS
    return refusal


def _refusal(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status)
