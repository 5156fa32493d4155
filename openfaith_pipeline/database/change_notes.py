"""Triggers that note in `sync.untransformed` which of the rows read by the transform changed, whoever changed them.

A note is written in the transaction of the change, so both become visible together: no order of commits hides a change,
as it could with a watermark. See docs/decisions/0007-what-changed.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import Connection, errors, sql

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX

QUIET: Final = "openfaith.transforming"
"""The setting that is `on` while the transform writes, so that its own writes leave no notes."""

FIELD_NAMES: Final = "people.field_definitions"
"""Source of notes about changed names of a church's own fields."""

PEOPLE: Final = "people.people"
REGISTER: Final = "entityRelationships"
LINKS: Final = "externalLinks"
EDGES: Final = "edges"

_PREFIX: Final = "openfaith_note"
_LINK_STATE: Final = ("createdAt", "updatedAt", "deletedAt", "deletedBy")
_LINK_IDENTITY: Final = ("orgId", "adapter", "entityType", "externalId", "entityId")
_IMAGES: Final[Mapping[LiteralString, sql.SQL]] = {
    "INSERT": sql.SQL("NEW TABLE AS after"),
    "UPDATE": sql.SQL("OLD TABLE AS before NEW TABLE AS after"),
    "DELETE": sql.SQL("OLD TABLE AS before"),
}
_QUIET: Final = sql.SQL("current_setting({}, true) IS DISTINCT FROM 'on'").format(sql.Literal(QUIET))


@dataclass(frozen=True)
class RawNotes:
    """Notes about a stream's raw table: the records of `source` that `columns` name."""

    stream: str
    source: str
    columns: tuple[str, ...] = ("id",)
    condition: str = "true"


# An answer or a merger changes the people it is about; an attribute outside the catalog may take over a name.
RAW_NOTES: Final = (
    *(RawNotes(name, name) for name in (PEOPLE, "people.campuses", "people.emails", "people.phone_numbers")),
    RawNotes("people.addresses", "people.addresses"),
    RawNotes("people.field_definitions", FIELD_NAMES),
    RawNotes(PEOPLE, FIELD_NAMES, condition="_extra IS NOT NULL"),
    RawNotes("people.field_data", PEOPLE, ("customizable_id",)),
    RawNotes("people.person_mergers", PEOPLE, ("person_to_keep_id", "person_to_remove_id")),
)
ENTITY_TABLES: Final = ("people", "emails", "phoneNumbers", "addresses", "campuses")


@dataclass(frozen=True)
class Trigger:
    """A trigger by its table and name. event: after `AFTER`. action: the part after the table's name."""

    schema: str
    table: str
    name: str
    event: sql.Composable
    action: sql.Composable

    @property
    def on(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)

    @property
    def statement(self) -> sql.Composed:
        return sql.SQL("CREATE TRIGGER {} AFTER {} ON {} {}").format(
            sql.Identifier(self.name), self.event, self.on, self.action
        )


def align_change_notes(connection: Connection[Any], schema: str) -> None:
    """Create missing triggers, except on tables of another owner, where transforms compare everything."""
    there = {
        (schema, table, name)
        for schema, table, name in connection.execute(
            "SELECT n.nspname, c.relname, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE starts_with(t.tgname, %s)",
            (_PREFIX,),
        ).fetchall()
    }
    for trigger in triggers(schema):
        if (trigger.schema, trigger.table, trigger.name) not in there:
            try:
                with connection.transaction():
                    connection.execute(trigger.statement)
            except errors.InsufficientPrivilege:
                continue


def are_changes_noted(schema: str) -> sql.Composed:
    """SQL condition: every trigger exists and is enabled."""
    wanted = [
        sql.SQL("({}::regclass, {})").format(sql.Literal(trigger.on.as_string(None)), sql.Literal(trigger.name))
        for trigger in triggers(schema)
    ]
    return sql.SQL(
        "(SELECT count(*) = {} FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND (tgrelid, tgname) IN ({}))"
    ).format(sql.Literal(len(wanted)), sql.SQL(", ").join(wanted))


def triggers(schema: str) -> list[Trigger]:
    """All triggers on the raw tables and on the OpenFaith tables of this schema."""
    found = [trigger for notes in RAW_NOTES for trigger in _of_raw(notes)]
    found += [_of_rows(schema, table, ("id",)) for table in ENTITY_TABLES]
    found.append(_of_rows(schema, EDGES, ("sourceEntityId", "targetEntityId", "relationshipType")))
    found.append(_of_rows(schema, REGISTER, ("sourceEntityType",)))
    found += _of_links(schema)
    tables = dict.fromkeys((trigger.schema, trigger.table) for trigger in found)
    return found + [
        Trigger(*table, f"{_PREFIX}_truncate", sql.SQL("TRUNCATE"), _executing("STATEMENT", "note_truncate"))
        for table in tables
    ]


def _of_raw(notes: RawNotes) -> Iterator[Trigger]:
    product, _, table = notes.stream.partition(".")
    suffix = "" if notes.condition == "true" else "_names"
    for event, images in _IMAGES.items():
        action = sql.SQL("REFERENCING {} {}").format(
            images, _executing("STATEMENT", "note_records", notes.source, notes.condition, *notes.columns)
        )
        yield Trigger(f"pco_{product}", table, f"{_PREFIX}_{event.lower()}{suffix}", sql.SQL(event), action)


def _of_rows(schema: str, table: str, key: tuple[str, ...]) -> Trigger:
    return _of_row(schema, table, "changes", "INSERT OR UPDATE OR DELETE", _QUIET, key)


def _of_links(schema: str) -> Iterator[Trigger]:
    """A link that is added, removed or redirected may change anything; other changes concern its record alone."""
    yield _of_row(schema, LINKS, "insert", "INSERT", sql.SQL("{} AND NEW.adapter = 'pco'").format(_QUIET), ())
    yield _of_row(schema, LINKS, "delete", "DELETE", sql.SQL("{} AND OLD.adapter = 'pco'").format(_QUIET), ())
    for name, columns, key in (("moves", _LINK_IDENTITY, ()), ("changes", _LINK_STATE, ("entityType", "externalId"))):
        when = sql.SQL("{} AND 'pco' IN (OLD.adapter, NEW.adapter) AND ({}) IS DISTINCT FROM ({})").format(
            _QUIET,
            sql.SQL(", ").join(sql.Identifier("old", column) for column in columns),
            sql.SQL(", ").join(sql.Identifier("new", column) for column in columns),
        )
        yield _of_row(schema, LINKS, name, "UPDATE", when, key)


def _of_row(
    schema: str, table: str, name: str, event: LiteralString, when: sql.Composable, key: tuple[str, ...]
) -> Trigger:
    action = _executing("ROW", "note_row", f"{CANONICAL_PREFIX}{table}", *key, when=when)
    return Trigger(schema, f"{CANONICAL_PREFIX}{table}", f"{_PREFIX}_{name}", sql.SQL(event), action)


def _executing(each: LiteralString, function: str, *arguments: str, when: sql.Composable | None = None) -> sql.Composed:
    return sql.SQL("FOR EACH {} {} EXECUTE FUNCTION {}({})").format(
        sql.SQL(each),
        sql.SQL("WHEN ({})").format(when) if when else sql.SQL(""),
        sql.Identifier("sync", function),
        sql.SQL(", ").join(map(sql.Literal, arguments)),
    )
