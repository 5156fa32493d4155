"""Tables that an erasure has still to rewrite: recorded with it, so that a killed process leaves none behind."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.reclaiming import Reclaimed, reclaim
from openfaith_pipeline.load.erased import mark_of
from openfaith_pipeline.privacy.marks import Erasure, list_erasures
from openfaith_pipeline.sources import PERSONAL

_OWE: Final = "UPDATE sync.erasures SET unreclaimed = %s WHERE erasure_id = %s"
_OWED: Final = """
SELECT erasure_id, org_id, unreclaimed FROM sync.erasures
WHERE unreclaimed <> '{}' AND (%(org_id)s::text IS NULL OR org_id = %(org_id)s) ORDER BY erased_at, erasure_id
"""
_SALT: Final = "SELECT salt FROM sync.erasure_salts WHERE org_id = %s"
_OF_PERSON: Final = """
SELECT whole.erasure_id FROM sync.erasures AS whole JOIN sync.erased_records USING (org_id, erasure_id)
WHERE org_id = %s AND lifted_at IS NULL AND stream = %s AND record_hash = %s
"""


def owe_rewriting(connection: Connection[Any], erasure_id: str, tables: Iterable[str]) -> None:
    """Record, in the erasure's own transaction, the tables that are to be rewritten after it."""
    connection.execute(_OWE, (sorted(tables), erasure_id))


def rewrite_owed(connection: Connection[Any], erasure_id: str, tables: Iterable[str]) -> Reclaimed:
    """Rewrite the tables of an erasure. Those in use stay recorded. Needs an autocommit connection."""
    done = reclaim(connection, [*tables])
    owe_rewriting(connection, erasure_id, done.in_use)
    return done


def unfinished_erasures(connection: Connection[Any], org_id: str | None = None) -> list[tuple[str, str, list[str]]]:
    """(certificate, org, tables to be rewritten yet) of the org's erasures, or of all."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_OWED, {"org_id": org_id}).fetchall()


def finish_erasures(
    database: Database, org_id: str | None = None, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Reclaimed]:
    """Rewrite the tables that erasures have left, as those of killed processes do; the results by certificate."""
    done: dict[str, Reclaimed] = {}
    with database.connect(autocommit=True) as connection:
        for erasure_id, _, tables in unfinished_erasures(connection, org_id):
            tell(f"rewriting the tables that the erasure {erasure_id} has left")
            done[erasure_id] = rewrite_owed(connection, erasure_id, tables)
    return done


def erasure_of(connection: Connection[Any], org_id: str, person_id: str | None = None) -> Erasure | None:
    """The newest certificate of a person, by the source's id, or of the whole org."""
    found = [each for each in list_erasures(connection, org_id) if _is_of(connection, each, person_id)]
    return found[-1] if found else None


def _is_of(connection: Connection[Any], erasure: Erasure, person_id: str | None) -> bool:
    if person_id is None:
        return erasure.subject == "org"
    with connection.cursor(row_factory=tuple_row) as cursor:
        salt = cursor.execute(_SALT, (erasure.org_id,)).fetchone()
        of_person: list[tuple[str]] = []
        for data in PERSONAL.by_adapter.values():
            name = data.person.name
            mark = mark_of(bytes(salt[0]), name, person_id) if salt else b""
            of_person += cursor.execute(_OF_PERSON, (erasure.org_id, name, mark)).fetchall()
    return (erasure.erasure_id,) in of_person
