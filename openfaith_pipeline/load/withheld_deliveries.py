"""Documents of webhook deliveries without erased records."""

from collections.abc import Mapping
from typing import Any, Final

from openfaith_pipeline.catalog.walk import Record
from openfaith_pipeline.errors import describe_unforeseen
from openfaith_pipeline.load.erased import Erased, streams_of_type
from openfaith_pipeline.load.told_parents import linked_parents, told_parents
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.text import exact_json

NOTHING: Final = b"{}"
"""In place of a document that cannot be searched for erased records."""


def without_erased(erased: Erased, stream: str | None, record_id: str | None, payload: bytes) -> bytes | None:
    """The payload of a delivery cleared of references to erased records; None if its record is erased.

    The bytes are unchanged if there are none. Included records are dropped if they are erased. An unreadable document
    may contain data of anybody and is of no use, so nothing of it is kept.
    """
    if erased.has(stream or "", record_id):
        return None
    document = _read(payload) if stream in STREAMS else None
    if stream is None or document is None:
        return NOTHING
    try:
        return _cleared(erased, stream, document, payload)
    except Exception as error:  # noqa: BLE001 - any church can sign unforeseen documents; they affect no other
        describe_unforeseen(error)
        return NOTHING


def _cleared(erased: Erased, stream: str, document: Mapping[str, Any], payload: bytes) -> bytes | None:
    kept = _kept(erased, stream, document["data"], told_parents(STREAMS[stream], document))
    if kept is None:
        return None
    parts = {"data": kept}
    if isinstance(document.get("included"), list):
        parts["included"] = _shown(erased, stream, document["included"])
    if erased.is_erased(_parent(document), STREAMS[stream]):
        parts["meta"] = {name: value for name, value in document["meta"].items() if name != "parent"}
    if all(document[name] == part for name, part in parts.items()):
        return payload
    return exact_json.write({**document, **parts}).encode()


def _read(payload: bytes) -> dict[str, Any] | None:
    """The document, None if it has no record."""
    try:
        document = exact_json.read(payload)
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("data"), dict) else None


def _parent(document: Mapping[str, Any]) -> Any:
    meta = document.get("meta")
    return meta.get("parent") if isinstance(meta, dict) else None


def _kept(erased: Erased, stream: str, resource: Any, parents: Mapping[str, str]) -> Any:
    admitted = erased.admit(STREAMS[stream], [Record(resource, parents)])
    return admitted.records[0].resource if admitted.records else None


def _shown(erased: Erased, stream: str, included: list[Any]) -> list[Any]:
    """The records of known types that are not erased."""
    found = []
    for resource in included:
        names = streams_of_type(STREAMS[stream], resource.get("type") if isinstance(resource, dict) else None)
        kept: Any = resource if names else None
        for name in names:
            kept = _kept(erased, name, kept, linked_parents(STREAMS[name], kept)) if kept is not None else None
        if kept is not None:
            found.append(kept)
    return found
