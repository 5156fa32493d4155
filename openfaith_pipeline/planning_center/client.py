"""The HTTP client for Planning Center: authenticated, versioned, rate-limited and retried, for one org."""

import asyncio
import base64
import logging
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx
from opentelemetry.trace import SpanKind, get_current_span

from openfaith_pipeline.catalog import source
from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.errors import (
    ConnectionRejected,
    OpenFaithError,
    SourceUnreachable,
    TransientError,
    UnavailableError,
    UnexpectedResponse,
)
from openfaith_pipeline.network.clients import failure_of
from openfaith_pipeline.network.credentials import (
    Credentials,
    CredentialsProvider,
    FixedCredentials,
    OAuthToken,
    PersonalAccessToken,
)
from openfaith_pipeline.network.rate_budget import LocalRateBudget, Permit, RateBudget, RateReport
from openfaith_pipeline.network.retrying import USUAL_PATIENCE, Patience, Reachability, RetryLimits, log_retries
from openfaith_pipeline.planning_center.calls import Call
from openfaith_pipeline.planning_center.connections import MOST_CONNECTIONS, SHARES, Connections, borrowed
from openfaith_pipeline.planning_center.documents import read_document
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.responses import rate_report_of, read_body, served_at, wait_demanded_by
from openfaith_pipeline.planning_center.second_looks import SecondLooks
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline.planning_center.transport import hide_query, parse_url
from openfaith_pipeline.telemetry.spans import span

LONGEST_ATTEMPT = 120.0
"""Time limit for one whole attempt, in seconds: a slowly dripping body never runs into the read timeout."""

_UNREACHABLE = (httpx.ConnectError, httpx.ConnectTimeout)
_TOKEN = re.compile(r"[\x21-\x7e]+")


