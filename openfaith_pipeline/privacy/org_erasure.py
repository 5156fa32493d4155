"""Erase an org: all its rows in every table, its credentials, and its part of Dagster's history."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

from psycopg import Connection, Cursor, sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.dagster_removal import ERASED, ERASED_NAME, remove_partition
from openfaith_pipeline.database.reclaiming import Reclaimed
from openfaith_pipeline.database.table_names import STAGING_SCHEMA, staging_name, staging_table_name
from openfaith_pipeline.errors import UnknownOrg
from openfaith_pipeline.load.leases import hold_org
from openfaith_pipeline.privacy.marks import add_counts, certify
from openfaith_pipeline.privacy.org_tables import OrgTable, bookkeeping_tables, data_tables
from openfaith_pipeline.privacy.unreclaimed import owe_rewriting, rewrite_owed
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import take_turn

_KEPT: Final = "erasures"
_LAST: Final = ("stream_syncs", "orgs")
"""Others refer to these."""

# Those that read no stream, such as rebuilds, name their orgs only in their parameters.
_SYNCS: Final = """
SELECT DISTINCT sync_id FROM sync.stream_syncs WHERE org_id = %(org_id)s
UNION SELECT sync_id FROM sync.syncs WHERE requested -> 'orgs' = jsonb_build_array(%(org_id)s::text)
"""
_UNNAME: Final = """
UPDATE sync.syncs SET requested = replace(requested::text, %(org_id)s, %(erased)s)::jsonb,
    error = replace(error, %(org_id)s, %(erased)s), idempotency_key = replace(idempotency_key, %(org_id)s, %(erased)s)
WHERE strpos(requested::text, %(org_id)s) > 0 OR strpos(error, %(org_id)s) > 0
    OR strpos(idempotency_key, %(org_id)s) > 0
"""
_LEAST_BEGINNING: Final = 4
"""Characters of a church's name that, at the end of a message that was cut off, are taken for its beginning."""

_UNUSED_SYNCS: Final = """
DELETE FROM sync.syncs AS whole WHERE sync_id = ANY(%s)
    AND NOT EXISTS (SELECT FROM sync.stream_syncs AS done WHERE done.sync_id = whole.sync_id)
    AND NOT EXISTS (SELECT FROM sync.journal AS entry WHERE entry.sync_id = whole.sync_id)
"""


class OrgCertificate(NamedTuple):
    """Proof of an erasure. counts: rows by table. reclaimed: None if it is only foreseen."""

    erasure_id: str
    org_id: str
    erased_by: str
    erased_at: datetime
    counts: dict[str, int]
    reclaimed: Reclaimed | None = None


def _quiet(_message: str) -> None: ...


def is_registered(connection: Connection[Any], org_id: str) -> bool:
    """Whether the org exists, even if it was removed."""
    return connection.execute("SELECT FROM sync.orgs WHERE org_id = %s", (org_id,)).fetchone() is not None


def foresee_org_erasure(database: Database, org_id: str) -> OrgCertificate:
    """A preview of the erasure: exactly the rows that it would remove. Raises the same errors as `erase_org`."""
    with database.connect(autocommit=True) as connection, connection.transaction(force_rollback=True):
        return _erase(connection, database.settings.canonical_schema, org_id, "nobody", _quiet)


def erase_org(database: Database, org_id: str, by: str, tell: Callable[[str], None] = _quiet) -> OrgCertificate:
    """Erase an org. End its webhook subscriptions first: afterwards nobody can.

    Raises UnknownOrg, and StreamBusy while a sync of the org is running.
    """
    with database.connect(autocommit=True) as connection:
        with connection.transaction():
            certificate = _erase(connection, database.settings.canonical_schema, org_id, by, tell)
            tables = tables_to_rewrite(certificate.counts)
            owe_rewriting(connection, certificate.erasure_id, tables)
        tell("rewriting the tables, so that their files lose the values too")
        reclaimed = rewrite_owed(connection, certificate.erasure_id, tables)
    return certificate._replace(reclaimed=reclaimed)


