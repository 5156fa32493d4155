"""A rebuild ends where following the changes ends, bit by bit, after long random histories over all products."""

import json
import re
from typing import Any

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.sources import CANONICAL
from openfaith_pipeline.sync.rebuild import OrgRebuild, RebuildOrder, rebuild
from openfaith_pipeline.transform import ENTITIES
from openfaith_pipeline_tests.integration.transform.histories import History, copy_raw_rows, read, snapshot

pytestmark = pytest.mark.slow

ORG = "org_01h455vb4pex5vsknk084sn02q"
TWIN = "org_01h455vb4pex5vsknk084sn02r"
STEPS = 4
ID = re.compile(r"[a-z]+_[0-9a-z]{26}")
# By hand, or by a backup that was restored in part: rows, links and edges are lost or differ.
DAMAGE = (
    """DELETE FROM openfaith_edges WHERE "orgId" = %(org)s AND "deletedAt" IS NULL
        AND metadata ->> 'source' = 'pco_direct' AND ctid::text LIKE '%%3)'""",
    'DELETE FROM "openfaith_households" WHERE "orgId" = %(org)s',
    """UPDATE openfaith_plans SET title = 'odd', "customFields" = '[]' WHERE "orgId" = %(org)s""",
    """DELETE FROM "openfaith_externalLinks" WHERE "orgId" = %(org)s AND "entityType" IN ('event', 'donation')
        AND "entityId" IN (SELECT id FROM openfaith_events UNION SELECT id FROM openfaith_donations)""",
)


@pytest.mark.parametrize("seed", [1])
def test_after_a_long_history(database: Database, seed: int) -> None:
    with database.connect() as connection:
        history = History(connection, ORG, seed)
        for _ in range(STEPS):
            history.step()
        history.disagree()
        before = snapshot(connection, ORG, ENTITIES)
        bookkeeping = _bookkeeping(connection)
        connection.commit()
        assert _written(_rebuilt(database, ORG)) == {}
        assert snapshot(connection, ORG, ENTITIES) == before
        assert bookkeeping[0] and bookkeeping[1], "edits were kept, and conflicts waited"
        assert _bookkeeping(connection) == bookkeeping
        _check_twin(database, connection)
        _check_mended(database, connection, before)
        assert _bookkeeping(connection) == bookkeeping


def _rebuilt(database: Database, org_id: str) -> OrgRebuild:
    [done] = rebuild(database, RebuildOrder([org_id], ignores_guards=True))
    assert done.error is None
    return done


def _written(done: OrgRebuild) -> dict[str, tuple[int, int, int]]:
    return {name: (each.inserted, each.updated, each.ended) for name, each in done.tables.items() if each.written}


def _bookkeeping(connection: psycopg.Connection[Any]) -> tuple[list[Any], list[Any]]:
    edits = connection.execute(
        "SELECT * FROM sync.local_edits WHERE org_id = %s ORDER BY 1, 2, 3, 4", (ORG,)
    ).fetchall()
    waiting = connection.execute(
        "SELECT * FROM sync.conflicts WHERE org_id = %s AND decision IS NULL ORDER BY id", (ORG,)
    ).fetchall()
    return edits, waiting


def _check_mended(database: Database, connection: psycopg.Connection[Any], before: dict[str, set[str]]) -> None:
    """Whatever was lost is there again, with the same ids; rebuilding once more writes nothing."""
    for statement in DAMAGE:
        assert connection.execute(statement.encode(), {"org": ORG}).rowcount, statement
    connection.commit()
    _rebuilt(database, ORG)
    after = snapshot(connection, ORG, ENTITIES)
    assert {table: after[table] ^ rows for table, rows in before.items() if after[table] != rows} == {}
    connection.commit()
    assert _written(_rebuilt(database, ORG)) == {}


