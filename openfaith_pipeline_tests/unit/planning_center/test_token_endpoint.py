"""Answers of the token endpoint: only its explicit refusal ends a grant."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import (
    ConfigurationError,
    GrantDead,
    OpenFaithError,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.planning_center import OAuthToken
from openfaith_pipeline.planning_center.token_endpoint import USUAL_LIFE, OAuthApplication, TokenEndpoint

APPLICATION = OAuthApplication("https://pco.invalid", "our-app", SecretStr("pl4nted-app-secret"))
REFRESH = SecretStr("pl4nted-refresh")
PAIR = {"access_token": "pl4nted-access", "refresh_token": "pl4nted-next", "expires_in": 600}


def refresh(answer: httpx.Response | Exception, seen: list[httpx.Request] | None = None) -> OAuthToken:
    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with TokenEndpoint(APPLICATION, transport=httpx.MockTransport(respond)) as endpoint:
        return endpoint.refresh(REFRESH)


@contextmanager
def dripping(sent: bytes, dripped: bytes) -> Iterator[str]:
    """A server that answers with some bytes at once, and then with one more every now and then, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def answer() -> None:
        with suppress(OSError), listener.accept()[0] as client:
            client.recv(65536)
            client.sendall(sent)
            while not is_over.wait(0.02):
                client.sendall(dripped)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        is_over.set()
        listener.close()
        thread.join(10)


@pytest.mark.parametrize(
    ("sent", "dripped"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{", b" "),
        (b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"access_token": "a", "refresh_token": "b"}', b" "),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["body", "body without a length", "headers", "chunks"],
)
def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, sent: bytes, dripped: bytes) -> None:
    monkeypatch.setattr("openfaith_pipeline.planning_center.token_endpoint.TIMEOUT_SECONDS", 0.5)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with dripping(sent, dripped) as url, TokenEndpoint(replace(APPLICATION, base_url=url)) as endpoint:
        began = time.monotonic()
        with pytest.raises(TransientError, match="no response from"):
            endpoint.refresh(REFRESH)
        assert time.monotonic() - began < 10, "where it would wait for ever"


def _error(status: int, error: str, description: str = "") -> httpx.Response:
    return httpx.Response(status, json={"error": error, "error_description": description})


def test_a_pair_and_its_end_are_read_and_who_we_are_is_sent() -> None:
    seen: list[httpx.Request] = []
    token = refresh(httpx.Response(200, json=PAIR), seen)

    assert token.refresh_token is not None
    assert token.refresh_token.get_secret_value() == "pl4nted-next"
    assert token.expires_at is not None
    assert timedelta(seconds=590) < token.expires_at - datetime.now(UTC) <= timedelta(seconds=600)
    assert parse_qs(seen[0].content.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["pl4nted-refresh"],
        "client_id": ["our-app"],
        "client_secret": ["pl4nted-app-secret"],
    }
    assert "OpenFaith-Pipeline" in seen[0].headers["User-Agent"]


@pytest.mark.parametrize("seconds", [None, "7200", 0, -5, 10**30])
def test_a_life_that_makes_no_sense_is_the_usual_one(seconds: object) -> None:
    token = refresh(httpx.Response(200, json={**PAIR, "expires_in": seconds}))
    assert token.expires_at is not None
    assert abs(token.expires_at - datetime.now(UTC) - USUAL_LIFE) < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (_error(400, "invalid_grant"), GrantDead),
        (_error(401, "invalid_grant"), GrantDead),
        (_error(400, "invalid_request", "The refresh token is no longer valid"), GrantDead),
        (_error(400, "invalid_request", "a parameter is missing"), UnexpectedResponse),
        (_error(400, "unsupported_grant_type"), UnexpectedResponse),
        (_error(400, "<script>"), UnexpectedResponse),
        (_error(401, "invalid_client"), ConfigurationError),
        (_error(403, "invalid_grant"), TransientError),
        (_error(500, "invalid_grant"), TransientError),
        (httpx.Response(403, html="<h1>blocked by CloudFront</h1>"), TransientError),
        (httpx.Response(400, html="no JSON"), TransientError),
        (httpx.Response(429, json={"errors": []}), TransientError),
        (httpx.Response(503, text=""), TransientError),
        (httpx.Response(302, headers={"Location": "https://elsewhere.invalid"}), TransientError),
        (httpx.Response(200, html="<h1>welcome</h1>"), TransientError),
        (httpx.Response(200, json=[PAIR]), TransientError),
        (httpx.Response(200, json={**PAIR, "access_token": ""}), TransientError),
        (httpx.ConnectError("pl4nted-refresh"), TransientError),
        (httpx.ReadTimeout("pl4nted-refresh"), TransientError),
    ],
    ids=lambda it: getattr(it, "__name__", None) or f"{getattr(it, 'status_code', type(it).__name__)}",
)
def test_only_its_own_word_ends_a_grant_and_no_secret_is_repeated(
    answer: httpx.Response | Exception, meaning: type[OpenFaithError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(OpenFaithError) as failed:
        refresh(answer)

    assert type(failed.value) is meaning
    assert "pl4nted" not in str(failed.value) + caplog.text
    assert failed.value.__context__ is None


def test_the_browser_is_sent_with_state_and_challenge() -> None:
    url = APPLICATION.authorization_url(
        redirect_uri="https://us.example/cb?x=1",
        scopes=["people", "groups"],
        state="st",
        # of RFC 7636, appendix B, as is the challenge below
        verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    )

    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://pco.invalid/oauth/authorize"
    assert {key: value[0] for key, value in parse_qs(parts.query).items()} == {
        "client_id": "our-app",
        "redirect_uri": "https://us.example/cb?x=1",
        "response_type": "code",
        "scope": "people groups",
        "state": "st",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
