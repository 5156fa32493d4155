"""Policies: the value that a field keeps after it was changed in OpenFaith. The most specific one applies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from openfaith_pipeline.canonical.addresses import CUSTOM_FIELDS, ITEMS, column_of, item_address
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.change_notes import EDITS_TRIGGER
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.sources import CANONICAL, SOURCES

ANY: Final = "*"


class Policy(StrEnum):
    """Which value a field keeps that was changed in OpenFaith."""

    SOURCE = "source"
    """The source's: the next sync puts it back."""
    LOCAL = "local"
    """OpenFaith's, whatever the source says later."""
    NEWEST = "newest"
    """OpenFaith's, until the source changes the field at a later time."""
    ASK = "ask"
    """OpenFaith's; where the source changes the field too, a person decides."""


DEFAULT: Final = Policy.SOURCE


@dataclass(frozen=True)
class FieldPolicy:
    """The policy of a field. org_id, entity, field: where it applies; `*` for all without a policy of their own.

    field: its address (`canonical/addresses.py`), or `customFields` for all items of these.
    """

    org_id: str
    entity: str
    field: str
    policy: Policy


_POLICIES: Final[LiteralString] = (
    "SELECT org_id, entity_table AS entity, field, policy FROM sync.conflict_policies"
    " WHERE (%(org)s::text IS NULL OR org_id IN (%(org)s, '*'))"
    " ORDER BY org_id = '*', entity_table = '*', field = '*', field = 'customFields', org_id, entity_table, field"
)
_SET: Final[LiteralString] = (
    "INSERT INTO sync.conflict_policies (org_id, entity_table, field, policy) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (org_id, entity_table, field) DO UPDATE SET policy = excluded.policy"
)
_RESET: Final[LiteralString] = (
    "DELETE FROM sync.conflict_policies WHERE org_id = %s AND entity_table = %s AND field = %s"
)
_NOTED: Final[LiteralString] = """
SELECT c.relname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE t.tgname = %(trigger)s AND t.tgenabled IN ('O', 'A') AND n.nspname = %(schema)s
"""
# The next transform looks at the fields again that a changed policy is about.
_LOOK_AGAIN: Final[LiteralString] = """
INSERT INTO sync.untransformed (org_id, source, key)
SELECT DISTINCT org_id, %(prefix)s || entity_table, ARRAY[entity_id] FROM sync.local_edits
WHERE org_id = coalesce(nullif(%(org)s, '*'), org_id)
    AND entity_table = coalesce(nullif(%(entity)s, '*'), entity_table)
    AND %(field)s IN ('*', field, split_part(field, '.', 1))
"""


def list_policies(connection: Connection[Any], org_id: str | None = None) -> list[FieldPolicy]:
    """The policies that were set, the most specific first: of the org and general ones, or of all orgs."""
    with connection.cursor(row_factory=class_row(FieldPolicy)) as cursor:
        return cursor.execute(_POLICIES, {"org": org_id}).fetchall()


def policies_by_field(
    connection: Connection[Any], org_id: str, edited: Iterable[tuple[str, str]]
) -> Mapping[str, Mapping[str, Policy]]:
    """The org's policy for each of these fields, by table and field."""
    known = list_policies(connection, org_id)
    found: dict[str, dict[str, Policy]] = {}
    for entity, field in edited:
        found.setdefault(entity, {})[field] = policy_of(known, entity, field)
    return found


def policy_of(policies: Iterable[FieldPolicy], entity: str, field: str) -> Policy:
    """The first policy that applies. policies: as listed for one org, the most specific first."""
    for each in policies:
        if each.entity in {entity, ANY} and each.field in {field, column_of(field), ANY}:
            return Policy(each.policy)
    return DEFAULT


def check_noted(connection: Connection[Any], schema: str, policy: Policy) -> None:
    """Raise UsageError if the policy needs the triggers that note people's changes, and a table has none."""
    if policy is Policy.SOURCE:
        return
    noted = {name for (name,) in connection.execute(_NOTED, {"trigger": EDITS_TRIGGER, "schema": schema})}
    missing = [
        f"{schema}.{CANONICAL_PREFIX}{name}" for name in CANONICAL.tables if CANONICAL_PREFIX + name not in noted
    ]
    if missing:
        raise UsageError(
            f"who changes {missing[0]} is not recorded ({len(missing)} of {len(CANONICAL.tables)} tables): its owner"
            f" has to GRANT TRIGGER ON ALL TABLES IN SCHEMA {schema} to our database user;"
            " then: openfaith-pipeline db upgrade"
        )


def set_policy(connection: Connection[Any], chosen: FieldPolicy) -> None:
    """Set a policy; the next transform also applies it to fields that were changed before."""
    connection.execute(_SET, (chosen.org_id, chosen.entity, chosen.field, chosen.policy))
    _look_again(connection, chosen.org_id, chosen.entity, chosen.field)


def reset_policy(connection: Connection[Any], org_id: str, entity: str, field: str) -> None:
    """Remove a policy, so that the next more general one applies. Raises UsageError if there is none."""
    if not connection.execute(_RESET, (org_id, entity, field)).rowcount:
        raise UsageError("no such policy is set; see: openfaith-pipeline policy list")
    _look_again(connection, org_id, entity, field)


def _look_again(connection: Connection[Any], org_id: str, entity: str, field: str) -> None:
    parameters = {"prefix": CANONICAL_PREFIX, "org": org_id, "entity": entity, "field": field}
    connection.execute(_LOOK_AGAIN, parameters)


def named_entity(name: str) -> str:
    """The table of this name, however it is written: `phoneNumbers`, `phone_numbers`; UsageError if there is none."""
    return _named(name.removeprefix(CANONICAL_PREFIX), CANONICAL.tables, "entity")


def named_field(entity: str, name: str) -> str:
    """The field of the table that a source feeds, in either spelling, `firstName` or `first_name`; else UsageError.

    A custom field is `<adapter>_<attribute>`, and `customFields` is all of them: a church's own have any name.
    """
    item = name.removeprefix(ITEMS)
    if item.startswith(tuple(f"{adapter}_" for adapter in SOURCES)):
        return item_address(item)
    if _plain(name) == _plain(CUSTOM_FIELDS):
        return CUSTOM_FIELDS
    fields = CANONICAL.tables[entity].columns if entity != ANY else _all_fields()
    return _named(name, fields, f"field of {entity} that a sync writes" if entity != ANY else "field")


def _all_fields() -> dict[str, None]:
    return dict.fromkeys(name for table in CANONICAL.tables.values() for name in table.columns)


def _named(name: str, known: Iterable[str], kind: str) -> str:
    plain = {_plain(each): each for each in known}
    found = plain.get(_plain(name))
    if found is None:
        close = [plain[each] for each in get_close_matches(_plain(name), plain)] or sorted(plain.values())[:8]
        raise UsageError(f"{name!r} is not a {kind}; try {', '.join(close)}")
    return found


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
