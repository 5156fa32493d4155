"""What Planning Center posts to a webhook: an envelope around one event, whose payload is a document as a string."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from openfaith_pipeline.catalog.events import event_named
from openfaith_pipeline.inbox.webhook_deliveries import Incoming
from openfaith_pipeline.walk import id_of

_LONGEST_NAME = 200


def is_signed(body: bytes, signature: str, secret: bytes) -> bool:
    """Whether the signature (`X-PCO-Webhooks-Authenticity`) is the body's under the secret, in constant time."""
    return hmac.compare_digest(
        hmac.new(secret, body, hashlib.sha256).hexdigest().encode(), signature.strip().lower().encode()
    )


def organization_in(body: bytes) -> str | None:
    """Planning Center's id of the church an unverified body names: good for finding secrets to try, nothing else."""
    for element in _elements(body):
        match element:
            case {"relationships": {"organization": {"data": {"id": str(organization_id)}}}}:
                return organization_id
    return None


def read_envelope(body: bytes, org_id: str, event: str, sent_at: str = "") -> list[Incoming]:
    """The events in a body whose signature was right; one that cannot be read is kept whole, for people to look at.

    event: the subscription's, where the envelope names none. sent_at: `X-PCO-Webhooks-Event-Time`.
    """
    whole = Incoming(org_id, hashlib.sha256(body).hexdigest(), event, None, None, None, body)
    found = [_event_in(element, whole, sent_at) for element in _elements(body)]
    return found or [whole]


def _event_in(element: Any, whole: Incoming, sent_at: str) -> Incoming:
    match element:
        case {"id": str(event_id), "attributes": {"name": str(name), "payload": str(payload)}} if _is_name(
            event_id
        ) and _is_name(name):
            event, document = event_named(name), _document(payload)
            return Incoming(
                whole.org_id,
                event_id,
                name,
                event.stream.name if event else None,
                id_of(document.get("data")),
                _moment((document.get("meta") or {}).get("event_time")) or _moment(sent_at),
                payload.encode(),
            )
    return whole


def _elements(body: bytes) -> Iterator[Any]:
    match _parsed(body):
        case {"data": [*elements]}:
            yield from elements


def _document(payload: str) -> dict[str, Any]:
    document = _parsed(payload)
    if not isinstance(document, dict) or not isinstance(document.get("meta") or {}, dict):
        return {}
    return document


def _parsed(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
