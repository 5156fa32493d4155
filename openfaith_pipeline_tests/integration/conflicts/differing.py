"""The differences between the database and the oracle: values, edits, custom fields, conflicts and counts."""

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from openfaith_pipeline.orgs.status import read_status
from openfaith_pipeline.review.conflicts import list_conflicts
from openfaith_pipeline_tests.integration.conflicts.oracle import (
    CONFLICT,
    CUSTOM,
    EDIT,
    HERE,
    Oracle,
    Record,
    is_deleted_by_person,
    value_in,
)
from openfaith_pipeline_tests.integration.conflicts.steps import Steps
from openfaith_pipeline_tests.integration.conflicts.world import ORGS, TABLES, canonical, name_of

Facts = Iterator[tuple[Any, Any]]


def differences(history: Steps) -> list[str]:
    """Each difference, with the database's side first; empty when there is none."""
    records = {entity_id: record for record, entity_id in history.entity_ids().items()}
    present, expected = dict(_present(history, records)), dict(_expected(history.oracle))
    history.connection.commit()
    return [
        f"{key}: {present.get(key)} instead of {expected.get(key)}"
        for key in sorted(present.keys() | expected.keys(), key=str)
        if present.get(key) != expected.get(key)
    ]


def _present(history: Steps, records: dict[str, Record]) -> Facts:
    rows = dict(_rows(history, records))
    yield from rows.items()
    # Where a decision made the base equal to the value, nothing is left of the edit.
    for entity_id, field, base in history.connection.execute("SELECT entity_id, field, base FROM sync.local_edits"):
        record, name = records[entity_id], name_of(field)
        value = base if name == field else base and base["value"]
        row = rows.get((HERE, record))
        if row is None or value_in(row, name) != value:
            yield (EDIT, record, name), value
    found: dict[Any, list[Any]] = {}
    for each in list_conflicts(history.connection, with_decided=True):
        values = (each.base, each.local, each.source, each.decision, each.decided_by)
        found.setdefault((CONFLICT, records[each.entity_id], name_of(each.field)), []).append(values)
    yield from found.items()
    for org in ORGS:
        [status] = read_status(history.database, org, adapter="pco")
        yield ("status", org), status.conflicts


def _rows(history: Steps, records: dict[str, Record]) -> Facts:
    for table in TABLES:
        statement = sql.SQL("SELECT id, to_jsonb(t) FROM {} t").format(canonical(table.name))
        for entity_id, row in history.connection.execute(statement):
            items = [f"{item['name']}={item['value']}" for item in row["customFields"]]
            by = row["deletedBy"] and row["deletedBy"].partition("_")[0]
            values = {field.name: row[field.name] for field in table.fields if not field.name.startswith(CUSTOM)}
            if entity_id in records:
                yield (HERE, records[entity_id]), {**values, "items": items, "deleted": by}
            else:  # a rollback brought it back while its record has another row by now
                assert by, f"{entity_id} of {table.name} has no record, and is not deleted"


def _expected(oracle: Oracle) -> Facts:
    found: dict[Any, dict[int, Any]] = {}
    for (kind, record, *place), row in oracle.rows.items():
        if kind == HERE:
            by = "user" if is_deleted_by_person(row) else "pco" if row["deleted"] else None
            values = {name: row[name] for name in oracle.fields(record) if not name.startswith(CUSTOM)}
            yield (kind, record), {**values, "items": row["items"], "deleted": by}
        elif kind == EDIT:
            here = oracle.rows.get((HERE, record))
            if here is None or value_in(here, place[0]) != row["base"]:
                yield (kind, record, place[0]), row["base"]
        elif kind == CONFLICT:
            values = tuple(row[name] for name in ("base", "local", "source", "decision", "by"))
            found.setdefault((kind, record, place[0]), {})[place[1]] = values
    # By their numbers: one that was taken back and has come back is as old as before.
    yield from ((place, [values for _, values in sorted(each.items())]) for place, each in found.items())
    for org in ORGS:
        yield ("status", org), len(oracle.waiting(org))
