"""A planted secret and a planted name must not come out anywhere: errors, tracebacks, logs or spans."""

import base64
import logging
import traceback
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.planning_center import Credentials, OAuthToken, PersonalAccessToken, RetryLimits
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.telemetry import spans as spans_of_ours
from openfaith_pipeline_tests.unit.planning_center.gateway import Answer, client_of, page, refusal, run

SECRET = "pl4nted-s3cret"
NAME = "Zacharias Plantagenet"
CREDENTIALS: list[Credentials] = [
    PersonalAccessToken("planted-app", SecretStr(SECRET)),
    OAuthToken(SecretStr(SECRET), SecretStr(SECRET), None),
]
PLANTED = (SECRET, NAME, "Zacharias", "planted-app", "cGxhbnRlZC1hcHA6")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans_of_ours, "_TRACER", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def everything_in(error: BaseException) -> str:
    """All an error shows, the errors behind it included even where printing would leave them out."""
    texts: list[str] = []
    link: BaseException | None = error
    while link is not None:
        texts += [str(link), repr(link), repr(vars(link)), *traceback.format_exception(link)]
        link = link.__cause__ or link.__context__
    return "\n".join(texts)


async def ask(answer: Answer, credentials: Credentials) -> BaseException | None:
    async with client_of(lambda _: answer, credentials=credentials, retry=RetryLimits(attempts=2)) as client:
        assert SECRET not in repr(client)
        try:
            await client.get("/people/v2/people", {"where[search_name]": NAME}, product=Product.PEOPLE)
        except OpenFaithError as error:
            return error
        return None


@pytest.mark.parametrize("credentials", CREDENTIALS, ids=["token", "oauth"])
@pytest.mark.parametrize(
    "answer",
    [
        page("1"),
        httpx.ConnectError(f"with {SECRET}"),
        httpx.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}'"),
        httpx.Response(200, json={"nothing": NAME}),
        httpx.Response(200, text=f"{NAME} {SECRET}"),
        refusal(401, detail=f"{SECRET} is wrong"),
        refusal(403, title=NAME),
        refusal(404, detail=f"{NAME} not found"),
        refusal(429, detail=NAME, Retry_After="3600"),
        refusal(500, detail=f"{NAME} via {SECRET}"),
        httpx.Response(502, html=f"<h1>{NAME} {SECRET}</h1>"),
    ],
    ids=lambda answer: type(answer).__name__ + str(getattr(answer, "status_code", "")),
)
def test_nothing_planted_comes_out(
    answer: Answer, credentials: Credentials, caplog: pytest.LogCaptureFixture, spans: InMemorySpanExporter
) -> None:
    caplog.set_level(logging.DEBUG)
    error = run(ask(answer, credentials))
    shown = everything_in(error) if error else ""
    logged = "\n".join(f"{record.getMessage()} {vars(record)!r}" for record in caplog.records)
    traced = "\n".join(span.to_json() for span in spans.get_finished_spans())
    assert traced
    for planted in PLANTED:
        assert planted not in shown
        assert planted not in logged
        assert planted not in traced


def test_application_and_encoded_pair_do_not_come_out_either() -> None:
    pair = base64.b64encode(f"planted-app:{SECRET}".encode()).decode()
    error = run(ask(refusal(401, detail=f"planted-app may not, nor may {pair}"), CREDENTIALS[0]))
    assert str(error).endswith("401, Planning Center refuses these credentials")


def test_no_error_leads_back_to_the_request() -> None:
    error = run(ask(httpx.ReadError("reset"), CREDENTIALS[0]))
    assert error is not None
    assert error.__cause__ is None
    assert error.__context__ is None


def test_spans_have_method_path_status_and_the_kinds_of_failure_and_nothing_else(spans: InMemorySpanExporter) -> None:
    run(ask(refusal(500), CREDENTIALS[0]))
    run(ask(page("1"), CREDENTIALS[0]))
    finished = spans.get_finished_spans()
    request = {
        "http.request.method": "GET",
        "server.address": "pco.invalid",
        "url.path": "/people/v2/people",
        "openfaith.waited_seconds": 0.0,
    }
    failed = {"http.response.status_code": 500, "error.type": "TransientError"}
    assert [(dict(span.attributes or {}), span.status.is_ok) for span in finished] == [
        ({**request, **failed, "openfaith.requests": 2}, False),
        ({**request, "http.response.status_code": 200, "openfaith.requests": 1}, True),
    ]
    assert [[dict(event.attributes or {}) for event in span.events] for span in finished] == [[failed, failed], []]


def test_log_of_httpx_still_names_the_path(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="httpx")
    run(ask(page("1"), CREDENTIALS[0]))
    assert 'HTTP Request: GET https://pco.invalid/people/v2/people "HTTP/1.1 200 OK"' in caplog.text
