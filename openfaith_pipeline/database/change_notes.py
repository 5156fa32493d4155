"""Triggers that note in `sync.untransformed` which of the rows read by the transform changed, whoever changed them.

A note is written in the transaction of the change, so both become visible together: no order of commits hides a change,
as it could with a watermark. See docs/decisions/0007-what-changed.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, LiteralString

from psycopg import Connection, errors, sql

from openfaith_pipeline.canonical.model import Answers, Field
from openfaith_pipeline.canonical.registry import CanonicalTable, Model
from openfaith_pipeline.canonical.relationships import is_listed_by_owner, is_named_by_owner, owner_column
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.raw_tables import LONGEST_NAME
from openfaith_pipeline.sources import CANONICAL, SOURCES

QUIET: Final = "openfaith.transforming"
"""The setting that is `on` while the transform writes, so that its own writes leave no notes."""

UNDOING: Final = "openfaith.undoing"
"""The setting that is `on` while a sync is undone: the rows go back, and nobody edits them."""

REGISTER: Final = "entityRelationships"
LINKS: Final = "externalLinks"
EDGES: Final = "edges"

_PREFIX: Final = "openfaith_note"
EDITS_TRIGGER: Final = f"{_PREFIX}_edits"
_LINK_STATE: Final = ("createdAt", "updatedAt", "deletedAt", "deletedBy")
_LINK_IDENTITY: Final = ("orgId", "adapter", "entityType", "externalId", "entityId")
_IMAGES: Final[Mapping[LiteralString, sql.SQL]] = {
    "INSERT": sql.SQL("NEW TABLE AS after"),
    "UPDATE": sql.SQL("OLD TABLE AS before NEW TABLE AS after"),
    "DELETE": sql.SQL("OLD TABLE AS before"),
}
_QUIET: Final = sql.SQL("current_setting({}, true) IS DISTINCT FROM 'on'").format(sql.Literal(QUIET))
_NOT_OURS: Final = sql.SQL("{} AND current_setting({}, true) IS DISTINCT FROM 'on'").format(
    _QUIET, sql.Literal(UNDOING)
)


# The function's parameters are kept as one string, each of them ended by a zero byte.
_PRESENT: Final = r"""
SELECT n.nspname, c.relname, t.tgname,
    string_to_array(encode(t.tgargs, 'escape'), '\000')
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE starts_with(t.tgname, %s)
"""

# Joined, since Postgres would compare each trigger that there is with each of a list of them.
_ARE_ENABLED: Final = """
(SELECT count(*) = {number} FROM unnest({tables}::regclass[], {names}::name[]) AS wanted (tgrelid, tgname)
   JOIN pg_trigger USING (tgrelid, tgname) WHERE tgenabled IN ('O', 'A'))
