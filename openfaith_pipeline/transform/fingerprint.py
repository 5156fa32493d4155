"""Fingerprint of everything besides rows that determines canonical rows: if it changed, all rows must be compared."""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import phonenumbers

from openfaith_pipeline import canonical
from openfaith_pipeline.canonical.registry import declaration_of
from openfaith_pipeline.catalog import mergers
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.sources import CANONICAL


@cache
def transform_fingerprint(schema: str) -> str:
    """Hash of the transform's code, its declarations, those of their streams, and the version of `phonenumbers`."""
    rooms = (Path(__file__).parent, Path(str(canonical.__file__)).parent)
    sources = [*(path for room in rooms for path in sorted(room.glob("*.py"))), Path(str(mergers.__file__))]
    declared = [schema, phonenumbers.__version__, *map(declaration_of, CANONICAL.declarations), *map(_said, _streams())]
    code = b"".join(path.read_bytes() for path in sources)
    return hashlib.sha256(repr(declared).encode() + code).hexdigest()[:32]


def _streams() -> Iterator[Stream]:
    for declared in CANONICAL.declarations:
        yield from CANONICAL.sources_of(declared.stream)


def _said(stream: Stream) -> object:
    return (
        stream.name,
        stream.type,
        list(stream.columns.items()),
        list(stream.belongs_to.items()),
        list(stream.links.items()),
        stream.merging,
    )
