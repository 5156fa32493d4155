"""Handling of one request: authentication, permissions, faults, and the response."""

import base64
import binascii
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.planning_center.abilities import ABILITIES, Abilities
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator import answers, documents
from openfaith_pipeline.simulator.answers import Answer
from openfaith_pipeline.simulator.church import Church, open_church
from openfaith_pipeline.simulator.clocks import Clock
from openfaith_pipeline.simulator.faults import Asked, FaultBox
from openfaith_pipeline.simulator.limits import RateLimiter
from openfaith_pipeline.simulator.mutations import Editor
from openfaith_pipeline.simulator.newcomers import let_join
from openfaith_pipeline.simulator.oauth import Authorizations, read_form
from openfaith_pipeline.simulator.options import SimulatorOptions
from openfaith_pipeline.simulator.personas import email_of, persona
from openfaith_pipeline.simulator.queries import read_page
from openfaith_pipeline.simulator.routes import PEOPLE, USER_ID, Match, Routes
from openfaith_pipeline.simulator.shapes import shapes_of
from openfaith_pipeline.simulator.tables import Table
from openfaith_pipeline.simulator.values import EPOCH
from openfaith_pipeline.simulator.visits import stream_of, visit
from openfaith_pipeline.simulator.webhooks import SUBSCRIPTIONS, SubscriptionDesk, Switchboard
from openfaith_pipeline.sources import STREAMS

_LOG_LENGTH = 200_000
_FIRST_VERSION = "2018-08-01"
_LATER_PATH = "/webhooks/v2/webhook_subscriptions"


