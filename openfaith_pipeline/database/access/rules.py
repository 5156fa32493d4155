"""The access that each of our relations should have, derived from the declarations.

A relation without rules here is closed to readers. docs/decisions/0020-roles.md says why it is done this way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from openfaith_pipeline.database.access import gifts
from openfaith_pipeline.database.access.names import ALL_ORGS, READER, READER_NO_GIVING, READERS, WRITER
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX, canonical_metadata
from openfaith_pipeline.sources import STREAMS, VIEWS

JOURNAL: Final = "sync.journal"
ORGS: Final = "sync.orgs"

_ORG_POLICY: Final = "openfaith_org"
_OF_AN_ORG: Final = ("org_id", "name", "created_at", "paused_at", "removed_at")
_OF_A_STATE: Final = ("org_id", "stream", "availability", "last_succeeded_at")
_OF_A_ROLLBACK: Final = ("rollback_id", "org_id", "sync_id", "undone_at")


@dataclass(frozen=True)
class Policy:
    """A policy of row-level security; it admits the rows for which `using` is true."""

    name: str
    using: sql.Composable
    roles: tuple[str, ...]
    is_for_writes: bool = False
    is_restrictive: bool = False


@dataclass(frozen=True)
class Rules:
    """The rules of one relation.

    columns: role -> the columns that it may select, None for all. A role that is not in it may select nothing.
    policies: none for a view, which has the rights of those who query it.
    """

    columns: Mapping[str, tuple[str, ...] | None]
    policies: tuple[Policy, ...] = ()


def rules_of_readers(canonical_schema: str, views_schema: str) -> dict[tuple[str, str], Rules]:
    """Rules by schema and name, for every relation that readers see anything of."""
    return {
        **dict(_raw()),
        **dict(_canonical(canonical_schema)),
        **{(views_schema, name): Rules(_both(without=name in gifts.views_of_gifts())) for name in VIEWS},
        ("sync", "orgs"): Rules(dict.fromkeys(READERS, _OF_AN_ORG), _by("org_id")),
        ("sync", "stream_states"): Rules(dict.fromkeys(READERS, _OF_A_STATE), _by("org_id")),
        ("sync", "rollbacks"): Rules(dict.fromkeys(READERS, _OF_A_ROLLBACK), _by("org_id")),
        ("sync", "journal"): Rules(
            _both(), (*_by("org_id"), _hiding(_is_any("table_name", gifts.raw_tables_without_gifts())))
        ),
    }


def schemas_of_readers(canonical_schema: str, views_schema: str) -> list[str]:
    """The schemas with a relation that readers may see."""
    return sorted({"sync", canonical_schema, views_schema, *(stream.schema for stream in STREAMS.values())})


def _raw() -> Iterator[tuple[tuple[str, str], Rules]]:
    for stream in STREAMS.values():
        for name in (stream.short_name, *stream.links.values()):
            whole = f"{stream.schema}.{name}"
            columns = _both(without=whole in gifts.raw_tables_of_gifts())
            if whole in gifts.tables_of_the_church():
                columns[READER_NO_GIVING] = tuple(
                    c for c in gifts.OF_THE_CHURCH if c[0] == "_" or c in ("org_id", *stream.columns)
                )
            yield (stream.schema, name), Rules(columns, _by("org_id"))


def _canonical(schema: str) -> Iterator[tuple[tuple[str, str], Rules]]:
    tags = gifts.tags_of_gifts()
    hidden: dict[str, sql.Composable] = {
        "edges": _is_none("sourceEntityTypeTag", tags) + sql.SQL(" AND ") + _is_none("targetEntityTypeTag", tags),
        "externalLinks": _is_none("entityType", tags),
        "folders": _is_none("folderType", gifts.folder_types_of_gifts()),
    }
    for table in canonical_metadata(schema).sorted_tables:
        columns = _both(without=table.name in gifts.canonical_of_gifts())
        if table.name in gifts.tables_with_fields_of_gifts():
            columns[READER_NO_GIVING] = tuple(each.name for each in table.columns if each.name != "customFields")
        visible = hidden.get(table.name.removeprefix(CANONICAL_PREFIX))
        yield (schema, table.name), Rules(columns, (*_by("orgId"), *([_hiding(visible)] if visible else [])))


def _both(*, without: bool = False) -> dict[str, tuple[str, ...] | None]:
    """All columns for readers; for readers without giving, all except `without`."""
    return {role: None for role in READERS if role == READER or not without}


def _by(column: str) -> tuple[Policy, ...]:
    """A subselect without reference to the row is evaluated once per query, and indexes on the org remain usable."""
    mine = sql.SQL("{} = ANY ((SELECT sync.readable_orgs())::text[])").format(sql.Identifier(column))
    everything = sql.SQL("true")
    return (
        Policy(_ORG_POLICY, mine, READERS),
        Policy("openfaith_all_orgs", sql.SQL("(SELECT sync.reads_all_orgs())"), (ALL_ORGS,)),
        Policy("openfaith_writer", everything, (WRITER,), is_for_writes=True),
    )


def _hiding(visible: sql.Composable) -> Policy:
    return Policy("openfaith_no_giving", visible, (READER_NO_GIVING,), is_restrictive=True)


def _is_none(column: str, values: tuple[str, ...]) -> sql.Composed:
    return sql.SQL("coalesce({}, '') <> ALL ({}::text[])").format(sql.Identifier(column), sql.Literal(list(values)))


def _is_any(column: str, values: tuple[str, ...]) -> sql.Composed:
    return sql.SQL("{} = ANY ({}::text[])").format(sql.Identifier(column), sql.Literal(list(values)))
