"""Conflicts: fields that were changed both in OpenFaith and at the source, and wait for a person's decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from openfaith_pipeline.canonical.addresses import ITEMS, label_of
from openfaith_pipeline.errors import UsageError


class Decision(StrEnum):
    """Decision of a conflict."""

    APPROVE = "approve"
    """The source's value replaces OpenFaith's."""
    REJECT = "reject"
    """OpenFaith's value stays, until the source has yet another one."""


@dataclass(frozen=True)
class Conflict:
    """One field of one entity. The values are people's data.

    field: its address (`canonical/addresses.py`). base, local, source: of a custom field the value of its item.
    base: the value of the last sync before both changed it. source_changed_at: when the record changed at the source.
    edited_by: a user of OpenFaith, or of the database. sync_id: the sync that found it.
    decision: approved, rejected, or settled if it ended by itself; None while open.
    """

    id: str
    org_id: str
    entity: str
    entity_id: str
    field: str
    base: Any
    local: Any
    source: Any
    source_changed_at: datetime | None
    edited_at: datetime
    edited_by: str
    sync_id: str
    since: datetime
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None

    @property
    def label(self) -> str:
        """The field in words."""
        return label_of(self.field)


_OF_ITEM: Final[LiteralString] = f"starts_with(field, '{ITEMS}')"
_CONFLICTS: Final[LiteralString] = f"""
SELECT id, org_id, entity_table AS entity, entity_id, field, source_changed_at, edited_at, edited_by, sync_id, since,
       decision, decided_at, decided_by, CASE WHEN {_OF_ITEM} THEN base -> 'value' ELSE base END AS base,
       CASE WHEN {_OF_ITEM} THEN local -> 'value' ELSE local END AS local,
       CASE WHEN {_OF_ITEM} THEN source -> 'value' ELSE source END AS source
  FROM sync.conflicts
 WHERE (%(org)s::text IS NULL OR org_id = %(org)s) AND (%(all)s OR decision IS NULL)
   AND (%(ids)s::text[] IS NULL OR id = ANY(%(ids)s))
 ORDER BY since, length(id), id LIMIT %(limit)s
"""  # noqa: S608 - constants alone


def list_conflicts(
    connection: Connection[Any],
    org_id: str | None = None,
    *,
    ids: Sequence[str] | None = None,
    with_decided: bool = False,
    limit: int | None = None,
) -> list[Conflict]:
    """Conflicts waiting for a decision, oldest first; with `with_decided`, decided ones too."""
    parameters = {"org": org_id, "all": with_decided, "limit": limit, "ids": None if ids is None else list(ids)}
    with connection.cursor(row_factory=class_row(Conflict)) as cursor:
        return cursor.execute(_CONFLICTS, parameters).fetchall()


def count_conflicts(connection: Connection[Any], org_id: str) -> int:
    """The org's conflicts that wait."""
    row = connection.execute(
        "SELECT count(*) AS number FROM sync.conflicts WHERE org_id = %s AND decision IS NULL", (org_id,)
    ).fetchone()
    return int(row[0] if isinstance(row, tuple) else row["number"]) if row else 0


_FORGET: Final = """
DELETE FROM sync.conflicts AS conflict WHERE decided_at < now() - coalesce(
    (SELECT own.journal_kept FROM sync.org_settings AS own WHERE own.org_id = conflict.org_id), %s)
"""


def forget_decided(connection: Connection[Any], older_than: timedelta) -> int:
    """Delete conflicts decided longer ago, with their values; returns how many.

    older_than: for orgs that keep their journal as long as others.
    """
    return connection.execute(_FORGET, (older_than,)).rowcount


def waiting_conflicts(connection: Connection[Any], ids: Sequence[str]) -> list[Conflict]:
    """The waiting conflicts with these ids; UsageError if one of them is not waiting."""
    found = list_conflicts(connection, ids=ids)
    missing = sorted(set(ids) - {each.id for each in found})
    if missing:
        raise UsageError(f"not waiting for a decision: {', '.join(missing)}; see: openfaith-pipeline review list --all")
    return found
