"""The webhook receiver: what Planning Center signed is kept before it is answered; all else is refused.

Any 2xx ends an event at Planning Center, and a 410 would end the subscription, so the one is never given too early nor
the other at all: where Postgres does not answer it is 503, and Planning Center tries again for days.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable
from openfaith_pipeline.inbox.envelopes import organization_in, read_envelope
from openfaith_pipeline.inbox.webhook_deliveries import Inbox
from openfaith_pipeline.orgs.registry import orgs_of_organization
from openfaith_pipeline.service.keyring import Keyring

POOL_SIZE: Final = 2
_TRY_AGAIN_SECONDS: Final = "30"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receiver:
    """What the endpoints share."""

    database: Database
    keyring: Keyring
    inbox: Inbox

    async def receive(self, org_ids: list[str], request: Request) -> JSONResponse:
        """Answer a delivery that is for one of these orgs."""
        body, headers = await request.body(), request.headers
        event = headers.get("X-PCO-Webhooks-Name", "")
        signature = headers.get("X-PCO-Webhooks-Authenticity", "")
        if not event or not signature:
            return _refusal(401, "Unsigned", "a delivery carries X-PCO-Webhooks-Name and X-PCO-Webhooks-Authenticity")
        is_known = False
        for org_id in org_ids:
            is_signed = await self.keyring.has_signed(org_id, event, body, signature)
            is_known = is_known or is_signed is not None
            if is_signed:
                deliveries = read_envelope(body, org_id, event, headers.get("X-PCO-Webhooks-Event-Time", ""))
                await self.inbox.keep(deliveries)
                return JSONResponse({"received": len(deliveries)})
        if is_known:
            return _refusal(401, "WrongSignature", "the signature is not that of the subscription's secret")
        return _refusal(404, "UnknownSubscription", "there is no subscription to this event here")

    async def orgs_named_in(self, body: bytes) -> list[str]:
        """The orgs whose secrets are worth trying on a delivery whose address names none."""
        organization_id = organization_in(body)
        return await asyncio.to_thread(self._orgs_of, organization_id) if organization_id else []

    def _orgs_of(self, organization_id: str) -> list[str]:
        with self.database.connect() as connection:
            return orgs_of_organization(connection, organization_id)


@asynccontextmanager
async def _receiving(app: FastAPI) -> AsyncIterator[None]:
    database: Database = app.state.database
    # Keeping is one statement, a transaction of its own: it needs one round trip, not three.
    async with database.pool(size=POOL_SIZE, autocommit=True) as pool:
        inbox = Inbox(pool)
        app.state.receiver = Receiver(database, Keyring(database), inbox)
        keeping = asyncio.create_task(inbox.run())
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


class _AsItComes(APIRoute):
    """A route whose endpoint gets the request alone: FastAPI's search for parameters costs more than all it does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


router = APIRouter(tags=["webhooks"], lifespan=_receiving, route_class=_AsItComes)

_ORG_ID: Final = {"name": "org_id", "in": "path", "required": True, "schema": {"type": "string"}}


@router.post(
    "/api/webhooks/pco/{org_id}", summary="Take a delivery for one org", openapi_extra={"parameters": [_ORG_ID]}
)
async def receive_for_org(request: Request) -> JSONResponse:
    """The address we subscribe: it names the org whose secrets are tried."""
    return await _received(request, [request.path_params["org_id"]])


@router.post("/api/webhooks/pco", summary="Take a delivery for the org that its body names")
async def receive(request: Request) -> JSONResponse:
    """For subscriptions whose address names no org; the church named in the body says whose secrets are tried."""
    return await _received(request, None)


async def _received(request: Request, org_ids: list[str] | None) -> JSONResponse:
    receiver: Receiver = request.app.state.receiver
    try:
        if org_ids is None:
            org_ids = await receiver.orgs_named_in(await request.body())
        return await receiver.receive(org_ids, request)
    except DatabaseUnavailable as error:
        return _unavailable(error)
    except ConfigurationError as error:
        _log.error("webhooks cannot be verified: %s", error)
        return _unavailable(error)


def _unavailable(error: Exception) -> JSONResponse:
    refusal = _refusal(503, type(error).__name__, "the delivery could not be kept; send it again")
    refusal.headers["Retry-After"] = _TRY_AGAIN_SECONDS
    return refusal


def _refusal(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status)
