"""A simulated church connected to a test's database, and the comparison of its tables with the source."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import uuid4

from psycopg import Connection, sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from openfaith_pipeline.catalog.stream import ColumnType, Stream
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.network.credentials import PersonalAccessToken
from openfaith_pipeline.network.retrying import RetryLimits
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS, streams_of
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import StreamResult, SyncMode

IMPATIENT: ClientFactory = partial(connect_client, retry=RetryLimits(first_wait=timedelta(milliseconds=1)))
"""Tries again as often as ever, at once."""

ALL = tuple(STREAMS.values())
PEOPLE_ONLY = streams_of(Product.PEOPLE)


def connect(database: Database, simulator: SimulatorClient) -> list[str]:
    """Connect every church of the simulator; their org ids."""
    churches = simulator.churches()
    with database.connect() as connection:
        for church in churches:
            token = PersonalAccessToken(church["app_id"], SecretStr(church["secret"]))
            cipher = cipher_from(database.settings)
            add_org(connection, cipher, church["org_id"], church["name"], token, api_url=simulator.url, adapter="pco")
    return [church["org_id"] for church in churches]


def lead_to(database: Database, simulator: SimulatorClient) -> None:
    """Have the connected churches read from this simulator, which has the same ones."""
    with database.connect() as connection:
        connection.execute("UPDATE sync.source_connections SET api_url = %s", (simulator.url,))


def sync(
    database: Database,
    org_id: str,
    streams: Sequence[Stream] = PEOPLE_ONLY,
    mode: SyncMode = SyncMode.INCREMENTAL,
    sync_id: str | None = None,
    *,
    is_rotating: bool = False,
    client_factory: ClientFactory = connect_client,
) -> dict[str, StreamResult]:
    """Sync as one attempt of a sync, a new one unless named; is_rotating: as one that comes often."""
    sync_id = sync_id or f"sync_{uuid4().hex}"
    with database.connect() as connection:
        begin_sync(connection, SyncStart(sync_id, None, mode.value, "test", {}))
    reading = sync_streams(
        database,
        org_id,
        streams,
        mode=mode,
        sync_id=sync_id,
        is_rotating=is_rotating,
        client_factory=client_factory,
    )
    results = asyncio.run(reading)
    with database.connect() as connection:
        finish_sync(connection, sync_id)
    return results


def statuses(results: Mapping[str, StreamResult]) -> dict[str, str | None]:
    """The streams that did not succeed, with the reason."""
    return {
        name: f"{result.status}: {result.error}" for name, result in results.items() if result.status != "succeeded"
    }


def stored(database: Database, org_id: str, stream: Stream) -> dict[str, dict[str, Any]]:
    """The live rows of a raw table by id: its typed columns and `_extra`."""
    with database.connect() as connection:
        return _stored(connection, org_id, stream)


def _stored(connection: Connection[Any], org_id: str, stream: Stream) -> dict[str, dict[str, Any]]:
    columns = sql.SQL(", ").join(map(sql.Identifier, ["id", *stream.columns, "_extra"]))
    table = raw_name(stream)
    rows = (
        connection.cursor(row_factory=dict_row)
        .execute(
            sql.SQL("SELECT {} FROM {} WHERE org_id = %s AND _deleted_at IS NULL").format(columns, table), (org_id,)
        )
        .fetchall()
    )
    return {row.pop("id"): row for row in rows}


def expected(truth: Iterable[Mapping[str, Any]], stream: Stream) -> dict[str, dict[str, Any]]:
    """The rows that the source's records make, worked out from the declaration and nothing else."""
    return {record["id"]: _expected_row(record, stream) for record in truth}


def _expected_row(record: Mapping[str, Any], stream: Stream) -> dict[str, Any]:
    attributes, relationships = record["attributes"], record["relationships"]
    row: dict[str, Any] = {}
    for name, target in stream.belongs_to.items():
        data = (relationships.get(name) or {}).get("data") or {}
        row[f"{name}_id"] = data.get("id")
        if target is None:
            row[f"{name}_type"] = data.get("type")
    for name, kind in stream.attributes.items():
        if name not in row:
            row[name] = _expected_value(attributes.get(name), kind)
    unknown = {name: value for name, value in attributes.items() if name not in stream.attributes}
    return {**row, "_extra": unknown or None}


def _expected_value(value: Any, kind: ColumnType) -> Any:
    if value is None:
        return None
    if kind is ColumnType.TIMESTAMP:
        return datetime.fromisoformat(value)
    if kind is ColumnType.FLOAT:
        return Decimal(str(value))
    return date.fromisoformat(value) if kind is ColumnType.DATE else value


def differences(
    database: Database, simulator: SimulatorClient, org_id: str, streams: Sequence[Stream] = PEOPLE_ONLY
) -> list[str]:
    """Every row, and every value in it, in which the raw tables are not the source's truth; empty when they are."""
    with database.connect() as connection:
        present = {stream: _stored(connection, org_id, stream) for stream in streams}
    found: list[str] = []
    for stream, have in present.items():
        want = expected(simulator.truth(org_id, stream.name), stream)
        found += [f"{stream.name} {identifier}: missing" for identifier in want.keys() - have.keys()]
        found += [f"{stream.name} {identifier}: not at the source" for identifier in have.keys() - want.keys()]
        for identifier in want.keys() & have.keys():
            found += [
                f"{stream.name} {identifier}.{name}: {have[identifier][name]!r} is not {value!r}"
                for name, value in want[identifier].items()
                if have[identifier][name] != value
            ]
    return found


def row_versions(database: Database, streams: Sequence[Stream] = PEOPLE_ONLY) -> dict[str, Any]:
    """(ctid, xmin) of every raw row: equal before and after when nothing was written."""
    versions: dict[str, Any] = {}
    with database.connect() as connection:
        for stream in streams:
            table = raw_name(stream)
            rows = connection.execute(
                sql.SQL("SELECT org_id, id, ctid::text, xmin::text FROM {} ORDER BY org_id, id").format(table)
            ).fetchall()
            versions[stream.name] = rows
    return versions


RARELY: Final = timedelta(days=7)


def choose(database: Database, org_ids: Iterable[str], *streams: str) -> None:
    """Have these streams alone synced by the clock, and so rarely that no turn comes in the middle of a test."""
    with database.connect() as connection:
        for org_id in org_ids:
            connection.execute(
                "INSERT INTO sync.org_settings (org_id, streams, sync_every) VALUES (%s, %s, %s)",
                (org_id, list(streams), RARELY),
            )
