"""The body of a webhook request: an envelope around one event, whose payload is a document as a string."""

import hashlib
import hmac
import re
from dataclasses import replace
from typing import Any, Final

from openfaith_pipeline.catalog.events import MOST_ID_CHARACTERS, Incoming, moment_of
from openfaith_pipeline.catalog.walk import id_of
from openfaith_pipeline.planning_center.event_names import event_named
from openfaith_pipeline.text import exact_json

__all__ = ["MOST_EVENTS", "account_in", "event_named", "is_signature", "is_signed", "read_envelope"]

MOST_EVENTS: Final = 200
"""Maximum number of events in one body. Planning Center sends one; a body with more is stored whole for inspection."""

_LONGEST_NAME: Final = 200
_SIGNATURE: Final = re.compile(r"[0-9a-fA-F]{64}")
"""HMAC-SHA256 in hexadecimal."""


def is_signature(text: str) -> bool:
    return _SIGNATURE.fullmatch(text) is not None


def is_signed(body: bytes, signature: str, secret: bytes) -> bool:
    """Whether `X-PCO-Webhooks-Authenticity` is the body's signature under the secret; compared in constant time."""
    return hmac.compare_digest(
        hmac.new(secret, body, hashlib.sha256).hexdigest().encode(), signature.strip().lower().encode()
    )


def account_in(body: bytes) -> str | None:
    """Planning Center's id of the church in an unverified body. Use it only to find the secrets to try."""
    for element in _elements(body)[:MOST_EVENTS]:
        match element:
            case {"relationships": {"organization": {"data": {"id": str(organization_id)}}}} if _is_name(
                organization_id
            ):
                return organization_id
    return None


def read_envelope(body: bytes, org_id: str, event: str, sent_at: str = "") -> list[Incoming]:
    """The events in a body. All get the name whose secret signed it, whatever names the elements have.

    If the body cannot be parsed, it is stored whole, once, for inspection.

    sent_at: `X-PCO-Webhooks-Event-Time`, which is not signed.
    """
    whole = Incoming(org_id, hashlib.sha256(body).hexdigest(), event, None, None, None, body)
    elements = _elements(body)
    if not 0 < len(elements) <= MOST_EVENTS:
        return [whole]
    read = [_event_in(element, whole, sent_at) for element in elements]
    found = [each for each in read if each]
    named = event_named(event)
    if len(elements) > 1 and named and named.is_end:
        found = [replace(each, is_doubtful=True) for each in found]
    return found if len(found) == len(read) else [*found, whole]


def _event_in(element: Any, whole: Incoming, sent_at: str) -> Incoming | None:
    match element:
        case {"id": str(event_id), "attributes": {"payload": str(payload)}} if _is_name(event_id):
            named, document = event_named(whole.event), _document(payload)
            return Incoming(
                whole.org_id,
                event_id,
                whole.event,
                named.stream.name if named else None,
                _record_id(document),
                moment_of((document.get("meta") or {}).get("event_time")) or moment_of(sent_at),
                payload.encode(errors="surrogatepass"),
            )
    return None


def _record_id(document: dict[str, Any]) -> str | None:
    identifier = id_of(document.get("data"))
    return identifier if identifier and len(identifier) <= MOST_ID_CHARACTERS else None


def _elements(body: bytes) -> list[Any]:
    match _parsed(body):
        case {"data": list() as elements}:  # [*elements] would copy a possibly very long list
            return elements
    return []


def _document(payload: str) -> dict[str, Any]:
    document = _parsed(payload)
    if not isinstance(document, dict) or not isinstance(document.get("meta") or {}, dict):
        return {}
    return document


def _parsed(text: bytes | str) -> Any:
    try:
        return exact_json.read(text)
    except ValueError:
        return None


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()
