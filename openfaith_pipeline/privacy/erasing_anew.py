"""Erase people and orgs again after a restore, if they were erased since the backup was made.

Their marks say nothing about them, so every id that the restored database knows is compared with the marks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import Connection, Cursor, sql
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.backup.carried_erasures import CARRIED_SCHEMA, has_carried
from openfaith_pipeline.database.reclaiming import Reclaimed, reclaim
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.erased import UNNAMED
from openfaith_pipeline.privacy import org_erasure, person_erasure
from openfaith_pipeline.privacy.entities import LINKS, canonical_name
from openfaith_pipeline.privacy.org_erasure import is_registered, remove_org
from openfaith_pipeline.privacy.person_erasure import erase_records, org_held
from openfaith_pipeline.privacy.person_records import PersonRecords, add_parts
from openfaith_pipeline.sources import CANONICAL, PERSONAL, STREAMS
from openfaith_pipeline.transform.identity import is_link_of, record_id_of

_CARRIED: Final = sql.Identifier(CARRIED_SCHEMA, "erasures")
_MARKS: Final = sql.Identifier(CARRIED_SCHEMA, "marks")
_BLOCK: Final = 64
"""Bytes of a block of SHA-256, as HMAC has them."""

_ERASED_ORGS: Final = sql.SQL("""
SELECT DISTINCT org_id FROM {carried} AS carried WHERE subject = 'org'
    AND NOT EXISTS (SELECT FROM sync.erasures AS known WHERE known.erasure_id = carried.erasure_id) ORDER BY 1
""").format(carried=_CARRIED)

_KEEP_SALTS: Final = sql.SQL("""
INSERT INTO sync.erasure_salts AS present (org_id, salt) SELECT DISTINCT ON (org_id) org_id, salt FROM {marks}
ON CONFLICT (org_id) DO UPDATE SET salt = excluded.salt
WHERE NOT EXISTS (SELECT FROM sync.erased_records AS marked WHERE marked.org_id = present.org_id)
""").format(marks=_MARKS)

_KEEP_CERTIFICATES: Final = sql.SQL("""
INSERT INTO sync.erasures AS present
    (erasure_id, org_id, subject, erased_by, erased_at, counts, lifted_at, lifted_by)
SELECT erasure_id, org_id, subject, erased_by, erased_at, counts, lifted_at, lifted_by FROM {carried}
ON CONFLICT (erasure_id) DO UPDATE SET lifted_at = coalesce(present.lifted_at, excluded.lifted_at),
    lifted_by = coalesce(present.lifted_by, excluded.lifted_by)
""").format(carried=_CARRIED)

_LIFT: Final = """
DELETE FROM sync.erased_records AS marked USING sync.erasures AS whole
WHERE whole.erasure_id = marked.erasure_id AND whole.lifted_at IS NOT NULL
"""

_KEEP_MARKS: Final = sql.SQL("""
INSERT INTO sync.erased_records (org_id, stream, record_hash, erasure_id)
SELECT org_id, stream, record_hash, erasure_id FROM {marks} JOIN sync.erasure_salts USING (org_id, salt)
WHERE erasure_id = %s ON CONFLICT DO NOTHING
""").format(marks=_MARKS)

_UNKNOWN: Final = sql.SQL("""
SELECT DISTINCT erasure_id, org_id FROM {marks} AS carried
JOIN sync.erasures AS whole USING (org_id, erasure_id) LEFT JOIN sync.erasure_salts AS present USING (org_id, salt)
WHERE whole.lifted_at IS NULL AND (present.salt IS NULL OR NOT EXISTS (
    SELECT FROM sync.erased_records AS marked WHERE marked.org_id = carried.org_id
        AND marked.stream = carried.stream AND marked.record_hash = carried.record_hash
        AND marked.erasure_id = carried.erasure_id))
ORDER BY 2, 1
""").format(marks=_MARKS)

_OF_OTHER_KEY: Final = sql.SQL("""
SELECT DISTINCT org_id FROM {marks} AS carried JOIN sync.erasures AS whole USING (org_id, erasure_id)
WHERE whole.lifted_at IS NULL AND NOT EXISTS (
    SELECT FROM sync.erasure_salts AS present WHERE present.org_id = carried.org_id AND present.salt = carried.salt)
ORDER BY 1
""").format(marks=_MARKS)

_MARKED: Final = sql.SQL("""
SELECT DISTINCT known.id FROM ({known}) AS known (id), {marks} AS carried
WHERE carried.org_id = %(org_id)s AND carried.erasure_id = %(erasure_id)s AND carried.stream = %(marked_as)s
    AND carried.record_hash = sha256({outer} || sha256({inner} || convert_to(known.id, 'UTF8')))
