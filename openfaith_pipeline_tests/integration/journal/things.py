"""A made-up raw table, written by syncs step by step, to try the journal on any order of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from psycopg import Connection, sql
from psycopg.types.json import Jsonb
from sqlalchemy import MetaData

from openfaith_pipeline.catalog.stream import TEXT, Stream
from openfaith_pipeline.database.alignment import align_raw_tables
from openfaith_pipeline.journal import JournaledTable
from openfaith_pipeline.journal.undoing import Conflict, Undoing
from openfaith_pipeline.journal.writing import Write, journaled
from openfaith_pipeline.planning_center.products import Product

STREAM = Stream(product=Product.PEOPLE, type="Thing", path="/people/v2/things", attributes={"name": TEXT})
THINGS = JournaledTable("pco_people", "things", ("id",), "org_id", "_deleted_at")
ORG: Final = "org"
PERSON: Final = "a person"

WRITE = sql.SQL("""
INSERT INTO pco_people.things AS target (org_id, id, name, _extra, _content_hash, _first_seen_at, _synced_at, _sync_id)
VALUES (%(org_id)s, %(id)s, %(name)s, %(extra)s, '', now(), now(), %(sync_id)s)
ON CONFLICT (org_id, id) DO UPDATE
SET name = EXCLUDED.name, _extra = EXCLUDED._extra, _deleted_at = NULL, _sync_id = EXCLUDED._sync_id""")
_DELETE = sql.SQL(
    "UPDATE pco_people.things AS target SET _deleted_at = now() WHERE org_id = %(org_id)s AND id = %(id)s"
    " AND _deleted_at IS NULL"
)
_REMOVE = sql.SQL("DELETE FROM pco_people.things AS target WHERE org_id = %(org_id)s AND id = %(id)s")
_EDIT = sql.SQL("UPDATE pco_people.things SET name = %(name)s WHERE org_id = %(org_id)s AND id = %(id)s")


class Step(NamedTuple):
    """A sync writes the record with this in `_extra`, marks it as deleted, or removes it.

    A person changes its name, which is not journaled.
    """

    sync_id: str
    id: str
    does: str = "write"
    name: str | None = None
    extra: Mapping[str, Any] | None = None


def align(connection: Connection[Any], stream: Stream) -> None:
    """Align the table with the stream's declaration."""
    align_raw_tables(connection, [stream], MetaData())


def do(connection: Connection[Any], step: Step) -> None:
    """Take the step."""
    extra = None if step.extra is None else Jsonb(step.extra)
    parameters = {**step._asdict(), "extra": extra, "org_id": ORG, "cause": "test"}
    if step.sync_id == PERSON:
        connection.execute(_EDIT, parameters)
        return
    statement, does = {
        "write": (WRITE, Write.CHANGE),
        "delete": (_DELETE, Write.CHANGE),
        "remove": (_REMOVE, Write.REMOVE),
    }[step.does]
    connection.execute(journaled(THINGS, statement, does), parameters)


def undo(connection: Connection[Any], sync_id: str, *, overwrite: bool = True) -> Sequence[Conflict]:
    """Undo the sync. Returns the rows that others have changed since; they are kept without `overwrite`."""
    parameters = {"org_id": ORG, "undone": sync_id, "sync_id": "undoing", "cause": "rollback"}
    undoing = Undoing(connection.cursor(), THINGS, 0, parameters)
    undoing.find()
    _, conflicts = undoing.conflicts(100)
    undoing.apply(overwrite=overwrite)
    return conflicts


def rows(connection: Connection[Any]) -> dict[str, dict[str, Any]]:
    """The table's rows by their ids."""
    return dict(connection.execute("SELECT id, to_jsonb(thing) FROM pco_people.things AS thing").fetchall())


def is_possible(steps: Sequence[Step]) -> bool:
    """Whether no sync writes a row that it has itself removed; the journal could be wrong about such a row only."""
    removed: set[tuple[str, str]] = set()
    for step in steps:
        if (step.sync_id, step.id) in removed:
            return False
        if step.does == "remove":
            removed.add((step.sync_id, step.id))
    return True
