"""Documents of webhook deliveries without erased records."""

from typing import Any

from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.load.erased import Erased, streams_of_type
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.text import exact_json


def without_erased(erased: Erased, stream: str | None, record_id: str | None, payload: bytes) -> bytes | None:
    """The payload of a delivery cleared of references to erased records; None where its record is erased.

    The same bytes where nothing of it is. Included records are dropped if they are erased.
    """
    if stream is None or stream not in STREAMS:
        return payload
    if erased.has(stream, record_id):
        return None
    document = _read(payload)
    if document is None:
        return payload
    kept = _kept(erased, stream, document.get("data"))
    if document.get("data") is not None and kept is None:
        return None
    included = document.get("included")
    shown = _shown(erased, stream, included) if isinstance(included, list) else included
    if kept == document.get("data") and shown == included:
        return payload
    parts = {"data": kept, "included": shown} if "included" in document else {"data": kept}
    return exact_json.write({**document, **parts}).encode()


def _read(payload: bytes) -> dict[str, Any] | None:
    try:
        document = exact_json.read(payload)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _kept(erased: Erased, stream: str, resource: Any) -> Any:
    admitted = erased.admit(STREAMS[stream], [Record(resource, {})])
    return admitted.records[0].resource if admitted.records else None


def _shown(erased: Erased, stream: str, included: list[Any]) -> list[Any]:
    found = []
    for resource in included:
        kind = resource.get("type") if isinstance(resource, dict) else None
        kept: Any = resource
        for name in streams_of_type(STREAMS[stream], kind):
            kept = _kept(erased, name, kept) if kept is not None else None
        if kept is not None:
            found.append(kept)
    return found