""")


@dataclass
class ErasedAnew:
    """The erasures that were repeated. orgs: erased whole. erasures: of people. counts: rows by org and place.

    has_marks: whether the database that was replaced had a table of marks.
    of_other_key: orgs whose marks were made with another key than the backup's: of their erased people, only those
        known to the backup stay erased.
    """

    has_marks: bool = False
    orgs: list[str] = field(default_factory=list)
    erasures: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    of_other_key: list[str] = field(default_factory=list)
    reclaimed: Reclaimed | None = None

    def add(self, org_id: str, counts: dict[str, int]) -> None:
        known = self.counts.setdefault(org_id, {})
        for place, number in counts.items():
            known[place] = known.get(place, 0) + number


def erase_anew(database: Database, tell: Callable[[str], None]) -> ErasedAnew:
    """Erase everybody whose marks were carried over a restore and are not in the backup, and end the restore."""
    done, places = ErasedAnew(), set[str]()
    schema = database.settings.canonical_schema
    with database.connect(autocommit=True) as connection:
        if not has_carried(connection):
            return done
        done.has_marks = True
        _erase_orgs(connection, schema, done, places, tell)
        with connection.transaction():
            for statement in (_KEEP_SALTS, _KEEP_CERTIFICATES):
                connection.execute(statement)
            connection.execute(_LIFT)
        for erasure_id, org_id in connection.execute(_UNKNOWN).fetchall():
            with connection.transaction():
                connection.execute(_KEEP_MARKS, (erasure_id,))
                if is_registered(connection, org_id):
                    places |= _erase_person(connection, schema, org_id, erasure_id, done, tell)
        done.of_other_key = [org_id for (org_id,) in connection.execute(_OF_OTHER_KEY).fetchall()]
        if places:
            tell("rewriting the tables, so that their files lose the values too")
            done.reclaimed = reclaim(connection, places)
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(CARRIED_SCHEMA)))
    return done


def _erase_orgs(
    connection: Connection[Any], schema: str, done: ErasedAnew, places: set[str], tell: Callable[[str], None]
) -> None:
    for (org_id,) in connection.execute(_ERASED_ORGS).fetchall():
        if is_registered(connection, org_id):
            with connection.transaction():
                counts = remove_org(connection, schema, org_id, tell)
            done.orgs.append(org_id)
            done.add(org_id, counts)
            places.update(org_erasure.tables_to_rewrite(counts))


def _erase_person(
    connection: Connection[Any],
    schema: str,
    org_id: str,
    erasure_id: str,
    done: ErasedAnew,
    tell: Callable[[str], None],
) -> set[str]:
    """Erase the person; returns the tables that have had values of theirs."""
    with org_held(connection, org_id, schema) as cursor:
        records = _marked_records(cursor, org_id, schema, erasure_id)
        counts = erase_records(cursor, records, erasure_id, tell)
    done.erasures += 1
    done.add(org_id, counts)
    return person_erasure.tables_to_rewrite(records, counts)


def _marked_records(cursor: Cursor[Any], org_id: str, schema: str, erasure_id: str) -> PersonRecords:
    """The records of an erasure that the database has, or names."""
    marks = cursor.execute(
        sql.SQL("SELECT DISTINCT stream, salt FROM {} WHERE org_id = %s AND erasure_id = %s").format(_MARKS),
        (org_id, erasure_id),
    ).fetchall()
    found = {name: _known_by(cursor, (org_id, schema), erasure_id, name, bytes(salt)) for name, salt in marks}
    people = {
        adapter: found.pop(data.person.name)
        for adapter, data in PERSONAL.by_adapter.items()
        if data.person.name in found
    }
    records = PersonRecords(org_id, schema, {adapter: tuple(sorted(ids)) for adapter, ids in people.items()})
    for adapter, ids in people.items():
        for stream in PERSONAL.by_adapter[adapter].people:
            records.add(stream.name, ids)
    for name, ids in found.items():
        if name.endswith(UNNAMED):
            records.unnamed.setdefault(name.removesuffix(UNNAMED), set()).update(ids)
        else:
            records.add(name, ids)
    add_parts(cursor, records)
    return records


def _known_by(cursor: Cursor[Any], place: tuple[str, str], erasure_id: str, marked_as: str, salt: bytes) -> set[str]:
    """The known ids with one of the erasure's marks of this name; none for a name that this version does not know.

    place: the org, and the schema of the OpenFaith tables.
    """
    org_id, schema = place
    known = list(_known_ids(schema, marked_as.removesuffix(UNNAMED)))
    if not known:
        return set()
    inner, outer = (bytes(byte ^ pad for byte in salt.ljust(_BLOCK, b"\0")) for pad in (0x36, 0x5C))
    statement = _MARKED.format(
        known=sql.SQL(" UNION ALL ").join(known),
        marks=_MARKS,
        inner=sql.Literal(inner + f"{marked_as}\0".encode()),
        outer=sql.Literal(outer),
    )
    with cursor.connection.cursor(row_factory=tuple_row) as reading:
        asked = {"org_id": org_id, "erasure_id": erasure_id, "marked_as": marked_as}
        return {identifier for (identifier,) in reading.execute(statement, asked).fetchall()}


def _known_ids(schema: str, identity: str) -> Iterator[sql.Composable]:
    """Queries for all known ids of records with this identity: of rows, the journal, links, and references."""
    streams = [stream for name, stream in STREAMS.items() if PERSONAL.identity(name) == identity]
    for stream in streams:
        yield sql.SQL("SELECT id FROM {} WHERE org_id = %(org_id)s").format(raw_name(stream))
        yield sql.SQL("SELECT row_key ->> 'id' FROM sync.journal WHERE org_id = %(org_id)s AND table_name = {}").format(
            sql.Literal(stream.raw_table)
        )
        if entity := CANONICAL.entities.get(stream.name):
            yield sql.SQL('SELECT {} FROM {} AS l WHERE l."orgId" = %(org_id)s AND {}').format(
                record_id_of(entity, "l"), canonical_name(schema, LINKS), is_link_of(entity, "l")
            )
    for stream in STREAMS.values():
        for name, target in stream.belongs_to.items():
            may_be_any = target is None and any(each.adapter == stream.adapter for each in streams)
            if may_be_any or target in {each.name for each in streams}:
                yield _references(stream, name)


def _references(stream: Stream, relationship: str) -> sql.Composable:
    return sql.SQL("SELECT {} FROM {} WHERE org_id = %(org_id)s").format(
        sql.Identifier(f"{relationship}_id"), raw_name(stream)
    )
