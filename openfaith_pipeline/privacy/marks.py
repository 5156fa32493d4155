"""The marks of erased records, which the door compares arrivals with, and the certificates of erasures."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from openfaith_pipeline.load.erased import UNNAMED, mark_of
from openfaith_pipeline.privacy.person_records import PersonRecords
from openfaith_pipeline.sources import PERSONAL

_CERTIFY: Final = """
INSERT INTO sync.erasures (erasure_id, org_id, subject, erased_by, counts) VALUES (%s, %s, %s, %s, %s)
RETURNING erased_at
"""

_SALT: Final = """
INSERT INTO sync.erasure_salts AS present (org_id, salt) VALUES (%s, %s)
ON CONFLICT (org_id) DO UPDATE SET salt = present.salt RETURNING salt
"""

_MARK: Final = """
INSERT INTO sync.erased_records (org_id, stream, record_hash, erasure_id)
SELECT %s, stream, hash, %s FROM unnest(%s::text[], %b::bytea[]) AS marked (stream, hash)
ON CONFLICT DO NOTHING
"""

_LIFT: Final = """
UPDATE sync.erasures SET lifted_at = now(), lifted_by = %(by)s
WHERE lifted_at IS NULL AND org_id = %(org_id)s AND erasure_id IN (
    SELECT erasure_id FROM sync.erased_records
    WHERE org_id = %(org_id)s AND stream = %(stream)s AND record_hash = %(mark)s)
RETURNING erasure_id
"""


class Erasure(NamedTuple):
    """An erasure, as listed."""

    erasure_id: str
    org_id: str
    subject: str
    erased_by: str
    erased_at: datetime
    counts: Mapping[str, int]
    lifted_at: datetime | None
    lifted_by: str | None


def certify(
    cursor: Cursor[Any], erasure_id: str, org_id: str, subject: str, by: str, counts: Mapping[str, int]
) -> datetime:
    """Record an erasure; returns its time."""
    asked = (erasure_id, org_id, subject, by, Jsonb(dict(counts)))
    [(erased_at,)] = cursor.execute(_CERTIFY, asked).fetchall()
    assert isinstance(erased_at, datetime)  # noqa: S101 - as the column's type
    return erased_at


def add_counts(connection: Connection[Any], erasure_id: str, counts: Mapping[str, int]) -> None:
    connection.execute("UPDATE sync.erasures SET counts = %s WHERE erasure_id = %s", (Jsonb(dict(counts)), erasure_id))


def mark_records(cursor: Cursor[Any], erasure_id: str, records: PersonRecords) -> int:
    """Mark the records as erased; returns their number."""
    salt = _salt(cursor, records.org_id)
    marked = {(PERSONAL.identity(name), identifier) for name, ids in records.own.items() for identifier in ids}
    marked |= {(name + UNNAMED, identifier) for name, ids in records.unnamed.items() for identifier in ids}
    streams = [stream for stream, _ in marked]
    marks = [mark_of(salt, stream, identifier) for stream, identifier in marked]
    cursor.execute(_MARK, (records.org_id, erasure_id, streams, marks))
    return len(marked)


def lift(connection: Connection[Any], org_id: str, person_id: str, by: str) -> list[str]:
    """Let records of the person with this id be stored again, at any source; returns the erasures that are lifted."""
    with connection.transaction(), connection.cursor() as cursor:
        salt, lifted = _salt(cursor, org_id), list[str]()
        for data in PERSONAL.by_adapter.values():
            person = data.person.name
            asked = {"org_id": org_id, "by": by, "stream": person, "mark": mark_of(salt, person, person_id)}
            lifted += [row[0] for row in cursor.execute(_LIFT, asked).fetchall()]
        cursor.execute("DELETE FROM sync.erased_records WHERE org_id = %s AND erasure_id = ANY(%s)", (org_id, lifted))
    return lifted


def list_erasures(connection: Connection[Any], org_id: str | None) -> list[Erasure]:
    """The erasures of the org, or of all, oldest first."""
    with connection.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(
            "SELECT erasure_id, org_id, subject, erased_by, erased_at, counts, lifted_at, lifted_by FROM sync.erasures"
            " WHERE %(org_id)s::text IS NULL OR org_id = %(org_id)s ORDER BY erased_at",
            {"org_id": org_id},
        ).fetchall()


def _salt(cursor: Cursor[Any], org_id: str) -> bytes:
    [(salt,)] = cursor.execute(_SALT, (org_id, secrets.token_bytes(32))).fetchall()
    return bytes(salt)
