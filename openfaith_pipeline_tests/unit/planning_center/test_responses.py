"""Each kind of response means one thing to do, and says nothing it should not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from openfaith_pipeline.errors import (
    ConnectionRejected,
    OpenFaithError,
    PathNotFound,
    ProductNotGranted,
    QueryRefused,
    RateLimitedError,
    StreamForbidden,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.network.rate_budget import RateReport
from openfaith_pipeline.planning_center.calls import Call
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.responses import (
    rate_report_of,
    read_body,
    retry_after_of,
    wait_demanded_by,
)
from openfaith_pipeline_tests.unit.planning_center.gateway import refusal

CALL = Call("/people/v2/people", {}, Product.PEOPLE)
HTML = "<html><body>Request blocked. CloudFront</body></html>"


def html(status: int) -> httpx.Response:
    return httpx.Response(status, html=HTML)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(401, code="unauthorized", detail="Error Code Hint: (TRASH_PANDA)"), ProductNotGranted),
        (refusal(401, code="bad_scope", title="Request outside authenticated scope"), ProductNotGranted),
        (refusal(401, code="unauthorized", detail="Error Code Hint: (PELICAN)"), ProductNotGranted),
        (refusal(401, code="unauthorized", detail="Error Code Hint: (CAPUCHIN)"), ConnectionRejected),
        (html(401), ConnectionRejected),
        (refusal(403, title="Forbidden"), StreamForbidden),
        (html(403), TransientError),
        (refusal(404, title="Not Found"), PathNotFound),
        (html(404), TransientError),
        (httpx.Response(404), TransientError),
        (httpx.Response(404, json={"message": "no route matches"}), TransientError),
        (refusal(410, title="Gone"), PathNotFound),
        (html(410), TransientError),
        (refusal(408), TransientError),
        (refusal(429, code="429", title="Too Many Requests"), RateLimitedError),
        (html(429), RateLimitedError),
        (refusal(500), TransientError),
        (html(502), TransientError),
        (httpx.Response(504), TransientError),
        (refusal(400, code="unsupported_version_error"), QueryRefused),
        (refusal(405), UnexpectedResponse),
        (refusal(422, detail="can't be blank"), UnexpectedResponse),
        (httpx.Response(301, headers={"Location": "https://elsewhere.invalid/"}), UnexpectedResponse),
        (httpx.Response(200, text="{"), TransientError),
        (html(200), TransientError),
        (httpx.Response(200), TransientError),
        (httpx.Response(200, json=[]), TransientError),
        (httpx.Response(500, json={"errors": "no list"}), TransientError),
        (httpx.Response(500, json={"errors": [None]}), TransientError),
        (httpx.Response(500, json={"errors": [{"title": 7, "detail": None}]}), TransientError),
    ],
)
def test_a_response_raises_its_kind_of_error(response: httpx.Response, error: type[OpenFaithError]) -> None:
    with pytest.raises(OpenFaithError) as caught:
        read_body(response, CALL)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"GET /people/v2/people: {response.status_code}, ")


def test_the_message_carries_planning_centers_own_words() -> None:
    with pytest.raises(StreamForbidden) as caught:
        read_body(refusal(403, title="Forbidden", detail="You do not have access to this resource"), CALL)
    assert str(caught.value) == (
        "GET /people/v2/people: 403, the connection's user may not read this "
        "(Forbidden: You do not have access to this resource)"
    )


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (
            refusal(401, code="unauthorized", detail="Ada. Error Code Hint: (TRASH_PANDA)"),
            "Error Code Hint: (TRASH_PANDA)",
        ),
        (refusal(401, detail="The API credentials do not have access to the application giving"), "application giving"),
        (refusal(429, detail="Rate limit exceeded: 23 of 10 requests per 20 seconds"), "23 of 10 requests"),
        (
            refusal(422, code="unprocessable_entity", title="Ada", detail="can't be blank"),
            "entity: can't be blank",
        ),
    ],
)
def test_fixed_phrases_of_planning_center_pass(response: httpx.Response, said: str) -> None:
    with pytest.raises(OpenFaithError) as caught:
        read_body(response, CALL)
    assert said in str(caught.value)
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
def test_nothing_else_that_the_server_says_passes(status: int) -> None:
    text = "ada@example.org\x1b[2J\nis not allowed: TRASH_PIGEON (LEMON)"
    with pytest.raises(OpenFaithError) as caught:
        read_body(refusal(status, code=text, title=text, detail=text), CALL)
    message = str(caught.value)
    assert not any(part in message for part in ("ada", "\x1b", "\n", "LEMON", "("))


def test_a_content_type_is_no_way_to_say_more() -> None:
    said = httpx.Response(200, text="x", headers={"Content-Type": "ada@example.org"})
    with pytest.raises(TransientError, match=r"not a JSON object \(no content type"):
        read_body(said, CALL)


@pytest.mark.parametrize(
    "params", [{}, {"offset": "30000"}, {"offset": "-1"}, {"offset": "many"}, {"per_page": "40000"}]
)
def test_calls_within_the_first_30000_records_are_not_deep(params: dict[str, str]) -> None:
    assert not Call("/people/v2/people", params, Product.PEOPLE).is_deep


def test_calls_above_offset_30000_are_deep() -> None:
    assert Call("/people/v2/people", {"offset": "30001"}, Product.PEOPLE).is_deep


@pytest.mark.parametrize(
    "path",
    ["https://elsewhere.invalid/people", "//elsewhere.invalid", "people", "/people?x=y", "/a#b", "/a b", "", "/"],
)
def test_calls_cannot_leave_the_api(path: str) -> None:
    with pytest.raises(ValueError, match="path of the API"):
        Call(path, {}, Product.PEOPLE)


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("19", 19),
        (" 7 ", 7),
        ("1.5", 1.5),
        (http_date(12), 12),
        (http_date(-12), None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("Fri, 02 Jan 2026 03:04:05 +9999999999999999999", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_on_the_servers_clock(value: str, wait: float | None) -> None:
    response = httpx.Response(429, headers={"Retry-After": value, "Date": http_date(0)})
    assert retry_after_of(response) == (None if wait is None else timedelta(seconds=wait))


def test_retry_after_date_is_judged_by_our_clock_when_the_server_names_none() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    wait = retry_after_of(httpx.Response(429, headers={"Retry-After": until}))
    assert wait is not None
    assert timedelta(seconds=50) < wait <= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "19"}, timedelta(seconds=19)),
        (429, {}, timedelta(seconds=1)),
        (503, {"Retry-After": "30"}, timedelta(seconds=30)),
        (503, {}, None),
        (200, {"Retry-After": "30"}, None),
    ],
)
def test_only_refusals_demand_a_wait(status: int, headers: dict[str, str], wait: timedelta | None) -> None:
    assert wait_demanded_by(httpx.Response(status, headers=headers)) == wait


def rate_headers(limit: str, period: str, count: str) -> dict[str, str]:
    prefix = "X-PCO-API-Request-Rate-"
    return {f"{prefix}Limit": limit, f"{prefix}Period": period, f"{prefix}Count": count}


@pytest.mark.parametrize(
    ("response", "report"),
    [
        (httpx.Response(200, headers=rate_headers("100", "20", "7")), RateReport(100, 20, 7)),
        (httpx.Response(404, headers=rate_headers("100", "20 seconds", "7")), RateReport(100, 20, 7)),
        (httpx.Response(200, headers=rate_headers("lots", "0", "")), RateReport()),
        (httpx.Response(200), RateReport()),
        (httpx.Response(502), None),
        (html(429), None),
        (
            refusal(429, detail="Rate limit exceeded: 23 of 10 requests per 20 seconds"),
            RateReport(None, 20, 23, exceeded_limit=10),
        ),
        (
            httpx.Response(
                429,
                headers=rate_headers("100", "20", "101"),
                text="Rate limit exceeded: 23 of 10 requests per 30 seconds",
            ),
            RateReport(100, 20, 101, exceeded_limit=10),
        ),
    ],
)
def test_the_rate_report_is_read_from_headers_and_refusals(response: httpx.Response, report: RateReport | None) -> None:
    assert rate_report_of(response) == report
