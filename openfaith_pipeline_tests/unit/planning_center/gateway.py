"""A client whose other side is a function: requests in, responses (or httpx's exceptions) out."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

import httpx
import orjson
from pydantic import SecretStr

from openfaith_pipeline.planning_center import (
    Credentials,
    CredentialsProvider,
    Document,
    LocalRateBudget,
    PersonalAccessToken,
    PlanningCenterClient,
    RetryLimits,
)
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline_tests.unit.network.virtual_time import run_virtually, virtual_now

T = TypeVar("T")
BASE_URL = "https://pco.invalid"
TOKEN = PersonalAccessToken("app-id", SecretStr("planted-secret"))
Answer = httpx.Response | Exception
Handler = Callable[[httpx.Request], Answer | Coroutine[Any, Any, Answer]]


def page(*ids: str, **headers: str) -> httpx.Response:
    body = {"data": [{"type": "Person", "id": id_} for id_ in ids], "meta": {"total_count": len(ids)}}
    return httpx.Response(200, content=orjson.dumps(body), headers=headers)


def refusal(status: int, *, code: str = "", title: str = "", detail: str = "", **headers: str) -> httpx.Response:
    error = {"status": str(status), "code": code, "title": title, "detail": detail}
    return httpx.Response(
        status, json={"errors": [error]}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def client_of(
    handler: Handler,
    *,
    credentials: Credentials | CredentialsProvider = TOKEN,
    base_url: str = BASE_URL,
    retry: RetryLimits = RetryLimits(),  # noqa: B008 - frozen
    budget: LocalRateBudget | None = None,
) -> PlanningCenterClient:
    async def answer(request: httpx.Request) -> httpx.Response:
        given = handler(request)
        response = await given if asyncio.iscoroutine(given) else given
        if isinstance(response, Exception):
            raise response
        assert isinstance(response, httpx.Response)
        return response

    shared = budget or LocalRateBudget(PLANNING_CENTER.rate_limit, clock=virtual_now)
    return PlanningCenterClient(
        base_url, credentials, budget=shared, transport=httpx.MockTransport(answer), retry=retry
    )


def in_turn(answers: Iterable[Answer]) -> Handler:
    """A handler that gives the answers one after the other, and fails the test at any further request."""
    remaining = iter(answers)
    return lambda _: next(remaining)


def read(handler: Handler, params: Mapping[str, str] | None = None, **how: Any) -> Document:
    """One `get` of the people listing, in virtual time."""

    async def scenario() -> Document:
        async with client_of(handler, **how) as client:
            return await client.get("/people/v2/people", params or {}, product=Product.PEOPLE)

    return run_virtually(scenario())


def run(scenario: Coroutine[Any, Any, T]) -> T:
    return run_virtually(scenario)
