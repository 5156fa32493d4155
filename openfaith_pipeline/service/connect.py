"""The pages by which a church connects itself: approve at Planning Center, and come back.

They are for people, who have no key of ours: what they can do is connect the church that Planning Center says is
theirs. No page repeats what the browser brought.
"""

import asyncio
from html import escape
from typing import Annotated, Final
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Request
from fastapi.params import Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from psycopg_pool import PoolTimeout

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
from openfaith_pipeline.connections.oauth_tokens import application_of
from openfaith_pipeline.errors import ConfigurationError, OpenFaithError
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.service.access import is_local
from openfaith_pipeline.service.addresses import network_of
from openfaith_pipeline.service.problems import TooManyCalls, problem
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import DEFAULT_SOURCE

_SOURCE: Final = DEFAULT_SOURCE

router = APIRouter(prefix=_SOURCE.connect_path, include_in_schema=False)

_COOKIE: Final = "openfaith_connect"
_CALLBACK: Final = f"{_SOURCE.connect_path}/callback"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 1.05rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem; color: #1d2733 }}
button {{ font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: .4rem; background: #1f5fbf; color: white }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""

_Org = Annotated[str | None, Query(max_length=60)]
_Invitation = Annotated[str | None, Query(max_length=100)]
_Brought = Annotated[str, Query(max_length=4000)]


@router.get("")
def invite(request: Request, org: _Org = None, invitation: _Invitation = None) -> Response:
    """The page that says what will happen, with the button that begins it."""
    try:
        _take_turn(request)
        application_of(_settings(request))
        _redirect_uri(request)
        name = _name_of(request, org, invitation)
    except (OpenFaithError, psycopg.Error, PoolTimeout) as error:
        return _failure(error)
    asked = urlencode({key: value for key, value in (("org", org), ("invitation", invitation)) if value})
    start_path = f"{_SOURCE.connect_path}/start"
    action = f"{start_path}?{asked}" if asked else start_path
    return _page(
        f"Connect {_SOURCE.title}",
        f"<p>This lets OpenFaith read the {_SOURCE.title} data of {escape(name)}, and keeps it up to date from then on."
        f" {_SOURCE.title} asks you to sign in and to approve; you can take that back there at any time.</p>"
        "<p>Approve as a user who may see all that is to be synced: what you may not see is not synced.</p>"
        f'<form method="post" action="{escape(action)}"><button>Go to {_SOURCE.title}</button></form>',
    )


@router.post("/start")
def start(request: Request, org: _Org = None, invitation: _Invitation = None) -> Response:
    """Send the browser to Planning Center, with a cookie by which it is known when it comes back."""
    try:
        _take_turn(request)
        redirect_uri = _redirect_uri(request)
        if org and not invitation:
            asyncio.run(learn_number(request.app.state.database, org))
        with request.app.state.pool.connection() as connection:
            journey = begin_journey(
                connection,
                _settings(request),
                redirect_uri=redirect_uri,
                org_id=org or None,
                invitation=invitation,
            )
    except (OpenFaithError, psycopg.Error, PoolTimeout) as error:
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
    """Where Planning Center sends the browser back to, with a code, or with what has become of it instead."""
    database, browser = request.app.state.database, request.cookies.get(_COOKIE, "")
    try:
        _take_turn(request)
        if not code:
            take_journey(database, state=state, browser=browser)
            return _finished(_page("Not connected", _refusal(error), status=400))
        ended = end_journey(database, state=state, browser=browser, code=code)
    except (OpenFaithError, psycopg.Error, PoolTimeout) as failure:
        return _failure(failure)
    return _question(ended) if isinstance(ended, Narrower) else _success(ended)


@router.post("/confirm")
def confirm(request: Request, confirmation: _Brought = "") -> Response:
    """Replace a grant that works by one that reads less, as the person has confirmed."""
    browser = request.cookies.get(_COOKIE, "")
    try:
        _take_turn(request)
        connected = confirm_journey(request.app.state.database, confirmation=confirmation, browser=browser)
    except (OpenFaithError, psycopg.Error, PoolTimeout) as failure:
        return _failure(failure)
    return _success(connected)


def _question(narrower: Narrower) -> HTMLResponse:
    lost = ", ".join(_called(product) for product in narrower.lost)
    action = f"{_SOURCE.connect_path}/confirm?{urlencode({'confirmation': narrower.confirmation})}"
    return _page(
        "Less than before",
        f"<p>{escape(narrower.name)} is connected, and works. With your approval it could no longer read:"
        f" <strong>{escape(lost)}</strong>. Nothing has been changed.</p>"
        f'<p>To keep everything, <a href="{_SOURCE.connect_path}">begin again</a> as a user who may see it.</p>'
        f'<form method="post" action="{escape(action)}"><button>Connect with less all the same</button></form>',
    )


def _called(product: Product) -> str:
    return product.value.replace("_", " ").title()


def _success(connected: Connected) -> HTMLResponse:
    how = "is connected" if connected.is_new else "is connected again"
    return _finished(
        _page(
            "Connected",
            f"<p><strong>{escape(connected.name)}</strong> {how}, as <code>{escape(connected.org_id)}</code>."
            " Its data is read from now on; you can close this page.</p>",
        )
    )


def _refusal(error: str) -> str:
    again = f'<a href="{_SOURCE.connect_path}">Begin again</a>'
    if error == "access_denied":
        return f"<p>You have not approved. Nothing was changed. {again}</p>"
    return f"<p>{_SOURCE.title} did not send what is needed to connect. {again}</p>"


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.database.settings
    return settings


def _name_of(request: Request, org_id: str | None, invitation: str | None) -> str:
    if not org_id and not invitation:
        return "your church"
    with request.app.state.pool.connection() as connection:
        return get_org(connection, invited_org(connection, invitation) if invitation else org_id or "").name


def _redirect_uri(request: Request) -> str:
    """Where Planning Center is to send the browser: as registered there, never what a Host header says."""
    public_url = _settings(request).public_url
    if public_url:
        return f"{public_url.rstrip('/')}{_CALLBACK}"
    if is_local(request):
        return f"{str(request.base_url).rstrip('/')}{_CALLBACK}"
    raise ConfigurationError(f"OPENFAITH_PUBLIC_URL is not set: {_SOURCE.title} would not find the way back here")


def _take_turn(request: Request) -> None:
    network = network_of(request.client.host if request.client else "")
    wait = request.app.state.limiter.wait_of(f"connecting {network}")
    if wait:
        raise TooManyCalls(f"too many calls in a minute; wait {wait} s", wait)


def _failure(error: Exception) -> HTMLResponse:
    told = problem(error)
    status = 502 if told.status == 500 and isinstance(error, OpenFaithError) else told.status
    return _page("Not connected", f"<p>{escape(told.message)}.</p>", status=status)


def _page(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status, _HEADERS)


def _finished(response: HTMLResponse) -> HTMLResponse:
    response.delete_cookie(_COOKIE, path=_SOURCE.connect_path)
    return response
