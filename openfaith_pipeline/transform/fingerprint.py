"""What the canonical rows follow from besides rows: where it changed, every row has to be compared."""

import hashlib
from functools import cache
from pathlib import Path

import phonenumbers

from openfaith_pipeline.catalog import mergers
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.transform.registry import ENTITIES, MERGES


@cache
def transform_fingerprint(schema: str) -> str:
    """Of the transform's code, its declarations, the streams' and the knowledge of phone numbers."""
    sources = [*sorted(Path(__file__).parent.glob("*.py")), Path(str(mergers.__file__))]
    streams = [stream for entity in ENTITIES.values() for stream in entity.streams]
    streams += [merges.stream for merges in MERGES.values()]
    declared = [schema, phonenumbers.__version__, *map(_declaration, streams)]
    code = b"".join(path.read_bytes() for path in sources)
    return hashlib.sha256(repr(declared).encode() + code).hexdigest()[:32]


def _declaration(stream: Stream) -> object:
    return stream.name, stream.type, list(stream.columns.items()), list(stream.belongs_to.items()), stream.merging
