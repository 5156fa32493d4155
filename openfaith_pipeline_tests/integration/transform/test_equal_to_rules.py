"""The SQL against the rules written again in Python, over random churches that change between transforms."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from typeid import TypeID

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.transform.church import Church
from openfaith_pipeline_tests.integration.transform.oracle import (
    STREAM_OF,
    TAGS,
    created_at,
    expected_edges,
    expected_row,
    merged_at,
    named_records,
    survivors,
)
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, row_versions, rows, transform

ORG, OTHER = "org_01h455vb4pex5vsknk084sn02q", "org_01h455vb4pex5vsknk084sn02r"
LOCAL_ITEM = {"_tag": "string", "name": "shirt", "source": "openfaith", "value": "L"}


class Comparison:
    """Compares a church with its tables, and remembers the values that must never change again."""

    def __init__(self, connection: psycopg.Connection[Any], church: Church) -> None:
        self.connection = connection
        self.church = church
        self.ids: dict[tuple[str, str], str] = {}
        self.edges: set[tuple[str, str, str]] = set()
        self.joined: set[tuple[str, str]] = set()
        self.edited: set[str] = set()
        self.merged: set[str] = set()
        self.own: dict[str, str] = {}
        self.ended: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[str, Any]] = {}

    def check(self) -> None:
        self._check_links()
        for table in STREAM_OF:
            self._check_entities(table)
        self._check_edges()
        self._check_register()

    def edit_people(self) -> None:
        """Edit columns and items in OpenFaith that the source does not feed."""
        self.connection.execute(
            "UPDATE \"openfaith_people\" SET tags = '[\"choir\"]', type = 'member',"
            ' "customFields" = %s || "customFields" WHERE "orgId" = %s',
            [psycopg.types.json.Jsonb([LOCAL_ITEM]), self.church.org_id],
        )
        self.connection.commit()
        self.rows = {row.pop("id"): row for row in rows(self.connection, "people", self.church.org_id)}
        self.ended = {entity_id: self.rows[entity_id] for entity_id in self.ended}
        self.edited = set(self.rows)

    def _check_links(self) -> None:
        found = entity_ids(self.connection, self.church.org_id)
        ids = {(table, external): found.get((tag, external), "") for table, external, tag in self._wanted_links()}
        assert len(found) == len(ids)
        standing = survivors(self.church)
        for person_id, survivor in standing.items():
            assert ids["people", person_id] == ids["people", survivor], "a merged record is its survivor"
        single = {key: value for key, value in ids.items() if key[0] != "people" or key[1] not in standing}
        unmerged = {key: value for key, value in self.ids.items() if key in single}
        assert unmerged.items() <= ids.items(), "a record's entity never changes otherwise"
        assert len(set(single.values())) == len(single)
        self._note_ended(standing)
        for (table, _), entity_id in ids.items():
            assert TypeID.from_string(entity_id).prefix == TAGS[table].lower()
        self.ids = ids
        self._check_link_times()

    def _wanted_links(self) -> Iterator[tuple[str, str, str]]:
        for table, external_id in named_records(self.church) | self.ids.keys():
            yield table, external_id, TAGS[table]

    def _note_ended(self, standing: dict[str, str]) -> None:
        """Note the entities that merged people had before, and the rows they must keep from now on."""
        loaded = self.church.rows["people.people"]
        found = {row["id"]: row for row in rows(self.connection, "people", self.church.org_id)}
        for person_id in standing.keys() - self.merged:
            entity_id = self.ids.get(("people", person_id))
            if entity_id is None and person_id in loaded:
                # Heard of and merged at once: its id is known by the row that was made to be ended.
                [entity_id] = [
                    row["id"] for row in found.values() if row["externalIds"] == [{"id": person_id, "type": "pco"}]
                ]
            if entity_id is None:
                continue
            self.own[person_id] = entity_id
            last = self.rows.get(entity_id) or (person_id in loaded and self._wanted_row("people", loaded[person_id]))
            if last:
                ended_at = (loaded.get(person_id) or {}).get("_deleted_at") or merged_at(self.church, person_id)
                self.ended[entity_id] = last | {"deletedAt": last["deletedAt"] or ended_at, "deletedBy": "pco"}
        self.merged |= standing.keys()

    def _check_link_times(self) -> None:
        tables = {tag: table for table, tag in TAGS.items()}
        standing = survivors(self.church)
        for link in rows(self.connection, "externalLinks", self.church.org_id):
            record_id = link["externalId"]
            is_merged = link["entityType"] == "person" and record_id in standing
            record_id = standing[record_id] if is_merged else record_id
            raw = self.church.rows[STREAM_OF[tables[link["entityType"]]]].get(record_id)
            if raw is None:
                assert link["deletedAt"] is None
                assert is_merged or link["updatedAt"] is None
                continue
            assert link["createdAt"] == created_at(raw)
            assert (link["updatedAt"], link["deletedAt"]) == (raw.get("updated_at"), raw["_deleted_at"])
            assert (link["adapter"], link["syncing"]) == ("pco", False)

    def _check_entities(self, table: str) -> None:
        found = {row.pop("id"): row for row in rows(self.connection, table, self.church.org_id)}
        standing = survivors(self.church) if table == "people" else {}
        wanted = {
            self.ids[table, record_id]: self._wanted_row(table, raw)
            for record_id, raw in self.church.rows[STREAM_OF[table]].items()
            if record_id not in standing
        }
        if table == "people":
            wanted |= self.ended
            self.rows = found
        assert found.keys() == wanted.keys()
        for entity_id, row in wanted.items():
            assert found[entity_id] == row

    def _wanted_row(self, table: str, raw: dict[str, Any]) -> dict[str, Any]:
        row = expected_row(self.church, table, raw)
        if self.ids.get((table, raw["id"])) in self.edited:
            row |= {"tags": ["choir"], "type": "member", "customFields": [LOCAL_ITEM, *row["customFields"]]}
        return row

    def _check_edges(self) -> None:
        wanted = expected_edges(self.church, self.ids) | self._merged_edges()
        self.edges |= wanted.keys()
        self.joined |= {(edge["sourceEntityTypeTag"], edge["targetEntityTypeTag"]) for edge in wanted.values()}
        found = {
            (edge["sourceEntityId"], edge["targetEntityId"], edge["relationshipType"]): edge
            for edge in rows(self.connection, "edges", self.church.org_id)
        }
        assert found.keys() == self.edges
        assert {key for key, edge in found.items() if edge["deletedAt"] is None} == wanted.keys()
        for key, edge in found.items():
            assert edge["deletedBy"] == (None if key in wanted else "pco")
            assert {name: edge[name] for name in wanted.get(key, {})} == wanted.get(key, {})

    def _merged_edges(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        edges = {}
        for person_id, survivor in survivors(self.church).items():
            keep, remove = self.ids["people", survivor], self.own.get(person_id)
            if remove:
                keys = {"keepId": keep, "removeId": remove, "relationshipKey": "merged", "source": "pco_merging"}
                tags = {"sourceEntityTypeTag": "person", "targetEntityTypeTag": "person"}
                edges[min(keep, remove), max(keep, remove), "merged"] = {"metadata": keys, **tags}
        self.joined |= {("person", "person")} if edges else set()
        return edges

    def _check_register(self) -> None:
        found = {
            row["sourceEntityType"]: row["targetEntityTypes"]
            for row in rows(self.connection, "entityRelationships", self.church.org_id)
        }
        both = self.joined | {(target, source) for source, target in self.joined}
        assert {(source, target) for source, targets in found.items() for target in targets} == both
        assert all(len(set(targets)) == len(targets) for targets in found.values())


@pytest.mark.parametrize("seed", range(4))
def test_tables_follow_the_source_by_the_rules(database: Database, seed: int) -> None:
    church, other = Church(ORG, seed), Church(OTHER, seed + 100)
    church.fill(people=12)
    other.fill(people=12)
    with database.connect() as connection:
        other.store(connection)
        transform(connection, OTHER)
        comparison, other_comparison = Comparison(connection, church), Comparison(connection, other)
        for turn in range(5):
            church.store(connection)
            transform(connection, ORG)
            comparison.check()
            _check_nothing_changes(connection)
            if turn == 1:
                comparison.edit_people()
            church.change()
        other_comparison.check()


def _check_nothing_changes(connection: psycopg.Connection[Any]) -> None:
    before = row_versions(connection)
    results = transform(connection, ORG)
    assert {(result.inserted, result.updated) for result in results.values()} == {(0, 0)}
    assert row_versions(connection) == before