class PlanningCenterClient:
    """Reads, and occasionally writes, with the credentials of one org; an async context manager for one event loop.

    requests, waited_seconds: sums over all calls, including failed ones.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | CredentialsProvider,
        *,
        budget: RateBudget | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        retry: RetryLimits = USUAL_PATIENCE,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        """Raises ConfigurationError for an invalid URL, ConnectionRejected for a malformed token.

        most_connections: to the host, shared by all its clients in this event loop, of whom each has a part.
        """
        self.requests = 0
        self.waited_seconds = 0.0
        self.organization_id: str | None = None
        self._url = parse_url(base_url)
        self._base = str(self._url).rstrip("/")
        self._provider = _provider_of(credentials)
        self._sent: Credentials | None = None
        self._header = ""
        self._accepted: Credentials | None = None
        self._renewed: Credentials | None = None  # not accepted by the server yet
        self._second_looks = SecondLooks(retry.second_looks)
        self._reachability = Reachability()
        self._budget = budget or LocalRateBudget(PLANNING_CENTER.rate_limit)
        self._retry = retry
        self._transport = transport
        self._most_connections = most_connections
        self._share = asyncio.Semaphore(max(1, most_connections // SHARES))
        self._stack = AsyncExitStack()
        logging.getLogger("httpx").addFilter(hide_query)
        log_retries()

    @property
    def is_accepted(self) -> bool:
        return self._second_looks.is_accepting

    @property
    def refusal(self) -> str | None:
        return self._second_looks.dead

    async def __aenter__(self) -> Self:
        connections = (
            aclosing(Connections(self._url, self._most_connections, self._transport))
            if self._transport
            else borrowed(self._url, self._most_connections)
        )
        self._connections = await self._stack.enter_async_context(connections)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def get(
        self,
        path: str,
        params: Mapping[str, str],
        *,
        product: source.Product,
        is_leading: bool = False,
        attempts: int | None = None,
    ) -> Document:
        """Read one document, with retries where they make sense.

        is_leading: as in RateBudget.acquire. attempts: fewer than usual, for requests that have already failed.

        Raises, from `errors.py`: TransientError or RateLimitedError after the last retry, SourceUnreachable for this
        call and every later one, ConnectionRejected, ProductNotGranted, StreamForbidden, PathNotFound,
        UnexpectedResponse.
        """
        limits = replace(self._retry, attempts=min(attempts, self._retry.attempts)) if attempts else self._retry
        return await self._ask(Call(path, params, product, is_leading=is_leading), limits)

    async def write(
        self, method: str, path: str, *, product: source.Product, body: Mapping[str, Any] | None = None
    ) -> Document:
        """Write; returns the document of the new state, without data after a deletion.

        A POST would create a duplicate if repeated, so it is sent once, unless the server says to wait. Raises as `get`
        does; UnexpectedResponse if Planning Center refuses the document.
        """
        limits = replace(self._retry, attempts=1) if method == "POST" else self._retry
        return await self._ask(Call(path, {}, product, method, body), limits)

    async def _ask(self, call: Call, limits: RetryLimits) -> Document:
        patience = Patience(limits, clock=asyncio.get_running_loop().time, reachability=self._reachability)
        attributes = {"http.request.method": call.method, "server.address": self._url.host, "url.path": call.path}
        with span(f"{call.method} {call.product.path_prefix}", attributes, kind=SpanKind.CLIENT) as whole:
            try:
                async for attempt in patience.attempts():
                    with attempt:
                        document = await self._attempt(call, patience)
                        self._reachability.answers += 1
                        return document
            finally:
                self.requests += patience.requests
                self.waited_seconds += patience.waited_seconds
                if whole.is_recording():
                    whole.set_attributes(_effort(patience))
        raise AssertionError("the last attempt either returns or raises")

    async def _attempt(self, call: Call, patience: Patience) -> Document:
        if self._reachability.given_up:
            raise SourceUnreachable(self._reachability.given_up)
        credentials = await self._provider.current()
        refusal = self._second_looks.refusal()
        try:
            return await self._try(call, patience, credentials)
        except ConnectionRejected:
            # Only once: a server that refuses a new token will refuse the next one too.
            renewed = None if credentials is self._renewed else await self._provider.renewed(credentials)
        if renewed is not None:
            self._renewed = renewed
            with suppress(ConnectionRejected):
                return await self._try(call, patience, renewed)
        return await self._second_looks.again(refusal, lambda: self._look(call, patience))

    async def _look(self, call: Call, patience: Patience) -> Document:
        return await self._try(call, patience, await self._provider.current())

    async def _try(self, call: Call, patience: Patience, credentials: Credentials) -> Document:
        authorization = self._header_of(credentials)
        permit = await self._budget.acquire(is_deep=call.is_deep, is_leading=call.is_leading)
        patience.record_request(permit.waited_seconds)
        response = await self._exchange(call, patience, permit, authorization)
        received_at = datetime.now(UTC)
        body = self._body_of(response, call)
        if credentials is not self._accepted:
            self._accepted, self._renewed = credentials, None
            await self._provider.worked(credentials)
        document = read_document(
            body,
            call,
            requests=patience.requests,
            waited_seconds=patience.waited_seconds,
            received_at=received_at,
            served_at=served_at(response),
        )
        if call.product is Product.PEOPLE:
            self.organization_id = self.organization_id or document.account_number
        return document

    def _body_of(self, response: httpx.Response, call: Call) -> dict[str, Any]:
        """Like `read_body`; a response about the resource itself also proves that the credentials were accepted."""
        try:
            body = read_body(response, call)
        except OpenFaithError as error:
            _note_failure(error, status=response.status_code)
            if isinstance(error, UnavailableError):
                self._second_looks.accepted()
            raise
        self._second_looks.accepted()
        return body

    def _header_of(self, credentials: Credentials) -> str:
        if credentials is not self._sent:
            self._sent, self._header = credentials, _authorization(credentials)
        return self._header

    async def _exchange(self, call: Call, patience: Patience, permit: Permit, authorization: str) -> httpx.Response:
        """Send one request under its permit, and report its rate-limit headers before the next request is sent."""
        report: RateReport | None = None
        try:
            async with self._share:
                response = await self._send(call, authorization)
            get_current_span().set_attribute("http.response.status_code", response.status_code)
            report = rate_report_of(response)
            wait = wait_demanded_by(response)
            if wait and patience.demand(wait):
                await self._budget.pause(wait)
        finally:
            await self._budget.release(permit, report)
        return response

    async def _send(self, call: Call, authorization: str) -> httpx.Response:
        headers = {"Authorization": authorization, "X-PCO-API-Version": call.product.api_version}
        failure: Exception
        try:
            async with asyncio.timeout(LONGEST_ATTEMPT):
                response = await self._connections.request(
                    call.method, f"{self._base}{call.path}", params=call.params, headers=headers, json=call.body
                )
        except UnexpectedResponse as error:
            raise UnexpectedResponse(f"{call}: {error}") from None
        except (httpx.RequestError, TimeoutError) as error:
            failure = error
        else:
            self._reachability.is_reached = True
            return response
        # Raised out here so that no exception chain leads to httpx's, which carries the request and its headers.
        _note_failure(failure)
        reason = failure_of(failure, self._url)
        if isinstance(failure, _UNREACHABLE):
            raise SourceUnreachable(f"no connection to {self._url.host} can be made ({reason})")
        raise TransientError(f"{call}: no complete response from {self._url.host} ({reason})")


def _note_failure(error: Exception, status: int | None = None) -> None:
    """Note a failure in the call's span, by kind only: its text may quote the response."""
    answer = {"http.response.status_code": status} if status else {}
    get_current_span().add_event("attempt failed", {"error.type": type(error).__qualname__, **answer})


def _effort(patience: Patience) -> dict[str, int | float]:
    return {"openfaith.requests": patience.requests, "openfaith.waited_seconds": round(patience.waited_seconds, 3)}


def _provider_of(credentials: Credentials | CredentialsProvider) -> CredentialsProvider:
    if isinstance(credentials, PersonalAccessToken | OAuthToken):
        _authorization(credentials)  # raises at once for a malformed token
        return FixedCredentials(credentials)
    return credentials


def _authorization(credentials: Credentials) -> str:
    if isinstance(credentials, PersonalAccessToken):
        pair = f"{credentials.app_id}:{credentials.secret.get_secret_value()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    token = credentials.access_token.get_secret_value()
    if not _TOKEN.fullmatch(token):
        raise ConnectionRejected("the access token is empty or has invalid characters; connect the org again")
    return f"Bearer {token}"