def _check_twin(database: Database, connection: psycopg.Connection[Any]) -> None:
    """The same raw rows in an org without any history give the same rows, links and edges."""
    copy_raw_rows(connection, ORG, TWIN)
    _rebuilt(database, TWIN)
    here, there = _Org(connection, ORG), _Org(connection, TWIN)
    masked = _masked(connection, here)
    for table in CANONICAL.tables:
        assert here.rows(table, masked) == there.rows(table, masked), table
    theirs = {edge for edge, (deleted_by, _) in here.edges.items() if (deleted_by or "").startswith("user_")}
    assert theirs, "people deleted edges"
    assert here.held_edges(theirs) == there.held_edges(theirs)
    assert there.links.items() <= here.links.items(), "links stay when nothing names their records any more"
    assert here.stamps() == there.stamps()
    connection.commit()


def _masked(connection: psycopg.Connection[Any], here: "_Org") -> set[tuple[str, str]]:
    """The (entity, column) pairs that people have edited in the church with a history."""
    edits = connection.execute("SELECT entity_id, field FROM sync.local_edits WHERE org_id = %s", (ORG,)).fetchall()
    found = {(here.keys[entity_id], field) for entity_id, field in edits if entity_id in here.keys}
    for table in CANONICAL.tables:
        for row in here.read[table]:
            if (row["deletedBy"] or "").startswith("user_") and row["id"] in here.keys:
                found |= {(here.keys[row["id"]], column) for column in ("deletedAt", "deletedBy")}
    assert {column for _, column in found} >= {"deletedAt", "firstName", "name"}
    return found


NOT_FED = ("id", "orgId", "tags", "updatedBy")


class _Org:
    """The canonical rows of an org, with its records' names in place of the entities' ids."""

    def __init__(self, connection: psycopg.Connection[Any], org_id: str) -> None:
        self.links_read = read(connection, "externalLinks", org_id)
        names: dict[str, list[str]] = {}
        for link in self.links_read:
            names.setdefault(link["entityId"], []).append(f"{link['entityType']} {link['externalId']}")
        self.keys = {entity_id: min(found) for entity_id, found in names.items()}
        self.read = {table: read(connection, table, org_id) for table in CANONICAL.tables}
        self.links = {(link["entityType"], link["externalId"]): self.keys[link["entityId"]] for link in self.links_read}
        self.edges = {_edge_of(edge, self): (edge["deletedBy"], edge) for edge in read(connection, "edges", org_id)}

    def named(self, value: Any) -> Any:
        """The value with names in place of ids."""
        text = json.dumps(value, sort_keys=True, default=str)
        return json.loads(ID.sub(lambda found: self.keys.get(found[0], "nobody"), text))

    def rows(self, table: str, masked: set[tuple[str, str]]) -> dict[str, dict[str, Any]]:
        """The rows of entities that have a record, without people's edits. One merged away has no record any more."""
        return {
            key: {
                column: self.named(value if column != "customFields" else [i for i in value if i["source"] == "pco"])
                for column, value in row.items()
                if column not in NOT_FED and (key, column) not in masked
            }
            for row in self.read[table]
            if (key := self.keys.get(row["id"]))
        }

    def held_edges(self, apart_from: set[Any]) -> dict[Any, Any]:
        """Those that hold; which end is the source follows from the ids."""
        return {
            key: self.named({name: edge[name] for name in ("metadata", "createdAt", "updatedAt")})
            for key, (_, edge) in self.edges.items()
            if edge["deletedAt"] is None and edge["metadata"]["source"] == "pco_direct" and key not in apart_from
        }

    def stamps(self) -> dict[Any, Any]:
        """Times of the links of loaded records; those of people follow their survivors'."""
        loaded = {row["id"] for rows in self.read.values() for row in rows}
        return {
            (link["entityType"], link["externalId"]): [
                link[name] for name in ("createdAt", "updatedAt", "deletedAt", "deletedBy")
            ]
            for link in self.links_read
            if link["entityId"] in loaded and link["entityType"] != "person"
        }


def _edge_of(edge: dict[str, Any], org: _Org) -> Any:
    ends = frozenset(org.keys.get(edge[end], edge[end]) for end in ("sourceEntityId", "targetEntityId"))
    return ends, edge["metadata"].get("relationshipKey")
