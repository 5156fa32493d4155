"""The tables and views that can be exported, from their declarations: raw, canonical, and views."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from psycopg import sql
from sqlalchemy import Table

from openfaith_pipeline.canonical.document import described_table
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.words import Words, describe_columns, describe_links, describe_table
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX, canonical_metadata
from openfaith_pipeline.database.comments import words_of
from openfaith_pipeline.database.raw_tables import link_tables, raw_table, type_name
from openfaith_pipeline.journal.tables import JournaledTable, canonical_rows, link_rows, raw_rows
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CANONICAL, STREAMS, VIEWS

Group = Literal["raw", "canonical", "views"]


@dataclass(frozen=True)
class Relation:
    """A table or view.

    org: the column with the org. deleted: the column with the time of deletion, None if all rows are live.
    words: description and mark of each declared column; the live relation may have others. stream: of a raw table.
    links: of a table of links, their stream and the relationship.
    """

    group: Group
    schema: str
    name: str
    org: str
    deleted: str | None
    description: str
    words: Mapping[str, Words] = field(repr=False)
    stream: Stream | None = field(default=None, repr=False)
    links: tuple[Stream, str] | None = field(default=None, repr=False)

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def all_relations(settings: Settings) -> dict[str, Relation]:
    """Every relation by its full name, as `<adapter>_people.emails`."""
    found = (*_raw(), *_canonical(settings.canonical_schema), *_views(settings.views_schema))
    return {relation.full_name: relation for relation in found}


def _raw() -> Iterator[Relation]:
    for stream in STREAMS.values():
        yield _stored("raw", raw_rows(stream), describe_table(stream), describe_columns(stream), stream)
        for relationship in stream.links:
            text = f"{relationship.replace('_', ' ').capitalize()} of {stream.raw_table}, a row for each pair"
            words = describe_links(stream, relationship)
            yield _stored("raw", link_rows(stream, relationship), text, words, links=(stream, relationship))


_OWN: Final = {
    "sacraments": "Sacraments, which the application keeps",
    "externalLinks": "Which record of a source an entity is",
    "edges": "Relationships between entities",
    "entityRelationships": "Pairs of entity types that have relationships",
}


def _canonical(schema: str) -> Iterator[Relation]:
    for table in canonical_metadata(schema).sorted_tables:
        short = table.name.removeprefix(CANONICAL_PREFIX)
        declared = CANONICAL.tables.get(short)
        words = {str(column.name): known for column in table.columns if (known := words_of(column))}
        text = described_table(declared) if declared else _OWN[short]
        yield _stored("canonical", canonical_rows(schema, short), text, words)


def _stored(
    group: Group,
    rows: JournaledTable,
    description: str,
    words: Mapping[str, Words],
    stream: Stream | None = None,
    links: tuple[Stream, str] | None = None,
) -> Relation:
    return Relation(group, rows.schema, rows.name, rows.org, rows.deleted, description, words, stream, links)


def _views(schema: str) -> Iterator[Relation]:
    for view in VIEWS.values():
        yield Relation("views", schema, view.name, "org_id", None, view.comment.rstrip("."), view.words)


def declared_types(relation: Relation, settings: Settings) -> dict[str, str | None]:
    """Column -> type, in order; None for those of a view, which follow from its SQL."""
    if relation.group == "views":
        return dict.fromkeys(relation.words)
    if relation.group == "canonical":
        table = canonical_metadata(settings.canonical_schema).tables[relation.full_name]
    else:
        table = next(each for each in _tables_of(relation) if each.name == relation.name)
    return {str(column.name): type_name(column.type) for column in table.columns}


def _tables_of(relation: Relation) -> list[Table]:
    stream = relation.stream or (relation.links and relation.links[0])
    return [raw_table(stream), *link_tables(stream)] if stream else []