"""


@dataclass(frozen=True)
class RawNotes:
    """Notes about a raw table or a table of links: the records of `source` that `columns` name.


    suffix: distinguishes the triggers of one table.
    """

    schema: str
    table: str
    source: str
    columns: tuple[str, ...] = ("id",)
    condition: str = "true"
    suffix: str = ""


def records_of(edge: Stream) -> str:
    """The source that is noted when the metadata of an edge's record may have changed; its key is the record's id.

    The edge's own source has the near ends instead: they find the edges that the record made before.
    """
    return f"{edge.name}#id"


def raw_notes(model: Model = CANONICAL) -> list[RawNotes]:
    """The notes about raw rows, derived from the declarations."""
    found: dict[tuple[str, str, str, str], RawNotes] = {}
    used: set[tuple[str, str, str]] = set()
    for notes in _raw_notes(model):
        key = (notes.schema, notes.table, notes.source, notes.condition)
        if key not in found:
            found[key] = _told_apart(notes, used)
    return list(found.values())


def _told_apart(notes: RawNotes, used: set[tuple[str, str, str]]) -> RawNotes:
    """The notes with a suffix that distinguishes them from others of the table; the first have none."""
    named = "_names" if notes.condition != "true" else f"_{notes.columns[0]}"
    for suffix in ("" if notes.condition == "true" else named, named, f"{named}_{notes.source.partition('.')[2]}"):
        if (notes.schema, notes.table, suffix) not in used:
            break
    used.add((notes.schema, notes.table, suffix))
    return replace(notes, suffix=suffix)


def _raw_notes(model: Model) -> Iterator[RawNotes]:
    for entity in model.entities.values():
        yield _of_stream(entity.stream, entity.stream.name)
    for answers in model.answers:
        yield from _of_answers(answers)
    for merges in model.merges.values():
        yield _of_stream(merges.stream, merges.entity.stream.name, merges.merging.kept, merges.merging.removed)
    for edge in model.edges.values():
        yield _of_stream(edge.stream, edge.stream.name, f"{edge.between[0]}_id")
    for each in model.fields:
        yield from _of_field(each, model)
    for relationship in model.relationships:
        if relationship.links:
            yield RawNotes(relationship.stream.schema, relationship.links, relationship.stream.name)


def _of_stream(stream: Stream, source: str, *columns: str, condition: str = "true") -> RawNotes:
    return RawNotes(stream.schema, stream.short_name, source, columns or ("id",), condition)


def _of_answers(answers: Answers) -> Iterator[RawNotes]:
    """A changed answer affects its record; a definition, or an attribute unknown to the catalog, may take up a name."""
    names = answers.definitions.name
    yield _of_stream(answers.definitions, names)
    yield _of_stream(answers.on, names, condition="_extra IS NOT NULL")
    yield _of_stream(answers.stream, answers.on.name, f"{answers.via}_id")


def _of_field(each: Field, model: Model) -> Iterator[RawNotes]:
    owner = records_of(each.on) if each.on.name in model.edges else each.on.name
    if is_named_by_owner(each):
        yield _of_stream(each.stream, each.stream.name)
    elif is_listed_by_owner(each):
        yield _of_stream(each.stream, each.stream.name)
        yield RawNotes(each.on.schema, each.on.links[each.via], owner)
    else:
        yield _of_stream(each.stream, owner, owner_column(each))
    if each.on.name in model.edges:
        yield _of_stream(each.on, owner)


@dataclass(frozen=True)
class Trigger:
    """A trigger by its table and name.

    event: after `AFTER`. action: the part after the table's name. parameters: of its function, if they depend on the
    declarations.
    """

    schema: str
    table: str
    name: str
    event: sql.Composable
    action: sql.Composable
    parameters: tuple[str, ...] = ()

    @property
    def on(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)

    @property
    def statement(self) -> sql.Composed:
        return sql.SQL("CREATE OR REPLACE TRIGGER {} AFTER {} ON {} {}").format(
            sql.Identifier(self.name), self.event, self.on, self.action
        )


def align_change_notes(connection: Connection[Any], schema: str) -> None:
    """Create triggers that are missing or have outdated parameters, except on tables of another owner.

    There, transforms compare everything.
    """
    there = {
        (schema, table, name): tuple(parameters[:-1])
        for schema, table, name, parameters in connection.execute(_PRESENT, (_PREFIX,)).fetchall()
    }
    for trigger in triggers(schema):
        found = there.get((trigger.schema, trigger.table, trigger.name))
        if found is None or (trigger.parameters and found != trigger.parameters):
            try:
                with connection.transaction():
                    connection.execute(trigger.statement)
            except errors.InsufficientPrivilege:
                continue


@cache
def are_changes_noted(schema: str) -> sql.SQL:
    """SQL condition: every trigger exists and is enabled."""
    wanted = triggers(schema)
    condition = sql.SQL(_ARE_ENABLED).format(
        number=sql.Literal(len(wanted)),
        tables=sql.Literal([trigger.on.as_string(None) for trigger in wanted]),
        names=sql.Literal([trigger.name for trigger in wanted]),
    )
    # Compared as one text: it has hundreds of names, and each transform runs this.
    return sql.SQL(condition.as_string(None))


@cache
def triggers(schema: str) -> tuple[Trigger, ...]:
    """All triggers on the raw tables and on the OpenFaith tables of this schema."""
    found = [trigger for notes in raw_notes() for trigger in _of_raw(notes)]
    found += [_of_rows(schema, table, ("id",)) for table in CANONICAL.tables]
    found += [_of_edits(schema, table) for table in CANONICAL.tables.values()]
    found.append(_of_rows(schema, EDGES, ("sourceEntityId", "targetEntityId", "relationshipType")))
    found.append(_of_rows(schema, REGISTER, ("sourceEntityType",)))
    found += _of_links(schema)
    tables = dict.fromkeys((trigger.schema, trigger.table) for trigger in found)
    found += [
        Trigger(*table, f"{_PREFIX}_truncate", sql.SQL("TRUNCATE"), _executing("STATEMENT", "note_truncate"))
        for table in tables
    ]
    return tuple(found)


def _of_raw(notes: RawNotes) -> Iterator[Trigger]:
    for event, images in _IMAGES.items():
        action = sql.SQL("REFERENCING {} {}").format(
            images, _executing("STATEMENT", "note_records", *_parameters(notes))
        )
        name = f"{_PREFIX}_{event.lower()}{notes.suffix}"[:LONGEST_NAME]
        yield Trigger(notes.schema, notes.table, name, sql.SQL(event), action, _parameters(notes))


def _parameters(notes: RawNotes) -> tuple[str, ...]:
    return notes.source, notes.condition, *notes.columns


def _of_rows(schema: str, table: str, key: tuple[str, ...]) -> Trigger:
    return _of_row(schema, table, "changes", "INSERT OR UPDATE OR DELETE", _QUIET, key)


def _of_edits(schema: str, table: CanonicalTable) -> Trigger:
    """Another's change of a column that the source feeds, with the value that the column had from the source."""
    adapters = "{" + ",".join(SOURCES) + "}"
    parameters = (table.name, f"{CANONICAL_PREFIX}{LINKS}", adapters, *table.columns)
    action = _executing("ROW", "note_edit", *parameters, when=_NOT_OURS)
    name = f"{CANONICAL_PREFIX}{table.name}"
    return Trigger(schema, name, EDITS_TRIGGER, sql.SQL("UPDATE"), action, parameters)


def _of_links(schema: str) -> Iterator[Trigger]:
    """A link that is added, removed or redirected may change anything; other changes concern its record alone."""
    yield _of_row(schema, LINKS, "insert", "INSERT", _ours("{} AND NEW.adapter IN ({})"), ())
    yield _of_row(schema, LINKS, "delete", "DELETE", _ours("{} AND OLD.adapter IN ({})"), ())
    for name, columns, key in (("moves", _LINK_IDENTITY, ()), ("changes", _LINK_STATE, ("entityType", "externalId"))):
        when = sql.SQL("{} AND ({}) IS DISTINCT FROM ({})").format(
            _ours("{} AND ARRAY[OLD.adapter, NEW.adapter] && ARRAY[{}]"),
            sql.SQL(", ").join(sql.Identifier("old", column) for column in columns),
            sql.SQL(", ").join(sql.Identifier("new", column) for column in columns),
        )
        yield _of_row(schema, LINKS, name, "UPDATE", when, key)


def _ours(condition: LiteralString) -> sql.Composed:
    """The condition on a link with the test for somebody else's change and the adapters of the sources."""
    return sql.SQL(condition).format(_QUIET, sql.SQL(", ").join(map(sql.Literal, SOURCES)))


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
