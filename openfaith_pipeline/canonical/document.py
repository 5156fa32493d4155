"""The declarations described: comments of tables and columns, and the tables of docs/canonical.md and docs/types.md."""

from collections.abc import Iterator, Mapping
from typing import Final

from openfaith_pipeline.canonical.model import Answers, Edge, Entity, Field
from openfaith_pipeline.canonical.plan import Plan, streams_of_type
from openfaith_pipeline.canonical.registry import CanonicalTable, Model
from openfaith_pipeline.canonical.rules import (
    Choice,
    Constant,
    Day,
    FirstOf,
    Integer32,
    Joined,
    Matching,
    Money,
    Phone,
    Presence,
    Reference,
    Rule,
    Take,
)
from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream


def described(rule: Rule) -> str:  # noqa: PLR0911 - a case for each rule
    """The source of a value in words, such as "`first_name`"."""
    match rule:
        case Take(attribute, default):
            return f"`{attribute}`{_else(default)}"
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
        case Integer32(attribute, default):
            return f"`{attribute}` of at most 32 bits{_else(default)}"
        case Day(attribute):
            return f"`{attribute}` as YYYY-MM-DD"
        case Matching(attribute, pattern):
            return f"`{attribute}` where it matches `{pattern}`"
        case Phone(e164, number):
            return f"`{e164}`, else worked out from `{number}`, as E.164"
        case Presence(attribute, present, absent, also):
            return f"`{present}` with `{attribute}`{f' or `{also}`' if also else ''}, else `{absent}`"
        case Reference(relationship, default):
            return f"id of the entity that `{relationship}` names{_else(default)}"


def described_table(table: CanonicalTable) -> str:
    """The table's comment."""
    return "Made from " + ", ".join(f"{_raw(entity.stream)} ({entity.stream.type})" for entity in table.entities)


def described_column(table: CanonicalTable, name: str) -> str:
    """The column's comment: its source, listed by stream if they differ."""
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


def render_plan(model: Model, plan: Plan, not_synced: Mapping[Product, Mapping[str, str]]) -> str:
    """A page: each type of OpenFaith's plan, the form planned for it, and its form here."""
    made: dict[str, list[str]] = {}
    for stream, becomes, _ in _made(model):
        made.setdefault(stream.name, []).append(becomes)
    lines = [_PLAN_INTRODUCTION]
    for product, type_, form in plan.planned():
        names = [stream.name for stream in streams_of_type(model, product, type_)]
        becomes = "; ".join(dict.fromkeys(each for name in names for each in made.get(name, [])))
        here = becomes or ("not yet mapped" if plan.is_missing(product, type_) else "nothing")
        why = plan.reason(product, type_) or not_synced.get(product, {}).get(type_, "")
        lines.append(f"| {_title(product)} | {type_} | {form} | {here} | {why} |")
    return "\n".join(lines) + "\n"


_PLAN_INTRODUCTION: Final = """\
# What becomes of each type

Written by `make docs` from the declarations in `planning_center/mapping/`; change those, not this. OpenFaith has a plan
of the form that each type of Planning Center takes; where a declaration differs from it, the last column says why. The
raw table of a type is filled whatever becomes of it here.

| product | type | planned as | becomes | why differently |
|---|---|---|---|---|"""


def _title(product: Product) -> str:
    return product.value.replace("_", "-").title()


def _rows(model: Model) -> Iterator[str]:
    for stream, becomes, fed in _made(model):
        yield f"| {stream.type} | {_raw(stream)} | {becomes} | {fed} |"


def _made(model: Model) -> Iterator[tuple[Stream, str, str]]:
    """Each declared stream, the entities that its records become, and their values."""
    for entity in model.entities.values():
        yield entity.stream, _becomes(entity), _columns(entity)
    for edge in model.edges.values():
        yield edge.stream, f"an edge `{edge.key}`, {edge.between[0]} and {edge.between[1]}", _metadata(edge)
    values: list[Field | Answers] = [*model.fields, *model.answers]
    for each in values:
        yield each.stream, f"custom fields of {_owner(model, each)}", _items(each)
    for alias in model.aliases.values():
        yield alias.stream, f"the same as {_raw(alias.of)}", ""


def _becomes(entity: Entity) -> str:
    folder_type = entity.columns.get("folderType")
    kind = f", `{folder_type.value}`" if isinstance(folder_type, Constant) else ""
    return f"a row of `openfaith_{entity.table}`{kind}"


def _columns(entity: Entity) -> str:
    return "; ".join(f"`{name}`: {described(rule)}" for name, rule in entity.columns.items())


def _metadata(edge: Edge) -> str:
    return "; ".join(f"`{name}`: {described(rule)}" for name, rule in edge.metadata.items())


def _items(each: Field | Answers) -> str:
    adapter = each.stream.adapter
    if isinstance(each, Answers):
        return f"`{adapter}_<{each.slug}>`: {described(each.value)}"
    return "; ".join(f"`{adapter}_{name}`: {described(rule)}" for name, rule in each.values.items())


def _owner(model: Model, each: Field | Answers) -> str:
    entity = model.entities.get(each.on.name)
    return f"`openfaith_{entity.table}`" if entity else f"the edges `{model.edges[each.on.name].key}` (as metadata)"


def _raw(stream: Stream) -> str:
    return f"`{stream.raw_table}`"


def _else(default: str | bool | int | None) -> str:
    match default:
        case None:
            return ""
        case str():
            return f", else '{default}'"
    return f", else {str(default).lower()}"
