"""The declarations in words: comments of tables and columns, and the tables of docs/canonical.md."""

from collections.abc import Iterator

from openfaith_pipeline.canonical.model import Answers, Edge, Entity, Field
from openfaith_pipeline.canonical.registry import CanonicalTable, Model
from openfaith_pipeline.canonical.rules import (
    Choice,
    Constant,
    Day,
    FirstOf,
    Joined,
    Matching,
    Money,
    Phone,
    Presence,
    Reference,
    Rule,
    Take,
)
from openfaith_pipeline.catalog.stream import Stream


def described(rule: Rule) -> str:  # noqa: PLR0911 - a case for each rule
    """The source of a value in words, such as "`first_name`"."""
    match rule:
        case Take(attribute, default):
            return f"`{attribute}`" + ("" if default is None else f", else {_literal(default)}")
        case FirstOf(attributes):
            return "the first of " + ", ".join(f"`{name}`" for name in attributes)
        case Joined(attributes):
            return " and ".join(f"`{name}`" for name in attributes)
        case Constant(value):
            return f"always `{value}`"
        case Choice(attribute, words):
            return f"`{attribute}` as one of {', '.join(f'`{word}`' for word in dict.fromkeys(words.values()))}"
        case Money(attribute):
            return f"`{attribute}`, in cents"
        case Day(attribute):
            return f"`{attribute}` as YYYY-MM-DD"
        case Matching(attribute, pattern):
            return f"`{attribute}` where it matches `{pattern}`"
        case Phone(e164, number):
            return f"`{e164}`, else worked out from `{number}`, as E.164"
        case Presence(attribute, present, absent):
            return f"`{present}` with `{attribute}`, else `{absent}`"
        case Reference(relationship):
            return f"id of the entity that `{relationship}` names"


def described_table(table: CanonicalTable) -> str:
    """The table's comment."""
    return "Made from " + ", ".join(f"{_raw(entity.stream)} ({entity.stream.type})" for entity in table.entities)


def described_column(table: CanonicalTable, name: str) -> str:
    """The column's comment: its source, by stream where they differ."""
    fed = {entity.stream.name: described(entity.columns[name]) for entity in table.entities if name in entity.columns}
    if len(fed) == len(table.entities) and len(set(fed.values())) == 1:
        return fed.popitem()[1]
    return "; ".join(f"{stream}: {words}" for stream, words in fed.items())


def references_of(table: CanonicalTable) -> list[str]:
    """The columns that hold another entity's id."""
    found = (name for entity in table.entities for name, rule in entity.columns.items() if isinstance(rule, Reference))
    return list(dict.fromkeys(found))


def render_types(model: Model) -> str:
    """A Markdown table of the mapped types, with the source of each column."""
    lines = ["| Planning Center | raw table | becomes | with |", "|---|---|---|---|"]
    return "\n".join([*lines, *_rows(model)]) + "\n"


def render_edges(model: Model) -> str:
    """A Markdown table of the edges that follow from relationships, by the entities they join."""
    lines = ["| raw table | `relationshipKey` | between |", "|---|---|---|"]
    for each in model.relationships:
        if each.is_edge:
            lines.append(f"| {_raw(each.stream)} | `{each.key}` | {each.owner.tag} and {each.target.tag} |")
    return "\n".join(lines) + "\n"


def _rows(model: Model) -> Iterator[str]:
    for entity in model.entities.values():
        yield _row(entity.stream, f"a row of `openfaith_{entity.table}`", _columns(entity))
    for edge in model.edges.values():
        yield _row(edge.stream, f"an edge `{edge.key}`, {edge.between[0]} and {edge.between[1]}", _metadata(edge))
    values: list[Field | Answers] = [*model.fields, *model.answers]
    for each in values:
        yield _row(each.stream, f"custom fields of {_owner(model, each)}", _items(each))
    for alias in model.aliases.values():
        yield _row(alias.stream, f"the same as {_raw(alias.of)}", "")


def _row(stream: Stream, becomes: str, fed: str) -> str:
    return f"| {stream.type} | {_raw(stream)} | {becomes} | {fed} |"


def _columns(entity: Entity) -> str:
    return "; ".join(f"`{name}`: {described(rule)}" for name, rule in entity.columns.items())


def _metadata(edge: Edge) -> str:
    return "; ".join(f"`{name}`: {described(rule)}" for name, rule in edge.metadata.items())


def _items(each: Field | Answers) -> str:
    adapter = each.stream.product.source.adapter
    if isinstance(each, Answers):
        return f"`{adapter}_<{each.slug}>`: {described(each.value)}"
    return "; ".join(f"`{adapter}_{name}`: {described(rule)}" for name, rule in each.values.items())


def _owner(model: Model, each: Field | Answers) -> str:
    entity = model.entities.get(each.on.name)
    return f"`openfaith_{entity.table}`" if entity else f"the edges `{model.edges[each.on.name].key}` (as metadata)"


def _raw(stream: Stream) -> str:
    return f"`{stream.schema}.{stream.short_name}`"


def _literal(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"'{value}'"
