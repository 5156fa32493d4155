"""Changes since the org's last whole transform, from the notes of the database's triggers.

A note is visible to exactly those who see its change. So notes are taken first and rows are read afterwards: a change
made meanwhile leaves its note for the next transform.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX
from openfaith_pipeline.database.change_notes import LINKS, QUIET, REGISTER, are_changes_noted
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.transform.fingerprint import transform_fingerprint
from openfaith_pipeline.transform.workspace import Workspace

FieldNames = list[list[str | None]]
"""Of each of the church's own fields: the answers' stream, its id, data type and the name of its items."""

_TAKE: Final = sql.SQL(
    "WITH taken AS (DELETE FROM sync.untransformed WHERE org_id = %(org_id)s RETURNING source, key)"
    " INSERT INTO pg_temp.transform_notes SELECT DISTINCT source, key FROM taken"
)


@dataclass(frozen=True)
class State:
    """State left by the last whole transform.

    totals: by table, the records that have a row there and the live rows.
    is_noted: whether anything was noted since.
    """

    totals: Mapping[str, tuple[int, int]]
    field_names: FieldNames
    is_noted: bool


@dataclass(frozen=True)
class Notes:
    """Which sources have notes, and which of them say that everything changed. The notes: `pg_temp.transform_notes`."""

    sources: frozenset[str]
    whole: frozenset[str]

    @property
    def are_of_field_names(self) -> bool:
        return any(answers.definitions.name in self.sources for answers in CANONICAL.answers)

    @property
    def are_of_register(self) -> bool:
        return f"{CANONICAL_PREFIX}{REGISTER}" in self.sources

    def are_of(self, table: str) -> bool:
        return f"{CANONICAL_PREFIX}{table}" in self.sources


def be_quiet(cursor: psycopg.Cursor[Any], *, is_quiet: bool) -> None:
    """Leave no notes about the transform's own writes."""
    cursor.execute("SELECT set_config(%s, %s, true)", (QUIET, "on" if is_quiet else ""))


def note_everything(cursor: psycopg.Cursor[Any], org_id: str) -> None:
    """Have the next transform compare everything, instead of noting this transaction's writes row by row."""
    be_quiet(cursor, is_quiet=True)
    cursor.execute(
        "INSERT INTO sync.untransformed (org_id, source, key) VALUES (%s, %s, '{}')",
        (org_id, f"{CANONICAL_PREFIX}{LINKS}"),
    )


def read_state(workspace: Workspace) -> State | None:
    """The last state; None if not every change since then was noted, or something other than rows changed."""
    statement = sql.SQL(
        "SELECT totals, field_names, EXISTS (SELECT FROM sync.untransformed WHERE org_id = %(org_id)s)"
        " FROM sync.transforms WHERE org_id = %(org_id)s AND fingerprint = %(fingerprint)s AND {}"
    ).format(are_changes_noted(workspace.schema))
    found = workspace.rows(statement, fingerprint=transform_fingerprint(workspace.schema))
    if not found:
        return None
    totals, names, is_noted = found[0]
    return State({table: (records, live) for table, (records, live) in totals.items()}, names, is_noted)


def write_state(workspace: Workspace, totals: Mapping[str, tuple[int, int]], field_names: FieldNames) -> None:
    """Record that the canonical tables reflect everything without a note."""
    workspace.execute(
        sql.SQL(
            "INSERT INTO sync.transforms (org_id, fingerprint, totals, field_names)"
            " VALUES (%(org_id)s, %(fingerprint)s, %(totals)s, %(names)s)"
            " ON CONFLICT (org_id) DO UPDATE SET fingerprint = excluded.fingerprint, totals = excluded.totals,"
            " field_names = excluded.field_names, transformed_at = now()"
        ),
        fingerprint=transform_fingerprint(workspace.schema),
        totals=Jsonb(dict(totals)),
        names=Jsonb(field_names),
    )


def take_notes(workspace: Workspace) -> Notes:
    """Take the notes that exist; from now on this transaction is responsible for them."""
    workspace.create("transform_notes", sql.SQL("(source text, key text[]) ON COMMIT DROP"))
    workspace.execute(_TAKE)
    found: list[tuple[Any, ...]] = workspace.rows(
        sql.SQL("SELECT source, bool_or(key = '{}') FROM pg_temp.transform_notes GROUP BY source")
    )
    return Notes(frozenset(name for name, _ in found), frozenset(name for name, is_whole in found if is_whole))


def are_noted(workspace: Workspace) -> bool:
    """Whether anything has been noted that was not taken."""
    return bool(workspace.count(sql.SQL("SELECT count(*) FROM sync.untransformed WHERE org_id = %(org_id)s")))


def drop_notes(workspace: Workspace) -> bool:
    """Drop the notes unread, because everything is compared; returns whether there were any."""
    return workspace.execute(sql.SQL("DELETE FROM sync.untransformed WHERE org_id = %(org_id)s")) > 0
