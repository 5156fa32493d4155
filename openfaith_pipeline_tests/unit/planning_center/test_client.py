"""The client over a fake wire, in virtual time."""

import asyncio
import base64
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import (
    ConfigurationError,
    ConnectionRejected,
    PathNotFound,
    RateLimitedError,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.planning_center import (
    LocalRateBudget,
    OAuthToken,
    PersonalAccessToken,
    PlanningCenterClient,
    RetryLimits,
)
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline_tests.unit.network.counting_server import CountingServer, Window
from openfaith_pipeline_tests.unit.network.virtual_time import virtual_now
from openfaith_pipeline_tests.unit.planning_center.gateway import (
    TOKEN,
    Answer,
    client_of,
    in_turn,
    page,
    read,
    refusal,
    run,
)


def request_of(product: Product, path: str, **how: object) -> httpx.Request:
    """The request that one `get` sends."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> Answer:
        seen.append(request)
        return page()

    async def scenario() -> None:
        async with client_of(answer, **how) as client:  # type: ignore[arg-type]
            await client.get(path, {"where[updated_at][gte]": "2026-01-02T00:00:00Z"}, product=product)

    run(scenario())
    return seen[0]


def test_request_is_authenticated_versioned_and_named() -> None:
    request = request_of(Product.GROUPS, "/groups/v2/groups", base_url="https://pco.invalid:8443/behind/")
    assert request.url.host == "pco.invalid"
    assert request.url.raw_path == (b"/behind/groups/v2/groups?where%5Bupdated_at%5D%5Bgte%5D=2026-01-02T00%3A00%3A00Z")
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"app-id:planted-secret").decode()
    assert request.headers["X-PCO-API-Version"] == "2023-07-10"
    assert request.headers["Accept"] == "application/vnd.api+json"
    assert request.headers["User-Agent"].startswith("OpenFaith-Pipeline/")


def test_oauth_token_is_sent_as_bearer() -> None:
    token = OAuthToken(SecretStr("granted"), None, None)
    request = request_of(Product.PEOPLE, "/people/v2/people", credentials=token)
    assert request.headers["Authorization"] == "Bearer granted"


def test_personal_access_token_may_hold_any_characters() -> None:
    token = PersonalAccessToken("äpp", SecretStr("sécret\n"))
    request = request_of(Product.PEOPLE, "/people/v2/people", credentials=token)
    assert request.headers["Authorization"] == "Basic " + base64.b64encode("äpp:sécret\n".encode()).decode()


@pytest.mark.parametrize("token", ["", "two lines\n", "tökén"])
def test_bearer_that_cannot_be_sent_is_rejected_without_being_shown(token: str) -> None:
    with pytest.raises(ConnectionRejected) as caught:
        client_of(in_turn([]), credentials=OAuthToken(SecretStr(token), None, None))
    assert not token or token not in repr(caught.value)


@pytest.mark.parametrize("url", ["", "ftp://pco.invalid", "https://", "https://me:pw@pco.invalid", "http://x:y", "pco"])
def test_url_that_cannot_be_one_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PCO_API_URL"):
        client_of(in_turn([]), base_url=url)


def test_a_document_has_its_cost_and_its_time() -> None:
    before = datetime.now(UTC)
    document = read(in_turn([httpx.ConnectError("no"), refusal(500), page("1")]))
    assert document.data == [{"type": "Person", "id": "1"}]
    assert (document.requests, document.waited_seconds) == (3, 0.0)
    assert before <= document.received_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.PoolTimeout("busy"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
        httpx.DecodingError("no gzip"),
        httpx.Response(403, html="<h1>blocked</h1>"),
        httpx.Response(502, html="<h1>Bad Gateway</h1>"),
        httpx.Response(200, text='{"data": [{"type": "Per'),
        httpx.Response(200, json=["not an object"]),
    ],
    ids=lambda fault: type(fault).__name__ + str(getattr(fault, "status_code", "")),
)
def test_fault_is_tried_again(fault: Answer) -> None:
    assert read(in_turn([fault, fault, page("1")])).requests == 3


@pytest.mark.parametrize("answer", [refusal(404), refusal(422), httpx.Response(200, json={})])
def test_verdict_is_not_tried_again(answer: httpx.Response) -> None:
    with pytest.raises((PathNotFound, UnexpectedResponse)):
        read(in_turn([answer]))


def test_redirect_is_not_followed() -> None:
    with pytest.raises(UnexpectedResponse, match="301"):
        read(in_turn([httpx.Response(301, headers={"Location": "https://elsewhere.invalid/"})]))


def test_faults_without_end_end_the_call_and_are_counted() -> None:
    async def scenario() -> tuple[int, float]:
        async with client_of(lambda _: httpx.ReadTimeout("slow")) as client:
            with pytest.raises(TransientError, match=r"GET /people/v2/people: no complete response .*\(ReadTimeout\)"):
                await client.get("/people/v2/people", {}, product=Product.PEOPLE)
            return client.requests, virtual_now()

    requests, elapsed = run(scenario())
    assert requests == 8
    assert 30 < elapsed < 62


def test_answer_that_drips_for_ever_is_cut_off() -> None:
    async def drip() -> Answer:
        await asyncio.sleep(3600)
        return page()

    async def scenario() -> float:
        async with client_of(lambda _: drip(), retry=RetryLimits(attempts=1)) as client:
            with pytest.raises(TransientError, match="TimeoutError"):
                await client.get("/people/v2/people", {}, product=Product.PEOPLE)
            return virtual_now()

    assert run(scenario()) == 120


def test_retry_is_logged_and_not_printed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    read(in_turn([refusal(429, title="Too Many Requests", Retry_After="20"), page("1")]))
    assert (
        "GET /people/v2/people: 429, too many requests (Too Many Requests); trying again in 20.0 s" in caplog.messages
    )
    assert capfd.readouterr() == ("", "")


def test_long_wait_the_server_dictates_is_kept_and_counted() -> None:
    async def scenario() -> tuple[int, float, float]:
        answers = [refusal(429, Retry_After="20"), refusal(429, Retry_After="20"), page("1")]
        async with client_of(in_turn(answers), retry=RetryLimits(attempts=1)) as client:
            document = await client.get("/people/v2/people", {}, product=Product.PEOPLE)
            assert (client.requests, client.waited_seconds) == (document.requests, document.waited_seconds)
            return document.requests, document.waited_seconds, virtual_now()

    assert run(scenario()) == (3, 40.0, 40.0)


def test_refusal_that_names_no_wait_is_waited_for_a_second() -> None:
    assert read(in_turn([refusal(429), page("1")])).waited_seconds == 1.0


def test_wait_beyond_all_patience_is_handed_to_the_caller_and_holds_nobody_else_back() -> None:
    async def scenario() -> float:
        async with client_of(in_turn([refusal(429, Retry_After="3600"), page("1")])) as client:
            with pytest.raises(RateLimitedError) as caught:
                await client.get("/people/v2/people", {}, product=Product.PEOPLE)
            assert caught.value.retry_after == timedelta(hours=1)
            await client.get("/people/v2/people", {}, product=Product.PEOPLE)
            return virtual_now()

    assert run(scenario()) == 0.0


def test_wait_dictated_to_one_call_holds_back_all_that_share_the_budget() -> None:
    async def scenario() -> list[float]:
        budget = LocalRateBudget(PLANNING_CENTER.rate_limit, clock=virtual_now)
        sent: list[float] = []

        def answer(_: httpx.Request) -> Answer:
            sent.append(virtual_now())
            return refusal(503, Retry_After="15") if len(sent) == 1 else page()

        async with client_of(answer, budget=budget) as one, client_of(answer, budget=budget) as other:
            calls = [client.get("/people/v2/people", {}, product=Product.PEOPLE) for client in (one, other)]
            await asyncio.gather(*calls)
        return sent

    sent = run(scenario())
    assert sent[0] == 0.0
    assert min(sent[1:]) == 15.0


def test_cancelled_call_gives_its_place_to_the_next() -> None:
    async def never() -> Answer:
        await asyncio.sleep(3600)
        return page()

    async def scenario() -> float:
        answers: list[Answer | None] = [None, page("1")]
        budget = LocalRateBudget(PLANNING_CENTER.rate_limit, clock=virtual_now)
        async with client_of(lambda _: answers.pop(0) or never(), budget=budget) as client:
            stuck = asyncio.create_task(client.get("/people/v2/people", {}, product=Product.PEOPLE))
            waiting = asyncio.create_task(client.get("/people/v2/people", {}, product=Product.PEOPLE))
            await asyncio.sleep(1)
            stuck.cancel()
            await waiting
            with pytest.raises(asyncio.CancelledError):
                await stuck
        return virtual_now()

    assert run(scenario()) == 1.0


def test_offsets_above_30000_keep_to_the_limit_their_refusal_names() -> None:
    refused = refusal(429, detail="Rate limit exceeded: 3 of 2 requests per 20 seconds", Retry_After="5")
    sent: list[float] = []

    async def scenario() -> None:
        def answer(_: httpx.Request) -> Answer:
            sent.append(virtual_now())
            return refused if len(sent) == 3 else page(**{"X-PCO-API-Request-Rate-Limit": "100"})

        async with client_of(answer) as client:
            for _ in range(5):
                await client.get("/people/v2/people", {"offset": "30100"}, product=Product.PEOPLE)

    run(scenario())
    assert sent[:3] == [0.0, 0.0, 0.0]
    assert [round(moment) for moment in sent[3:]] == [20, 20, 40]


class StormyServer:
    """Serves numbered pages under a rate limit of 50 in 20 s; one request in five meets a fault."""

    def __init__(self) -> None:
        self.counter = CountingServer(Window.SLIDING, 50, 20.0)
        self._dice = random.Random(7)

    async def answer(self, request: httpx.Request) -> Answer:
        await asyncio.sleep(self._dice.uniform(0.05, 1.0))
        count = self.counter.count(virtual_now())
        await asyncio.sleep(self._dice.uniform(0.05, 1.0))
        rate = {"Limit": "50", "Period": "20 seconds", "Count": str(count)}
        headers = {f"X-PCO-API-Request-Rate-{name}": value for name, value in rate.items()}
        return self._fault(headers) if self._dice.random() < 0.2 else page(request.url.params["offset"], **headers)

    def _fault(self, headers: dict[str, str]) -> Answer:
        kinds: list[Answer] = [
            refusal(429, Retry_After=str(self._dice.randint(0, 4))),
            refusal(500),
            httpx.Response(502, html="<h1>Bad Gateway</h1>"),
            httpx.Response(403, html="<h1>Request blocked</h1>"),
            httpx.ReadError("reset"),
            httpx.ReadTimeout("slow"),
            httpx.Response(200, text='{"data": [{"type": "Per', headers=headers),
        ]
        return self._dice.choice(kinds)


def test_storm_of_faults_ends_with_every_page_read_and_the_limit_kept() -> None:
    server = StormyServer()

    async def scenario() -> None:
        async with client_of(server.answer) as client:

            async def read_page(offset: int) -> None:
                document = await client.get("/people/v2/people", {"offset": str(offset)}, product=Product.PEOPLE)
                assert document.data == [{"type": "Person", "id": str(offset)}]

            await asyncio.gather(*(read_page(offset) for offset in range(400)))
            assert client.requests > 450

    run(scenario())
    assert server.counter.refused == 0


def test_default_budget_is_the_clients_own() -> None:
    async def scenario() -> None:
        transport = httpx.MockTransport(lambda _: page("1"))
        async with PlanningCenterClient("https://pco.invalid", TOKEN, transport=transport) as client:
            document = await client.get("/people/v2/people", {}, product=Product.PEOPLE)
        assert document.total_count == 1

    asyncio.run(scenario())