def _erase(
    connection: Connection[Any], schema: str, org_id: str, by: str, tell: Callable[[str], None]
) -> OrgCertificate:
    erasure_id = str(uuid4())
    with connection.cursor() as cursor:
        if not is_registered(connection, org_id):
            raise UnknownOrg(f"there is no org {org_id!r}, and there never was one")
        erased_at = certify(cursor, erasure_id, org_id, "org", by, {})
        counts = remove_org(connection, schema, org_id, tell)
        add_counts(connection, erasure_id, counts)
    return OrgCertificate(erasure_id, org_id, by, erased_at, counts)


def remove_org(
    connection: Connection[Any], schema: str, org_id: str, tell: Callable[[str], None] = _quiet
) -> dict[str, int]:
    """Remove every row of the org but its certificates; returns counts by table. Raises as `erase_org`."""
    with connection.cursor() as cursor, hold_org(connection, org_id, STREAMS):
        take_turn(cursor, org_id)
        asked = {"org_id": org_id, "erased": ERASED}
        syncs = [sync_id for (sync_id,) in cursor.execute(_SYNCS, asked)]
        [name] = cursor.execute("SELECT name FROM sync.orgs WHERE org_id = %s", (org_id,)).fetchone() or (None,)
        counts = {"staging": _remove_staged(connection, org_id)}
        for table in _in_order(data_tables(connection, schema), bookkeeping_tables(connection)):
            counts[table.full_name] = _remove(connection, table, org_id)
            if counts[table.full_name]:
                tell(f"{table.full_name}: {counts[table.full_name]} rows")
        counts["sync.syncs"] = cursor.execute(_UNUSED_SYNCS, (syncs,)).rowcount
        counts["sync.syncs"] += cursor.execute(_UNNAME, asked).rowcount
        counts["sync.alerts"] += _unname_in_alerts(cursor, org_id, name)
        counts |= remove_partition(connection, org_id, name)
    return {table: number for table, number in counts.items() if number}


def _unname_in_alerts(cursor: Cursor[Any], org_id: str, name: str | None) -> int:
    """A failure of many orgs is an alert of none, and lists some of them. Returns the number of messages changed."""
    changed = 0
    for alert_id, message in cursor.execute("SELECT id, message FROM sync.alerts WHERE org_id IS NULL").fetchall():
        if (told := _unnamed(message, org_id, name)) != message:
            changed += cursor.execute("UPDATE sync.alerts SET message = %s WHERE id = %s", (told, alert_id)).rowcount
    return changed


def _unnamed(message: str, org_id: str, name: str | None) -> str:
    listed = f"{name or org_id} ({org_id})"
    told = message.replace(listed, ERASED_NAME)
    cut_off = next((n for n in range(len(listed) - 1, _LEAST_BEGINNING, -1) if told.endswith(listed[:n])), 0)
    told = told[:-cut_off] + ERASED_NAME if cut_off else told
    return told.replace(org_id, ERASED)


def tables_to_rewrite(counts: Iterable[str]) -> list[str]:
    """The tables that an org was removed from, and those its pages passed through."""
    return [*counts, *(f"{STAGING_SCHEMA}.{staging_table_name(stream)}" for stream in STREAMS.values())]


def _in_order(data: list[OrgTable], bookkeeping: list[OrgTable]) -> list[OrgTable]:
    """The tables to empty, those that others refer to last."""
    ours = [table for table in bookkeeping if table.name != _KEPT]
    first = [table for table in ours if table.name not in _LAST]
    # The triggers of the data note each removed row, so these notes go after it.
    return [*data, *first, *(table for name in _LAST for table in ours if table.name == name)]


def _remove(connection: Connection[Any], table: OrgTable, org_id: str) -> int:
    statement = sql.SQL("DELETE FROM {} WHERE {} = %s").format(table.identifier, sql.Identifier(table.org))
    return connection.execute(statement, (org_id,)).rowcount


def _remove_staged(connection: Connection[Any], org_id: str) -> int:
    staged = sql.SQL(
        "DELETE FROM {} WHERE _stream_sync_id IN (SELECT id FROM sync.stream_syncs WHERE org_id = %s AND stream = %s)"
    )
    return sum(
        connection.execute(staged.format(staging_name(stream)), (org_id, name)).rowcount
        for name, stream in STREAMS.items()
    )
