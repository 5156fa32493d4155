"""OAuth as Planning Center offers it: codes, two-hour access tokens, and refresh tokens that rotate at every use."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

import orjson

from openfaith_pipeline.simulator.answers import Answer, json
from openfaith_pipeline.simulator.clocks import Clock
from openfaith_pipeline.simulator.options import SimulatorOptions
from openfaith_pipeline.simulator.values import DAY

_REFRESHABLE_SECONDS = 90 * DAY
_INVALID_GRANT = (
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the "
    "authorization request, or was issued to another client."
)


@dataclass
class Grant:
    """The result of one approval. Its tokens are replaced at each refresh."""

    org_id: str
    scopes: frozenset[str]
    access_token: str = ""
    refresh_token: str = ""
    issued_at: float = 0
    is_revoked: bool = False


@dataclass(frozen=True)
class _Code:
    grant: Grant
    redirect_uri: str
    challenge: str


class Authorizations:
    """Every grant. `signed_in` is the church whose user approves at /oauth/authorize."""

    def __init__(self, options: SimulatorOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._by_access: dict[str, tuple[Grant, float]] = {}
        self._by_refresh: dict[str, Grant] = {}
        self._superseded: dict[str, str] = {}  # access token -> the refresh token that it supersedes on first use
        self._issued = 0
        self.signed_in = options.churches[0].org_id if options.churches else ""

    def authorize(self, params: Mapping[str, str]) -> Answer:
        """Approve at once and redirect the browser back; `login_hint` may name the church."""
        if params.get("client_id") != self._options.client_id or params.get("response_type") != "code":
            return _refused("invalid_client", "Client authentication failed.", 401)
        org_id = params.get("login_hint", self.signed_in)
        code = self._token("code")
        grant = Grant(org_id, frozenset(params.get("scope", "").split()))
        self._codes[code] = _Code(grant, params.get("redirect_uri", ""), params.get("code_challenge", ""))
        answer = {"code": code, **({"state": params["state"]} if "state" in params else {})}
        uri = params.get("redirect_uri", "")
        location = f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}"
        return Answer(302, b"", "text/html", {"Location": location})

    def exchange(self, form: Mapping[str, str]) -> Answer:
        """POST /oauth/token."""
        if not self._is_our_client(form):
            return _refused("invalid_client", "Client authentication failed.", 401)
        if form.get("grant_type") == "authorization_code":
            return self._redeem(form)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form)
        return _refused("unsupported_grant_type", "The authorization grant type is not supported.")

    def revoke(self, form: Mapping[str, str]) -> Answer:
        """POST /oauth/revoke: either token ends the whole grant at once."""
        if not self._is_our_client(form):
            return _refused("invalid_client", "Client authentication failed.", 401)
        token = form.get("token", "")
        known = self._by_access.get(token)
        grant = known[0] if known else self._by_refresh.get(token)
        if grant:
            grant.is_revoked = True
        return json({})

    def revoke_all(self, org_id: str) -> None:
        """End every grant of a church, as when its user disconnects the application."""
        for grant, _ in self._by_access.values():
            grant.is_revoked = grant.is_revoked or grant.org_id == org_id

    def check(self, access_token: str) -> Grant | str:
        """The grant of an access token, or the hint with the reason for refusing it."""
        known = self._by_access.get(access_token)
        if known is None:
            return "CHINCHILLA"
        grant, expires_at = known
        if grant.is_revoked:
            return "CAPUCHIN"
        if self._clock.now() < expires_at - self._options.token_seconds + self._options.new_token_refused_seconds:
            return "BABOON"
        self._by_refresh.pop(self._superseded.pop(access_token, ""), None)
        return grant if self._clock.now() < expires_at else "BABOON"

    def _redeem(self, form: Mapping[str, str]) -> Answer:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.redirect_uri != form.get("redirect_uri", ""):
            return _refused("invalid_grant", _INVALID_GRANT)
        if code.challenge and code.challenge != _challenge(form.get("code_verifier", "")):
            return _refused("invalid_grant", _INVALID_GRANT)
        return self._issue(code.grant)

    def _refresh(self, form: Mapping[str, str]) -> Answer:
        used = form.get("refresh_token", "")
        grant = self._by_refresh.get(used)
        if grant is None or grant.is_revoked or self._clock.now() > grant.issued_at + _REFRESHABLE_SECONDS:
            return _refused("invalid_grant", _INVALID_GRANT)
        answer = self._issue(grant)
        self._superseded[grant.access_token] = used
        if not self._options.is_old_token_kept:
            self._by_refresh.pop(self._superseded.pop(grant.access_token))
        return answer

    def _issue(self, grant: Grant) -> Answer:
        grant.access_token, grant.refresh_token = self._token("access"), self._token("refresh")
        grant.issued_at = self._clock.now()
        self._by_access[grant.access_token] = grant, grant.issued_at + self._options.token_seconds
        self._by_refresh[grant.refresh_token] = grant
        return json(
            {
                "access_token": grant.access_token,
                "token_type": "bearer",
                "expires_in": self._options.token_seconds,
                "refresh_token": grant.refresh_token,
                "scope": " ".join(sorted(grant.scopes)),
                "created_at": int(grant.issued_at),
            }
        )

    def _token(self, kind: str) -> str:
        self._issued += 1
        return f"simulated-{kind}-{hashlib.blake2b(f'{kind}{self._issued}'.encode(), digest_size=16).hexdigest()}"

    def _is_our_client(self, form: Mapping[str, str]) -> bool:
        wanted = (self._options.client_id, self._options.client_secret)
        return (form.get("client_id"), form.get("client_secret")) == wanted


def read_form(body: bytes, content_type: str, authorization: str) -> dict[str, str]:
    """Fields of a token request: from a form or JSON, the client's own also from HTTP Basic."""
    fields = orjson.loads(body or b"{}") if "json" in content_type else dict(parse_qsl(body.decode()))
    if authorization.startswith("Basic "):
        client_id, _, client_secret = base64.b64decode(authorization[6:]).decode().partition(":")
        fields = {"client_id": client_id, "client_secret": client_secret, **fields}
    return {str(name): str(value) for name, value in fields.items()}


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refused(error: str, description: str, status: int = 400) -> Answer:
    return json({"error": error, "error_description": description}, status)
