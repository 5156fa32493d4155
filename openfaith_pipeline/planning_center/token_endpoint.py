"""Planning Center's OAuth: the page where a church approves, and the exchange of codes and refresh tokens.

Synchronous on purpose: a refresh token works once, so a request with one must not be abandoned half-way when its sync
is canceled. Nothing is retried here: the code or token may have been used up.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import httpx
import orjson
from opentelemetry.trace import SpanKind
from pydantic import SecretStr

from openfaith_pipeline.errors import (
    ConfigurationError,
    GrantDead,
    OpenFaithError,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.network.clients import client_options, failure_of
from openfaith_pipeline.network.credentials import OAuthToken
from openfaith_pipeline.planning_center.answers import ACCEPTED, read_whole_now
from openfaith_pipeline.planning_center.transport import parse_url, user_agent
from openfaith_pipeline.planning_center.whole_deadline import WholeDeadline
from openfaith_pipeline.telemetry.spans import span

TIMEOUT_SECONDS: Final = 20.0
USUAL_LIFE: Final = timedelta(hours=2)
"""Lifetime of an access token if the response lacks it (api.planningcenteronline.com/docs/overview/authentication)."""

_KNOWN_ERRORS: Final = frozenset(
    {"access_denied", "invalid_request", "invalid_scope", "server_error", "temporarily_unavailable"}
    | {"unsupported_grant_type"}
)
"""Error codes of RFC 6749 other than those handled below."""

_DEAD: Final = "The refresh token is no longer valid"  # github.com/planningcenter/developers/issues/1310


@dataclass(frozen=True)
class OAuthApplication:
    """Our application as registered with Planning Center. base_url: of the API it is registered with."""

    base_url: str
    client_id: str
    client_secret: SecretStr

    def endpoint(self) -> "TokenEndpoint":
        return TokenEndpoint(self)

    def authorization_url(self, *, redirect_uri: str, scopes: Collection[str], state: str, verifier: str) -> str:
        """URL for the browser of the person who approves; the result is sent to `redirect_uri`."""
        query = {
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "state": state,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        url = parse_url(self.base_url)
        return str(url.copy_with(path=f"{url.path.rstrip('/')}/oauth/authorize", params=query))


class TokenEndpoint:
    """One or a few exchanges with the token endpoint; a context manager.

    Every call raises GrantDead if the code or refresh token is permanently refused, ConfigurationError if our
    application is, and TransientError for responses that prove neither: 403, 429, 5xx, or no JSON.
    """

    def __init__(self, application: OAuthApplication, *, transport: httpx.BaseTransport | None = None) -> None:
        url = parse_url(application.base_url)
        self._url = url
        self._application = application
        self._deadline = WholeDeadline(TIMEOUT_SECONDS)
        self._http = httpx.Client(
            base_url=url,
            headers={"Accept": "application/json", "Accept-Encoding": ACCEPTED, "User-Agent": user_agent()},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            **({"transport": transport, "trust_env": False} if transport else client_options(url)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._deadline.close()

    def redeem(self, code: str, *, redirect_uri: str, verifier: str) -> OAuthToken:
        """Exchange the code of an approval for tokens."""
        grant = {"grant_type": "authorization_code", "code": code}
        return self._token({**grant, "redirect_uri": redirect_uri, "code_verifier": verifier})

    def refresh(self, refresh_token: SecretStr) -> OAuthToken:
        """A new pair of tokens; the refresh token is used up."""
        return self._token({"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()})

    def organization_of(self, token: OAuthToken) -> tuple[str, str] | None:
        """Id and name of the church of a token, from `/oauth/userinfo`; None if that lacks them."""
        bearer = {"Authorization": f"Bearer {token.access_token.get_secret_value()}"}
        match _json_of(self._send("GET", "/oauth/userinfo", headers=bearer)):
            case {"organization_id": str() | int() as number, "organization_name": str(name)}:
                return str(number), name
        return None

    def _token(self, grant: Mapping[str, str]) -> OAuthToken:
        sent_at = datetime.now(UTC)
        form = {
            **grant,
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret.get_secret_value(),
        }
        response = self._send("POST", "/oauth/token", data=form)
        if not response.is_success:
            raise _refusal(response)
        return _read_token(_json_of(response), sent_at)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        attributes = {"http.request.method": method, "server.address": str(self._url.host), "url.path": path}
        with span(f"{method} {path}", attributes, kind=SpanKind.CLIENT) as exchange:
            failure: Exception
            try:
                traced = {"trace": self._deadline.trace}
                with self._deadline.running(), self._http.stream(method, path, extensions=traced, **request) as coming:
                    response = read_whole_now(coming)
            except httpx.RequestError as error:
                failure = error
            else:
                exchange.set_attribute("http.response.status_code", response.status_code)
                return response
        # Raised out here so that no exception chain leads to httpx's, which carries the request and its secrets.
        raise TransientError(f"{method} {path}: no response from {self._url.host} ({failure_of(failure, self._url)})")


def _refusal(response: httpx.Response) -> OpenFaithError:
    """The error for a refusal. Its description is not repeated: it may echo the request."""
    body = _json_of(response)
    error, description = (str(body.get(key) or "") for key in ("error", "error_description"))
    status = response.status_code
    if status in (403, 408, 429) or status >= 500 or not error:
        # Hundreds of valid tokens were lost where a firewall's 403 counted as a dead grant (#1310).
        return TransientError(f"POST /oauth/token: {status}, which says nothing about the token")
    if error == "invalid_grant" or (error == "invalid_request" and _DEAD in description):
        return GrantDead("Planning Center says that the grant is over (used, expired or revoked)")
    if error in ("invalid_client", "unauthorized_client"):
        return ConfigurationError(
            "Planning Center does not recognize our OAuth application: compare PLANNING_CENTER_CLIENT_ID and"
            " PLANNING_CENTER_SECRET with https://api.planningcenteronline.com/oauth/applications"
        )
    return UnexpectedResponse(f"POST /oauth/token: {status}, {error if error in _KNOWN_ERRORS else 'unreadable'}")


def _read_token(body: Mapping[str, Any], sent_at: datetime) -> OAuthToken:
    access, refresh, seconds = (body.get(key) for key in ("access_token", "refresh_token", "expires_in"))
    if not (isinstance(access, str) and access):
        raise TransientError("POST /oauth/token: success, but no token in the response")
    life = timedelta(seconds=seconds) if isinstance(seconds, int) and 0 < seconds < 10**8 else USUAL_LIFE
    return OAuthToken(
        SecretStr(access), SecretStr(refresh) if isinstance(refresh, str) and refresh else None, sent_at + life
    )


def _json_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a response, empty if there is none."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
