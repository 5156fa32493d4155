"""Webhook subscriptions, and the deliveries that follow from changes."""

import hashlib
import hmac
import random
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator import answers, documents
from openfaith_pipeline.simulator.answers import Answer
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.clocks import Clock
from openfaith_pipeline.simulator.events import EVENT_NAMES
from openfaith_pipeline.simulator.mutations import Editor
from openfaith_pipeline.simulator.options import Webhooks
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.tables import Table

SUBSCRIPTIONS = f"{Product.WEBHOOKS.value}.webhook_subscriptions"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_PATH = re.compile(r"/webhooks/v2/webhook_subscriptions(?:/(?P<id>\d+))?(?P<rotates>/rotate_secret)?/?")
_LOG_LENGTH = 100_000


@dataclass(frozen=True)
class Delivery:
    """One event for one subscription.

    event_id: the event's uuid, the same at every attempt. number: Planning Center's sequence number of events.
    payload: the JSON:API document of the record. at: time of the event in the API's format.
    secret: signs the event; the subscription's own unless forged.
    """

    org_id: str
    organization_id: str
    subscription: int
    url: str
    secret: str
    name: str
    event_id: str
    number: int
    at: str
    payload: str
    attempt: int = 1
    kind: str = "genuine"

    @property
    def body(self) -> bytes:
        attributes = {"name": self.name, "attempt": self.attempt, "payload": self.payload}
        organization = {"data": {"type": "Organization", "id": self.organization_id}}
        event = {
            "id": self.event_id,
            "type": "EventDelivery",
            "attributes": attributes,
            "relationships": {"organization": organization},
        }
        return orjson.dumps({"data": [event]})

    def headers(self, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "X-PCO-Webhooks-Event-ID": str(self.number),
            "X-PCO-Webhooks-Event": self.event_id,
            "X-PCO-Webhooks-Name": self.name,
            "X-PCO-Webhooks-Event-Time": self.at,
            "X-PCO-Webhooks-Authenticity": hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest(),
        }

    @property
    def is_local(self) -> bool:
        """Whether it may be sent: the simulator contacts only this machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname in LOOPBACK


class Sent(NamedTuple):
    """A logged attempt. status: of the receiver's response, 0 without one. seconds: duration."""

    at: float
    org_id: str
    subscription: int
    name: str
    event_id: str
    attempt: int
    kind: str
    status: int
    seconds: float


class Switchboard:
    """Turns changes into deliveries. Nothing is delivered until `post` is set.

    post: called with a delivery and its delay in seconds.
    """

    def __init__(self, options: Webhooks, clock: Clock) -> None:
        self.options = options
        self.post: Callable[[Delivery, float], None] | None = None
        self.log: deque[Sent] = deque(maxlen=_LOG_LENGTH)
        self._clock = clock
        self._failures: dict[tuple[str, int], int] = {}
        self._number = 0

    @property
    def options(self) -> Webhooks:
        return self._options

    @options.setter
    def options(self, options: Webhooks) -> None:
        self._options = options
        self._dice = random.Random(options.seed)  # noqa: S311 - not a secret

    def hear(self, church: Church, what: str, table: Table, id: int) -> None:
        """Queue deliveries of a change to the record's subscribers."""
        action, _, along = what.partition(" ")
        stream = table.shape.stream
        if self.post is None or table.is_raw(id) or (along and self.options.is_cascade_silent):
            return
        noun = stream.event_noun or stream.vertex
        names = [name for name in EVENT_NAMES if name.endswith(f".v2.events.{noun}.{action}")]
        for name in names:
            if name.partition(".")[0] != stream.product.value:
                continue
            payload = self._payload(church, action, table, id)
            for subscription in self._subscriptions(church, name):
                self._send(self._delivery(church, subscription, name, payload))

    def settle(self, church: Church, delivery: Delivery, status: int, seconds: float) -> None:
        """Record the outcome of an attempt; a failed one is retried, or ends the subscription."""
        key = delivery.org_id, delivery.subscription
        sent = (delivery.subscription, delivery.name, delivery.event_id, delivery.attempt, delivery.kind)
        self.log.append(Sent(time.time(), delivery.org_id, *sent, status, seconds))
        if delivery.kind != "genuine":
            return
        if 200 <= status < 300:
            self._failures.pop(key, None)
            return
        self._failures[key] = self._failures.get(key, 0) + 1
        limit = self.options.disabled_after
        if status == 410 or (limit is not None and self._failures[key] >= limit):
            self._disable(church, delivery.subscription)
        elif delivery.attempt <= len(self.options.retry_seconds) and self.post:
            wait = self.options.retry_seconds[delivery.attempt - 1]
            self.post(replace(delivery, attempt=delivery.attempt + 1), wait)

    def _subscriptions(self, church: Church, name: str) -> Iterator[Record]:
        for record in church.table(SUBSCRIPTIONS).records():
            if record.attributes.get("active") and record.attributes.get("name") == name:
                yield record

    def _payload(self, church: Church, action: str, table: Table, id: int) -> str:
        resource = orjson.loads(church.listed(table, [id])[0])
        document: dict[str, Any] = {"data": resource, "meta": {"parent": church.organization}}
        if action == "destroyed":
            resource.pop("attributes", None)
        else:
            for name in (*table.shape.stream.withheld, *table.shape.stream.only_asked):
                resource["attributes"].pop(name, None)
            document["included"] = []
            document["meta"] |= {"event_time": self._clock.stamp(), "idempotency_token": uuid.uuid4().hex}
        return orjson.dumps(document).decode()

    def _delivery(self, church: Church, subscription: Record, name: str, payload: str) -> Delivery:
        self._number += 1
        return Delivery(
            org_id=church.spec.org_id,
            organization_id=str(church.spec.organization_id),
            subscription=subscription.id,
            url=str(subscription.attributes.get("url")),
            secret=str(subscription.attributes["authenticity_secret"]),
            name=name,
            event_id=str(uuid.uuid4()),
            number=self._number,
            at=self._clock.stamp(),
            payload=payload,
        )

    def _send(self, delivery: Delivery) -> None:
        if self.post is None or self._draws(self.options.lost):
            return
        self.post(delivery, self._delay())
        if self._draws(self.options.duplicates):
            self.post(replace(delivery, kind="duplicate"), self._delay())
        if self._draws(self.options.forged):
            forged = replace(delivery, secret=uuid.uuid4().hex, event_id=str(uuid.uuid4()), kind="forged")
            self.post(forged, self._delay())

    def _draws(self, share: float) -> bool:
        return self._dice.random() < share

    def _delay(self) -> float:
        return self.options.delay_seconds + self._dice.random() * self.options.jitter_seconds

    def _disable(self, church: Church, id: int) -> None:
        table = church.table(SUBSCRIPTIONS)
        if id in table:
            record = table.record(id)
            record.attributes["active"] = False
            table.put(record)