@dataclass
class HttpRequest:
    """A request as it arrived. target: path and query as sent. headers: names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class Logged(NamedTuple):
    """at: seconds since 1970."""

    at: float
    method: str
    target: str
    status: int
    org_id: str | None
    stream: str | None
    rows: int


@dataclass(frozen=True)
class _Caller:
    """scopes: None for a personal access token, which has them all."""

    church: Church
    user: str
    scopes: frozenset[str] | None = None


class PlanningCenter:
    """All churches of one simulator behind one address."""

    def __init__(
        self,
        options: SimulatorOptions,
        base_url: str,
        streams: Mapping[str, Stream] = STREAMS,
        abilities: Mapping[str, Abilities] = ABILITIES,
    ) -> None:
        self.options = options
        self.base_url = options.public_url or base_url
        shapes = shapes_of(streams, abilities)
        self.churches = {spec.org_id: open_church(spec, self.base_url, shapes) for spec in options.churches}
        self.clock = Clock(max((church.census.end for church in self.churches.values()), default=EPOCH))
        for church in self.churches.values():
            church.clock = self.clock
        self.limiter = RateLimiter(options.rate_limit, self.clock)
        self.latency = options.latency
        self.faults = FaultBox(options.faults)
        self.authorizations = Authorizations(options, self.clock)
        self.switchboard = Switchboard(options.webhooks, self.clock)
        self.editors = {
            org_id: Editor(church, self.clock, self._heard_by(church)) for org_id, church in self.churches.items()
        }
        self.subscriptions = SubscriptionDesk(self.editors, self.clock)
        self.log: deque[Logged] = deque(maxlen=_LOG_LENGTH)
        self._routes = Routes(shapes)
        self._by_token = {
            tuple(church.spec.credentials): _Caller(church, church.spec.credentials.app_id)
            for church in self.churches.values()
        }
        for org_id, church in self.churches.items():
            if church.spec.newcomers:
                let_join(self.editors[org_id], church, church.spec.newcomers)
        if options.is_warm:
            self.warm()

    def _heard_by(self, church: Church) -> Callable[[str, Table, int], None]:
        return lambda what, table, id: self.switchboard.hear(church, what, table, id)

    def warm(self) -> None:
        for church in self.churches.values():
            church.warm()

    def answer(self, request: HttpRequest) -> Answer:
        """Answer a request to the API or to OAuth, and log it."""
        path, _, query = request.target.partition("?")
        params = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        exchange = _Exchange(self, request, path, params)
        answer = exchange.answer()
        answer.delay_seconds += (self.latency.base_ms + self.latency.per_row_ms * answer.rows) / 1000
        org_id = exchange.caller.church.spec.org_id if exchange.caller else None
        self.log.append(
            Logged(time.time(), request.method, request.target, answer.status, org_id, exchange.stream, answer.rows)
        )
        return answer

    def caller(self, authorization: str) -> _Caller | Answer:
        """The owner of the credentials, or the refusal."""
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "bearer":
            grant = self.authorizations.check(value)
            if isinstance(grant, str):
                return answers.unauthorized(grant)
            return _Caller(self.churches[grant.org_id], f"oauth:{grant.org_id}", grant.scopes)
        return self._by_token.get(_read_basic(value)) or answers.unauthorized("CHINCHILLA")

    def route(self, path: str) -> Match | None:
        return self._routes.find(path)


class _Exchange:
    """The handling of one request."""

    def __init__(self, center: PlanningCenter, request: HttpRequest, path: str, params: dict[str, str]) -> None:
        self._center = center
        self._request = request
        self._path = path
        self._params = params
        self.caller: _Caller | None = None
        self.stream: str | None = None

    def answer(self) -> Answer:
        if not self._request.headers.get("user-agent"):
            return answers.firewall()
        if self._path.startswith("/oauth/"):
            return self._oauth()
        caller = self._center.caller(self._request.headers.get("authorization", ""))
        if isinstance(caller, Answer):
            return caller
        self.caller = caller
        product = _product_of(self._path)
        if product and caller.scopes is not None and product.value not in caller.scopes:
            return answers.bad_scope(product.value)
        return self._within_budget(caller, product)

    def _within_budget(self, caller: _Caller, product: Product | None) -> Answer:
        verdict = self._center.limiter.admit(caller.user, read_page(self._params).offset)
        answer = verdict.refusal or self._fare(caller.church, product)
        if answer.content_type != answers.HTML:  # which comes from a proxy in front of Planning Center
            answer.headers.update(verdict.headers)
        return answer

    def _fare(self, church: Church, product: Product | None) -> Answer:
        """The response, or the fault drawn instead."""
        found = self._center.route(self._path)
        self.stream = stream_of(church, found.route) if found else None

        def make() -> Answer:
            return self._granted(church, product, found)

        asked = Asked(church.spec.org_id, self.stream, self._path, self._params, make)
        script = self._center.faults.scripted(asked)
        if script and script.mutation:
            change(self._center.editors[church.spec.org_id], **script.mutation)
        kind = script.answer if script else self._center.faults.drawn()
        return make() if kind == "pass" else self._center.faults.spoil(kind, make, self._center.limiter.limit)

    def _granted(self, church: Church, product: Product | None, found: Match | None) -> Answer:
        refusal = self._unversioned(product) or self._refusal(church, product)
        if refusal:
            return refusal
        if product and self._path.rstrip("/") == product.path_prefix and not found:
            return answers.document(documents.organization(church, self._url))
        if not found or (found.route.is_unconfirmed and found.route.shape.stream.name in church.traps.absent_paths):
            return answers.not_found()
        if self.stream in church.traps.forbidden_streams:
            vertex = f"{found.route.shape.stream.type}Vertex"
            return answers.forbidden("1", f"read AppGraph::Vertices::{vertex} collection")
        answer = visit(church, found, self._url, self._params)
        if product:
            answer.headers["X-PCO-API-Processed-As-Version"] = product.api_version
        return answer

    def _unversioned(self, product: Product | None) -> Answer | None:
        """The response to a request of a version that lacks its path, or is no version.

        Without a header the settings of the application decide, which do not cover webhooks. Only the later version of
        these has `webhook_subscriptions`. Older shapes of other types are not simulated.
        """
        version = self._request.headers.get("x-pco-api-version", "")
        if version and version < _FIRST_VERSION:
            return answers.unsupported_version()
        is_later = product is not Product.WEBHOOKS or version >= product.api_version
        return None if is_later or not self._path.startswith(_LATER_PATH) else answers.not_found()

    def _refusal(self, church: Church, product: Product | None) -> Answer | None:
        if self._request.method == "PUT":
            return answers.something_went_wrong()
        if product and product.value not in church.granted:
            return answers.unauthorized("TRASH_PANDA")
        if self._request.method not in ("GET", "HEAD"):
            return self._written(church) or answers.forbidden("1", "write this resource.")
        return None

    def _written(self, church: Church) -> Answer | None:
        """The response to a permitted write; None for other requests."""
        if SUBSCRIPTIONS in church.traps.forbidden_streams:
            return None
        return self._center.subscriptions.answer(church, self._request.method, self._path, self._request.body)

    @property
    def _url(self) -> str:
        return self._center.base_url + self._path

    def _oauth(self) -> Answer:
        headers = self._request.headers
        authorization = headers.get("authorization", "")
        if self._path == "/oauth/authorize":
            return self._center.authorizations.authorize(self._params)
        if self._path == "/oauth/userinfo":
            return self._userinfo(authorization)
        form = read_form(self._request.body, headers.get("content-type", ""), authorization)
        if self._request.method == "POST" and self._path == "/oauth/token":
            return self._center.authorizations.exchange(form)
        if self._request.method == "POST" and self._path == "/oauth/revoke":
            return self._center.authorizations.revoke(form)
        return answers.not_found()

    def _userinfo(self, authorization: str) -> Answer:
        caller = self._center.caller(authorization)
        if isinstance(caller, Answer):
            return caller
        spec, shapes = caller.church.spec, caller.church.shapes
        kind = next(shape.stream.type for shape in shapes.values() if shape.stream.path == PEOPLE)
        who = persona(spec.seed, kind, 0)
        return answers.json(
            {
                "sub": str(USER_ID),
                "name": who.full_name,
                "email": email_of(who, 0),
                "organization_id": str(spec.organization_id),
                "organization_name": spec.name,
            }
        )


def change(editor: Editor, action: str, **arguments: object) -> object:
    """Make a change by its name; raise ValueError for an unknown one."""
    if action not in ("edit", "drop", "add", "delete", "announce", "merge", "inject"):
        raise ValueError(f"there is no change {action!r}")
    return getattr(editor, action)(**arguments)


def _product_of(path: str) -> Product | None:
    return next((product for product in Product if f"{path}/".startswith(f"{product.path_prefix}/")), None)


def _read_basic(value: str) -> tuple[str, str]:
    try:
        app_id, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return app_id, secret
