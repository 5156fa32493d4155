"""The parents that a delivered document names beside the record's relationships."""

from collections.abc import Mapping
from typing import Any

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import id_of
from openfaith_pipeline.sources import STREAMS, reader_of


def told_parents(stream: Stream, document: Mapping[str, Any]) -> dict[str, str]:
    """The ids of the record's parents by relationship, from `meta.parent` and from the record's own link."""
    return {**_in_meta(stream, document), **linked_parents(stream, document.get("data"))}


def linked_parents(stream: Stream, resource: Any) -> dict[str, str]:
    """The ids of the parents in the path of a resource's own link."""
    if not id_of(resource):
        return {}
    reader = reader_of(stream)
    return reader.parents_on(stream, reader.own_path(stream, resource))


def _in_meta(stream: Stream, document: Mapping[str, Any]) -> dict[str, str]:
    """Often only the organization is named."""
    meta = document.get("meta")
    parent = meta.get("parent") if isinstance(meta, dict) else None
    identifier = id_of(parent)
    if not identifier or not isinstance(parent, dict):
        return {}
    inner = (way[-1] for way in stream.parent_ways)
    targets = {name: STREAMS.get(stream.belongs_to[name] or "") for name in inner}
    return {name: identifier for name, target in targets.items() if target and target.type == parent.get("type")}
