"""Value rules as SQL: the one place where a declaration's rule becomes an expression.

An expression reads the raw row `r` and is null if the source has nothing that the column can hold. A Phone also
needs the join of `phone_numbers.py`.
"""

from typing import Final

from psycopg import sql

from openfaith_pipeline.canonical.relationships import mentioned
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
from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.identity import adapter_of, external_id
from openfaith_pipeline.transform.workspace import Workspace

E164: Final = "[+][1-9][0-9]{1,14}"


def value(workspace: Workspace, rule: Rule, stream: Stream) -> sql.Composable:
    """SQL for any rule."""
    if isinstance(rule, Reference):
        return _referenced(workspace, rule, stream)
    return plain_value(rule, stream)


def with_default(rule: Rule, expression: sql.Composable) -> sql.Composable:
    """The expression, or the rule's default if it is null."""
    if rule.default is None:
        return expression
    return sql.SQL("COALESCE({}, {})").format(expression, sql.Literal(rule.default))


def plain_value(rule: Rule, stream: Stream) -> sql.Composable:  # noqa: PLR0911 - a case for each rule
    """SQL for a rule over the raw row alone. Raises ValueError for a Reference, which needs the org's links."""
    match rule:
        case Take(attribute) | Money(attribute):
            return _raw(attribute)
        case Integer32(attribute):
            return sql.SQL("CASE WHEN {0} BETWEEN -2147483648 AND 2147483647 THEN {0} END").format(_raw(attribute))
        case FirstOf(attributes):
            return sql.SQL("COALESCE({})").format(sql.SQL(", ").join(map(_raw, attributes)))
        case Joined():
            return _joined(rule, stream)
        case Constant(text):
            return sql.SQL("{}::text").format(sql.Literal(text))
        case Choice():
            return _chosen(rule)
        case Day(attribute):
            # Independent of the session's DateStyle.
            return sql.SQL("to_char({}, 'YYYY-MM-DD')").format(_raw(attribute))
        case Matching():
            return _matching(rule)
        case Phone(e164):
            return sql.SQL("CASE WHEN {} THEN {} ELSE computed.number END").format(is_e164(e164), _raw(e164))
        case Presence():
            return _present(rule, stream)
    raise ValueError(f"{rule} needs more than the raw row")


def is_e164(attribute: str) -> sql.Composable:
    """SQL: whether the attribute is a number in the form of E.164; null if it is null."""
    return _matches(attribute, E164)


def json_scalar(kind: ColumnType, expression: sql.Composable) -> sql.Composable:
    """The value as it goes into JSON: a moment in UTC, whatever the session's time zone."""
    if kind is ColumnType.TIMESTAMP:
        return sql.SQL("(to_json({} AT TIME ZONE 'UTC') #>> '{{}}') || 'Z'").format(expression)
    return expression


def _raw(attribute: str) -> sql.Identifier:
    return sql.Identifier("r", attribute)


def _joined(rule: Joined, stream: Stream) -> sql.Composable:
    texts = sql.SQL(", ").join(_text(name, stream.attributes[name]) for name in rule.attributes)
    return sql.SQL("NULLIF(concat_ws({}, {}), '')").format(sql.Literal(rule.by), texts)


def _text(attribute: str, kind: ColumnType) -> sql.Composable:
    """The value as text, null if it is empty; a JSON string without its quotes."""
    plain = "{} #>> '{{}}'" if kind is ColumnType.JSON else "{}::text"
    return sql.SQL(f"NULLIF({plain}, '')").format(_raw(attribute))


def _chosen(rule: Choice) -> sql.Composable:
    whens = [
        sql.SQL("WHEN lower({}) = {} THEN {}").format(_raw(rule.attribute), sql.Literal(word), sql.Literal(meaning))
        for word, meaning in rule.words.items()
    ]
    return sql.SQL("CASE {} END").format(sql.SQL(" ").join(whens))


def _matching(rule: Matching) -> sql.Composable:
    text = sql.SQL("upper({})" if rule.is_upper else "{}").format(_raw(rule.attribute))
    return sql.SQL("CASE WHEN {} THEN {} END").format(_matches(rule.attribute, rule.pattern), text)


def _matches(attribute: str, pattern: str) -> sql.Composable:
    return sql.SQL("{} ~ {}").format(_raw(attribute), sql.Literal(f"^({pattern})$"))


def _present(rule: Presence, stream: Stream) -> sql.Composable:
    there = sql.SQL(" OR ").join(_is_there(name, stream) for name in filter(None, (rule.attribute, rule.also)))
    return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(
        there, sql.Literal(rule.present), sql.Literal(rule.absent)
    )


def _is_there(attribute: str, stream: Stream) -> sql.Composable:
    is_flag = stream.attributes[attribute] is ColumnType.BOOLEAN
    return sql.SQL("{} IS TRUE" if is_flag else "{} IS NOT NULL").format(_raw(attribute))


_REFERENCED: Final = sql.SQL("""(
    SELECT named."entityId" FROM {links} named
    WHERE named."orgId" = %(org_id)s AND named.adapter = {adapter} AND named."entityType" = {tag}
        AND named."externalId" = {external_id})""")


def _referenced(workspace: Workspace, rule: Reference, stream: Stream) -> sql.Composable:
    target = mentioned(stream, rule.relationship, CANONICAL.known)
    named: sql.Composable = sql.Identifier("r", f"{rule.relationship}_id")
    if target.stream.name in CANONICAL.merges:
        named = sql.SQL(
            "COALESCE((SELECT survivor_id FROM pg_temp.transform_survivors"
            " WHERE stream = {stream} AND record_id = {named}), {named})"
        ).format(stream=sql.Literal(target.stream.name), named=named)
    return _REFERENCED.format(
        links=workspace.canonical("externalLinks"),
        adapter=adapter_of(target),
        tag=sql.Literal(target.tag),
        external_id=external_id(target, named),
    )
