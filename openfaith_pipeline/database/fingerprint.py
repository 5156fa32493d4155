"""A fingerprint of the declarations that the raw and canonical tables and the views were last aligned with.

It is stored as the comment of schema `staging`. Comparing it takes a millisecond, comparing the tables half a second.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.canonical import words as canonical_words
from openfaith_pipeline.canonical.registry import declaration_of
from openfaith_pipeline.catalog import words
from openfaith_pipeline.sources import CANONICAL, PRODUCTS, STREAMS, VIEWS

_CODE: Final = (
    "raw_tables.py",
    "canonical_tables.py",
    "change_notes.py",
    "view_alignment.py",
    "comments.py",
    "access/rules.py",
    "access/gifts.py",
)
_READ: Final = "SELECT obj_description(to_regnamespace('staging'), 'pg_namespace')"


@cache
def catalog_fingerprint() -> str:
    """Hash of the declarations, and of the code that makes tables and triggers from them."""
    declared: list[object] = [
        (stream.schema, stream.short_name, *stream.columns.items(), *stream.belongs_to, *stream.links.items())
        for stream in STREAMS.values()
    ]
    declared += [(stream.description, *stream.words.items()) for stream in STREAMS.values()]
    declared += [product.dictionary for product in PRODUCTS.values()]
    declared += [repr(declaration_of(each)) for each in CANONICAL.declarations]
    declared += [repr(view) for view in VIEWS.values()]
    files = [
        *(Path(__file__).parent.joinpath(name) for name in _CODE),
        Path(words.__file__),
        Path(canonical_words.__file__),
    ]
    code = b"".join(path.read_bytes() for path in files)
    return hashlib.sha256(repr(declared).encode() + code).hexdigest()[:32]


def read_fingerprint(connection: Connection[Any]) -> str | None:
    """Fingerprint of the last alignment, None if there was none."""
    row = connection.execute(_READ).fetchone()
    return row[0] if row else None


def write_fingerprint(connection: Connection[Any]) -> None:
    """Record that the tables are aligned with this catalog."""
    connection.execute(sql.SQL("COMMENT ON SCHEMA staging IS {}").format(sql.Literal(catalog_fingerprint())))
