"""Pages with which a church connects itself: approve at Planning Center, and come back.

They are for people, who have no API key: all they can do is connect the church that Planning Center says is theirs. No
page repeats the browser's input.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.params import Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.connections.account import learn_number
from openfaith_pipeline.connections.invitations import invited_org
from openfaith_pipeline.connections.oauth_flow import (
    GOOD_FOR,
    Connected,
    Narrower,
    begin_journey,
    confirm_journey,
    end_journey,
    take_journey,
)
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import ConfigurationError, OpenFaithError
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.service.access import is_local
from openfaith_pipeline.service.addresses import network_of
from openfaith_pipeline.service.pages.products import words_of
from openfaith_pipeline.service.pages.rendering import HEADERS, render
from openfaith_pipeline.service.problems import TooManyCalls, problem
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CONNECTORS, DEFAULT_SOURCE

_SOURCE: Final = DEFAULT_SOURCE
_CONNECTOR: Final = CONNECTORS[_SOURCE.adapter]

router = APIRouter(prefix=_SOURCE.connect_path, include_in_schema=False)

_COOKIE: Final = "openfaith_connect"
_CALLBACK: Final = f"{_SOURCE.connect_path}/callback"
# The source sends the browser on to its login; a `form-action` would stop it there.
_HEADERS: Final = {
    **HEADERS,
    "content-security-policy": HEADERS["content-security-policy"].replace(" form-action 'self';", ""),
    "referrer-policy": "no-referrer",
}

_Org = Annotated[str | None, Query(max_length=60)]
_Invitation = Annotated[str | None, Query(max_length=100)]
_Brought = Annotated[str, Query(max_length=4000)]


@router.get("")
def invite(request: Request, org: _Org = None, invitation: _Invitation = None) -> Response:
    """A page that explains the connection, with a button to begin."""
    try:
        _take_turn(request)
        _CONNECTOR.application(_settings(request), _CONNECTOR.api_url(_settings(request)))
        _redirect_uri(request)
        name = _name_of(request, org, invitation)
    except (OpenFaithError, *TROUBLE) as error:
        return _failure(error)
    asked = urlencode({key: value for key, value in (("org", org), ("invitation", invitation)) if value})
    start_path = f"{_SOURCE.connect_path}/start"
    scopes = _CONNECTOR.scopes(_settings(request))
    values = {
        "church": name,
        "action": f"{start_path}?{asked}" if asked else start_path,
        "read": words_of(scopes),
        "has_giving": "giving" in scopes,
        "operator": _settings(request).operator,
    }
    return _page("connect.html", values)


@router.post("/start")
def start(request: Request, org: _Org = None, invitation: _Invitation = None) -> Response:
    """Redirect to Planning Center, with a cookie that identifies the browser when it returns."""
    try:
        _take_turn(request)
        redirect_uri = _redirect_uri(request)
        if org and not invitation:
            asyncio.run(learn_number(request.app.state.database, org, adapter=DEFAULT_SOURCE.adapter))
        with request.app.state.pool.connection() as connection:
            journey = begin_journey(
                connection,
                _settings(request),
                redirect_uri=redirect_uri,
                org_id=org or None,
                invitation=invitation,
                adapter=DEFAULT_SOURCE.adapter,
            )
    except (OpenFaithError, *TROUBLE) as error:
        return _failure(error)
    response = RedirectResponse(journey.url, 303, _HEADERS)
    response.set_cookie(
        _COOKIE,
        journey.browser,
        max_age=int(GOOD_FOR.total_seconds()),
        path=_SOURCE.connect_path,
        secure=redirect_uri.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/callback")
def callback(request: Request, code: _Brought = "", state: _Brought = "", error: _Brought = "") -> Response:
    """Return address from Planning Center, with a code or an error."""
    database, browser = request.app.state.database, request.cookies.get(_COOKIE, "")
    try:
        _take_turn(request)
        if not code:
            take_journey(database, state=state, browser=browser, adapter=DEFAULT_SOURCE.adapter)
            return _finished(_refusal(error))
        ended = end_journey(database, state=state, browser=browser, code=code, adapter=DEFAULT_SOURCE.adapter)
    except (OpenFaithError, *TROUBLE) as failure:
        return _failure(failure)
    return _question(ended) if isinstance(ended, Narrower) else _success(ended)


@router.post("/confirm")
def confirm(request: Request, confirmation: _Brought = "") -> Response:
    """Replace a working grant by one that reads less, after the person has confirmed it."""
    browser = request.cookies.get(_COOKIE, "")
    try:
        _take_turn(request)
        connected = confirm_journey(
            request.app.state.database, confirmation=confirmation, browser=browser, adapter=DEFAULT_SOURCE.adapter
        )
    except (OpenFaithError, *TROUBLE) as failure:
        return _failure(failure)
    return _success(connected)


def _question(narrower: Narrower) -> HTMLResponse:
    action = f"{_SOURCE.connect_path}/confirm?{urlencode({'confirmation': narrower.confirmation})}"
    lost = [_called(product) for product in narrower.lost]
    return _page("connect_less.html", {"church": narrower.name, "lost": lost, "action": action})


def _called(product: Product) -> str:
    return product.value.replace("_", " ").title()


def _success(connected: Connected) -> HTMLResponse:
    values = {"church": connected.name, "org_id": connected.org_id, "is_new": connected.is_new}
    return _finished(_page("connect_done.html", values))


def _refusal(error: str) -> HTMLResponse:
    message = (
        "You have not approved. Nothing was changed."
        if error == "access_denied"
        else f"{_SOURCE.title} did not send the data needed to connect."
    )
    return _page("connect_failed.html", {"message": message, "may_begin_again": True}, status=400)


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.database.settings
    return settings


def _name_of(request: Request, org_id: str | None, invitation: str | None) -> str:
    if not org_id and not invitation:
        return "your church"
    with request.app.state.pool.connection() as connection:
        return get_org(connection, invited_org(connection, invitation) if invitation else org_id or "").name


def _redirect_uri(request: Request) -> str:
    """Planning Center's return address: as registered there, never from a Host header."""
    public_url = _settings(request).public_url
    if public_url:
        return f"{public_url.rstrip('/')}{_CALLBACK}"
    if is_local(request):
        return f"{str(request.base_url).rstrip('/')}{_CALLBACK}"
    raise ConfigurationError(f"OPENFAITH_PUBLIC_URL is not set: {_SOURCE.title} could not redirect back here")


def _take_turn(request: Request) -> None:
    network = network_of(request.client.host if request.client else "")
    wait = request.app.state.limiter.wait_of(f"connecting {network}")
    if wait:
        raise TooManyCalls(f"too many calls in a minute; wait {wait} s", wait)


def _failure(error: Exception) -> HTMLResponse:
    told = problem(error)
    status = 502 if told.status == 500 and isinstance(error, OpenFaithError) else told.status
    return _page("connect_failed.html", {"message": f"{told.message}.", "may_begin_again": False}, status=status)


def _page(template: str, values: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
    return render(template, {"source": _SOURCE, **values}, status=status, headers=_HEADERS)


def _finished(response: HTMLResponse) -> HTMLResponse:
    response.delete_cookie(_COOKIE, path=_SOURCE.connect_path)
    return response
