"""The OpenFaith tables of a church whose raw tables are right: by the rules that the transform's own tests go by."""

from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from openfaith_pipeline.database.table_names import raw_name
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.transform.church import ENTITY_STREAMS, FIELD_STREAMS, MERGER_STREAM, Church
from openfaith_pipeline_tests.integration.transform.oracle import (
    STREAM_OF,
    TAGS,
    expected_edges,
    expected_row,
    named_records,
    survivors,
)
from openfaith_pipeline_tests.integration.transform.product_rules import FIELDS
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, rows


def canonical_differences(connection: Connection[Any], org_id: str) -> list[str]:
    """Every link, row and edge that does not follow from the raw tables."""
    church = Church(org_id, seed=0, rows={name: _raw_rows(connection, name, org_id) for name in _READ})
    found = entity_ids(connection, org_id)
    unlinked = [key for key in named_records(church) if (TAGS[key[0]], key[1]) not in found]
    if unlinked:
        return [f"{table} {record_id}: has no link" for table, record_id in unlinked]
    ids = {(table, record_id): found[TAGS[table], record_id] for table, record_id in named_records(church)}
    return [*_wrong_rows(connection, church, ids), *_wrong_edges(connection, church, ids)]


_READ = (*ENTITY_STREAMS, *FIELD_STREAMS, MERGER_STREAM)


def _wrong_rows(connection: Connection[Any], church: Church, ids: dict[tuple[str, str], str]) -> list[str]:
    wrong: list[str] = []
    standing = survivors(church)
    for table, stream in STREAM_OF.items():
        present = {row.pop("id"): _without_fields(row) for row in rows(connection, table, church.org_id)}
        for record_id, raw in church.rows[stream].items():
            is_merged = table == "people" and record_id in standing
            if not is_merged and present.get(ids[table, record_id]) != expected_row(church, table, raw):
                wrong.append(f"{table} {record_id}: is not its record")
        linked = {entity_id for (linked_table, _), entity_id in ids.items() if linked_table == table}
        wrong += [
            f"{table} {entity_id}: no record stands for it"
            for entity_id, row in present.items()
            if row["deletedAt"] is None and entity_id not in linked
        ]
    return wrong


def _without_fields(row: dict[str, Any]) -> dict[str, Any]:
    """Without the custom fields that records of other types give, which these rules do not know."""
    named = {f"pco_{name}" for each in FIELDS if each.on == "people.people" for name in each.items}
    return row | {"customFields": [item for item in row["customFields"] if item["name"] not in named]}


def _wrong_edges(connection: Connection[Any], church: Church, ids: dict[tuple[str, str], str]) -> list[str]:
    wanted = expected_edges(church, ids)
    live = {
        (edge["sourceEntityId"], edge["targetEntityId"], edge["relationshipType"])
        for edge in rows(connection, "edges", church.org_id)
        if edge["deletedAt"] is None and edge["relationshipType"] != "merged"
        if {edge["sourceEntityTypeTag"], edge["targetEntityTypeTag"]} <= {*TAGS.values()}
    }
    return [f"edge {kind}: missing" for *_, kind in wanted.keys() - live] + [
        f"edge {kind}: holds no more" for *_, kind in live - wanted.keys()
    ]


def _raw_rows(connection: Connection[Any], name: str, org_id: str) -> dict[str, dict[str, Any]]:
    stream = STREAMS[name]
    statement = sql.SQL("SELECT * FROM {} WHERE org_id = %s").format(raw_name(stream))
    found = connection.cursor(row_factory=dict_row).execute(statement, [org_id]).fetchall()
    return {row["id"]: row for row in found}
