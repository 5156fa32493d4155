"""The files of an export before they are written: columns and the statements that give their rows."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog.view import Question, View
from openfaith_pipeline.catalog.words import Mark
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.export.columns import Column, is_left_out, read_columns
from openfaith_pipeline.export.relations import Relation
from openfaith_pipeline.export.selection import QUESTIONS_SCHEMA, Selection, question_name
from openfaith_pipeline.sources import VIEWS

_TYPE_NAME: Final = "SELECT format_type(%s, NULL)"


@dataclass(frozen=True)
class Table:
    """One file. sources: the rest of each SELECT after its columns, which are the same for all: FROM ... WHERE ...

    left_out: columns that the marks keep back. closed: columns that this user may not read.
    """

    schema: str
    name: str
    description: str
    columns: tuple[Column, ...]
    sources: tuple[sql.Composable, ...]
    left_out: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Wanted:
    """An export as it was requested. without: kinds of data that are left out. with_deleted: tombstones too."""

    selection: Selection
    org_ids: tuple[str, ...]
    without: frozenset[Mark] = frozenset()
    with_deleted: bool = False


@dataclass(frozen=True)
class Prepared:
    """tables: the files to write. skipped: full name of a group's member without a file -> the reason."""

    tables: tuple[Table, ...]
    skipped: dict[str, str]


def prepare(connection: Connection[Any], wanted: Wanted, views_schema: str) -> Prepared:
    """Prepare the files. Raises UsageError for a relation that was named by itself and cannot be exported."""
    tables: list[Table] = []
    skipped: dict[str, str] = {}
    for found in _each(connection, wanted, views_schema):
        if isinstance(found, Table):
            tables.append(found)
            continue
        name, reason = found
        if name in wanted.selection.named:
            raise UsageError(f"{name} cannot be exported: {reason}")
        skipped[name] = reason
    return Prepared(tuple(tables), skipped)


_Found = Table | tuple[str, str]


def _each(connection: Connection[Any], wanted: Wanted, views_schema: str) -> Iterator[_Found]:
    for relation in wanted.selection.relations:
        yield _of_relation(connection, relation, wanted)
    for question in wanted.selection.questions:
        yield _of_question(connection, question, wanted, views_schema)


def _of_relation(connection: Connection[Any], relation: Relation, wanted: Wanted) -> _Found:
    columns = read_columns(connection, relation, wanted.without)
    if columns is None:
        return relation.full_name, "the database does not have it: openfaith-pipeline db upgrade"
    if relation.org not in (column.name for column in columns.chosen):
        return relation.full_name, "this user may not read it"
    if relation.deleted in columns.closed:
        return relation.full_name, f"this user may not read {relation.deleted}, which marks deleted rows"
    source = sql.SQL("FROM {} WHERE {} = ANY ({}::text[])").format(
        relation.identifier, sql.Identifier(relation.org), sql.Literal(list(wanted.org_ids))
    )
    if relation.deleted and not wanted.with_deleted:
        source += sql.SQL(" AND {} IS NULL").format(sql.Identifier(relation.deleted))
    return Table(
        relation.schema,
        relation.name,
        relation.description,
        columns.chosen,
        (source,),
        columns.left_out,
        columns.closed,
    )


def _of_question(connection: Connection[Any], question: Question, wanted: Wanted, views_schema: str) -> _Found:
    name = question_name(question)
    if marked := _marked(question, wanted.without):
        return name, f"its answer shows {', '.join(marked)}, which are left out"
    for view in _views_of(question):
        if not _may_read(connection, views_schema, view.name):
            return name, f"this user may not read {views_schema}.{view.name}, or the database does not have it"
    sources = tuple(_answer(question, views_schema, org_id) for org_id in wanted.org_ids)
    columns = _columns_of(connection, sources[0])
    return Table(QUESTIONS_SCHEMA, name.partition(".")[2], question.title, columns, sources)


def _answer(question: Question, views_schema: str, org_id: str) -> sql.Composed:
    text = question.sql.strip().rstrip(";") % {"org_id": "{org_id}"}
    answer = sql.SQL(text).format(schema=sql.Identifier(views_schema), org_id=sql.Literal(org_id))
    return sql.SQL("FROM (SELECT {}::text AS org_id, answer.* FROM ({}) AS answer) AS answered").format(
        sql.Literal(org_id), answer
    )


def _columns_of(connection: Connection[Any], source: sql.Composable) -> tuple[Column, ...]:
    cursor = connection.execute(sql.SQL("SELECT * {} LIMIT 0").format(source))
    described = [(column.name, column.type_code) for column in cursor.description or ()]
    return tuple(Column(name, oid, _kind(connection, oid)) for name, oid in described)


def _kind(connection: Connection[Any], oid: int) -> str:
    row = connection.execute(_TYPE_NAME, (oid,)).fetchone()
    return str(row[0]) if row else ""


def _views_of(question: Question) -> list[View]:
    return [view for name, view in VIEWS.items() if re.search(rf"\{{schema\}}\.{name}\b", question.sql)]


def _marked(question: Question, without: Collection[Mark]) -> list[str]:
    """The columns of these kinds that the question's SQL names."""
    names = {
        name
        for view in _views_of(question)
        for name, words in view.words.items()
        if is_left_out(Column(name, 0, "", words), without) and re.search(rf"\b{name}\b", question.sql)
    }
    return sorted(names)


def _may_read(connection: Connection[Any], schema: str, name: str) -> bool:
    relation = Relation("views", schema, name, "org_id", None, "", {})
    columns = read_columns(connection, relation, ())
    return columns is not None and not columns.closed


def selects(table: Table, expressions: Sequence[sql.Composable]) -> Iterator[sql.Composed]:
    """The statements of all rows, with these expressions in place of the columns."""
    listed = sql.SQL(", ").join(expressions)
    for source in table.sources:
        yield sql.SQL("SELECT {} {}").format(listed, source)
