"""Assembly of the service."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.service import (
    conflicts,
    connect,
    documentation,
    health,
    invitations,
    triggers,
    webhooks,
    workflow_proxy,
    workflows,
)
from openfaith_pipeline.service.access import trusts_this_machine
from openfaith_pipeline.service.api_keys import read_keys
from openfaith_pipeline.service.documentation import documented
from openfaith_pipeline.service.error_responses import answer_error
from openfaith_pipeline.service.health import Watch
from openfaith_pipeline.service.limits import BodyLimit, NoNul, RateLimiter
from openfaith_pipeline.service.metrics import endpoint as metrics
from openfaith_pipeline.service.metrics.endpoint import Metrics
from openfaith_pipeline.service.metrics.otlp import observe
from openfaith_pipeline.service.status import api as status_api
from openfaith_pipeline.service.status import decisions
from openfaith_pipeline.service.status import pages as status_pages
from openfaith_pipeline.service.tracing import Traced

POOL_SIZE = 8
_PATIENCE_SECONDS = 2.0

_ROUTERS = (
    webhooks.router,  # first, since routes are searched in this order and deliveries come in floods
    triggers.router,
    workflows.router,
    workflow_proxy.router,
    connect.router,
    invitations.router,
    conflicts.router,
    health.router,
    metrics.router,
    status_api.router,
    status_pages.router,
    decisions.router,
    documentation.router,
)


def create_app(database: Database, host: str = "127.0.0.1") -> FastAPI:
    """The application over the database, which need not answer yet. Raises ConfigurationError for unusable keys.

    host: the address it is served at, on which depends whether programs on this machine need a key.

    Endpoints share through `request.app.state`: `database`, `pool` (of connections, for threads), `keys`,
    `limiter`, `waiting` (by key, how many calls wait for the end of the request they started), `metrics`,
    `watch` (of the readiness).
    """
    app = FastAPI(
        title="OpenFaith Pipeline",
        description="Starts syncs and other workflows, shows their status, and receives Planning Center's webhooks.",
        docs_url=None,  # see `documentation`
        openapi_url="/api/openapi.json",
        redoc_url=None,
        # A redirect would go to whatever host the caller claims this is.
        redirect_slashes=False,
        # FastAPI's own spans include the query, where OAuth puts its code, and its logs the request's content.
        telemetry={"tracing": False, "operation_spans": False, "logs": False, "auto_configure": False},
        lifespan=_with_pool,
    )
    app.state.database = database
    app.state.trusts_this_machine = trusts_this_machine(database.settings, host)
    app.state.keys = read_keys(database.settings.api_keys)
    app.state.limiter = RateLimiter(database.settings.requests_per_minute)
    app.state.waiting = Counter()
    app.state.pool = database.thread_pool(size=POOL_SIZE, timeout=_PATIENCE_SECONDS)
    app.state.watch = Watch(app.state.pool)
    app.state.metrics = Metrics(app.state.pool, timedelta(hours=database.settings.freshness_hours))
    observe(app.state.metrics)
    app.add_middleware(BodyLimit)
    app.add_middleware(NoNul)
    app.add_middleware(Traced)
    for router in _ROUTERS:
        app.include_router(router)
    for kind in (OpenFaithError, *TROUBLE, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer_error)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.openapi = documented(app)  # type: ignore[method-assign]
    return app


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)


@asynccontextmanager
async def _with_pool(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool.open(wait=False)
    try:
        yield
    finally:
        app.state.pool.close()