class SubscriptionDesk:
    """Writes to `webhook_subscriptions`, the only writes that this Planning Center accepts."""

    def __init__(self, editors: Mapping[str, Editor], clock: Clock) -> None:
        self._editors = editors
        self._clock = clock

    def answer(self, church: Church, method: str, path: str, body: bytes) -> Answer | None:
        """The response, or None if the request is not such a write."""
        parts = _PATH.fullmatch(path)
        if parts is None:
            return None
        if parts["id"] is None:
            return self._create(church, _attributes(body)) if method == "POST" else None
        id, table = int(parts["id"]), church.table(SUBSCRIPTIONS)
        if id not in table:
            return answers.not_found()
        if parts["rotates"]:
            return self._change(church, id, {"authenticity_secret": uuid.uuid4().hex}) if method == "POST" else None
        if method == "DELETE":
            self._editors[church.spec.org_id].delete(SUBSCRIPTIONS, [id])
            return Answer(204, b"")
        return self._switch(church, id, _attributes(body)) if method == "PATCH" else None

    def _create(self, church: Church, asked: Mapping[str, Any] | None) -> Answer:
        if asked is None:
            return answers.no_data()
        name, url = asked.get("name"), asked.get("url")
        if name not in EVENT_NAMES:
            return answers.unprocessable("name", "is not included in the list")
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            return answers.unprocessable("url", "is invalid")
        for record in church.table(SUBSCRIPTIONS).records():
            if (record.attributes.get("name"), record.attributes.get("url")) == (name, url):
                return answers.conflict("this URL is subscribed to this event already")
        attributes = {
            "name": name,
            "url": url,
            "active": asked.get("active", True) is True,
            "authenticity_secret": uuid.uuid4().hex + uuid.uuid4().hex,
            "application_id": "simulated",
            "created_at": self._clock.stamp(),
            "updated_at": self._clock.stamp(),
        }
        [id] = self._editors[church.spec.org_id].add(SUBSCRIPTIONS, attributes=attributes)
        return replace(self._shown(church, id), status=201)

    def _switch(self, church: Church, id: int, asked: Mapping[str, Any] | None) -> Answer:
        if asked is None:
            return answers.no_data()
        if asked.keys() != {"active"} or not isinstance(asked["active"], bool):
            return answers.unprocessable("active", "is all that can be assigned")
        return self._change(church, id, dict(asked))

    def _change(self, church: Church, id: int, attributes: Mapping[str, Any]) -> Answer:
        self._editors[church.spec.org_id].edit(SUBSCRIPTIONS, [id], attributes=attributes)
        return self._shown(church, id)

    def _shown(self, church: Church, id: int) -> Answer:
        return answers.document(documents.single(church, church.table(SUBSCRIPTIONS), id, {}, church.organization))


def _attributes(body: bytes) -> Mapping[str, Any] | None:
    """Attributes of the resource object in the body, None without one."""
    try:
        attributes = orjson.loads(body)["data"]["attributes"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return attributes if isinstance(attributes, dict) else None
