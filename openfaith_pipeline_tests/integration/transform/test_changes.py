"""A transform of the noted changes alone gives the same result as comparing everything, whatever has changed."""

import random
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.transform import TransformResult, transform_org
from openfaith_pipeline_tests.integration.transform.church import (
    ENTITY_STREAMS,
    FIELD_STREAMS,
    MERGER_STREAM,
    Church,
    put_rows,
)
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA, transform

ORG = "org_01h455vb4pex5vsknk084sn02q"
OTHER = "org_01h455vb4pex5vsknk084sn02r"
STREAMS_CHANGED = (*ENTITY_STREAMS, *FIELD_STREAMS, MERGER_STREAM)

# Edits by people or other programs in OpenFaith: each changes one random row that our transform reads.
EDITS: tuple[LiteralString, ...] = (
    """UPDATE "openfaith_people" SET "firstName" = 'Edited', tags = '["x"]' WHERE id = {people}""",
    """UPDATE "openfaith_people" SET "deletedAt" = now(), "deletedBy" = 'user_1' WHERE id = {people}""",
    """UPDATE "openfaith_people" SET "deletedAt" = NULL, "deletedBy" = NULL WHERE id = {people}""",
    """UPDATE "openfaith_emails" SET "customFields" = '[]', "externalIds" = '{{}}' WHERE id = {emails}""",
    """DELETE FROM "openfaith_emails" WHERE id = {emails}""",
    """DELETE FROM "openfaith_people" WHERE id = {people}""",
    """UPDATE "openfaith_edges" SET "deletedAt" = now(), "deletedBy" = 'user_1' WHERE ctid = {edges}""",
    """UPDATE "openfaith_edges" SET "deletedAt" = now(), "deletedBy" = 'pco' WHERE ctid = {edges}""",
    """UPDATE "openfaith_edges" SET metadata = '{{"relationshipKey": "odd", "source": "pco_direct"}}'
        WHERE ctid = {edges}""",
    """DELETE FROM "openfaith_edges" WHERE ctid = {edges}""",
    """INSERT INTO "openfaith_edges" ("orgId", "sourceEntityId", "targetEntityId", "relationshipType",
        "sourceEntityTypeTag", "targetEntityTypeTag", "createdAt")
        SELECT %(org)s, {people}, 'user_' || md5({people}), 'user-is-person', 'person', 'user', now()
        ON CONFLICT DO NOTHING""",
    """DELETE FROM "openfaith_entityRelationships" WHERE ctid = {entityRelationships}""",
    """UPDATE "openfaith_externalLinks" SET "deletedAt" = now(), "deletedBy" = 'pco' WHERE ctid = {externalLinks}""",
    """UPDATE "openfaith_externalLinks" SET "updatedAt" = now() WHERE ctid = {externalLinks}""",
    """DELETE FROM "openfaith_externalLinks" WHERE ctid = {externalLinks}""",
    """UPDATE "openfaith_externalLinks" SET "entityId" = {people}
        WHERE ctid = {externalLinks} AND "entityType" = 'person'""",
)


class Changing:
    """A church whose raw and canonical rows are changed here and there, at random from a seed."""

    def __init__(self, connection: psycopg.Connection[Any], seed: int) -> None:
        self.connection = connection
        self.random = random.Random(seed)
        self.church = Church(ORG, seed)
        self.church.fill(people=12)
        self.church.store(connection)
        self.acts: tuple[Callable[[], None], ...] = (
            self.edit, self.edit, self.rewrite, self.rewrite, self.toggle, self.toggle, self.remove,
            self.point_elsewhere, self.merge, self.unmerge,
        )  # fmt: skip

    def change(self) -> str:
        """Make one to four changes. Returns their names."""
        acts = self.random.choices(self.acts, k=self.random.randint(1, 4))
        for act in acts:
            act()
        return ", ".join(act.__name__ for act in acts)

    def edit(self) -> None:
        picks = {
            table: self._pick(table, "id" if table in {"people", "emails"} else "ctid")
            for table in ("people", "emails", "edges", "externalLinks", "entityRelationships")
        }
        statement = sql.SQL(self.random.choice(EDITS)).format(**picks)
        self.connection.execute(statement, {"org": ORG})

    def rewrite(self) -> None:
        stream = self.random.choice(STREAMS_CHANGED)
        record_id = str(self.random.randint(1, 14))
        self._put(stream, self.church.made_up(stream, record_id))

    def toggle(self) -> None:
        stream = self.random.choice(STREAMS_CHANGED)
        self._execute(
            "UPDATE {raw} SET _deleted_at = CASE WHEN _deleted_at IS NULL THEN now() END WHERE {picked}", stream
        )

    def remove(self) -> None:
        """As undoing the sync does that brought the record."""
        self._execute("DELETE FROM {raw} WHERE {picked}", self.random.choice(STREAMS_CHANGED))

    def merge(self) -> None:
        self._put(MERGER_STREAM, self.church.made_up(MERGER_STREAM, str(self.random.randint(1, 8))))

    def unmerge(self) -> None:
        self._execute("DELETE FROM {raw} WHERE {picked}", MERGER_STREAM)

    def point_elsewhere(self) -> None:
        stream, column = self.random.choice(
            (
                ("people.emails", "person_id"),
                ("people.people", "primary_campus_id"),
                ("people.field_data", "customizable_id"),
            )
        )
        number = str(self.random.randint(1, 15))
        self._execute("UPDATE {raw} SET {column} = %(number)s WHERE {picked}", stream, column=column, number=number)

    def _put(self, stream: str, row: dict[str, Any]) -> None:
        with self.connection.transaction():
            self._execute("DELETE FROM {raw} WHERE org_id = %(org)s AND id = %(id)s", stream, id=row["id"])
            put_rows(self.connection, STREAMS[stream], [row], is_alone=False)

    def _pick(self, table: str, column: str) -> sql.Composable:
        return sql.SQL('(SELECT {} FROM {} WHERE "orgId" = {} ORDER BY md5(ctid::text || {}) LIMIT 1)').format(
            sql.Identifier(column),
            sql.Identifier(SCHEMA, f"openfaith_{table}"),
            sql.Literal(ORG),
            sql.Literal(str(self.random.random())),
        )

    def _execute(self, statement: LiteralString, stream: str, column: str = "id", **parameters: str) -> None:
        raw = sql.Identifier(STREAMS[stream].schema, STREAMS[stream].short_name)
        picked = sql.SQL(
            "org_id = %(org)s AND id = (SELECT id FROM {} WHERE org_id = %(org)s ORDER BY md5(id || %(salt)s) LIMIT 1)"
        ).format(raw)
        composed = sql.SQL(statement).format(raw=raw, picked=picked, column=sql.Identifier(column))
        self.connection.execute(composed, {"org": ORG, "salt": str(self.random.random()), **parameters})


def _compare_everything(connection: psycopg.Connection[Any]) -> dict[str, TransformResult]:
    results = transform_org(connection, ORG, schema=SCHEMA, sync_id="full", is_full=True)
    connection.commit()
    return results


@pytest.mark.parametrize("seed", range(2))
def test_following_changes_misses_nothing(database: Database, seed: int) -> None:
    with database.connect() as connection:
        other = Church(OTHER, seed)
        other.fill(people=3)
        other.store(connection)
        transform(connection, OTHER)
        changing = Changing(connection, seed)
        transform(connection, ORG)
        for turn in range(20):
            done = _change_and_follow(changing)
            assert _changed(_compare_everything(connection)) == {}, f"turn {turn}: {done}"


def _change_and_follow(changing: Changing) -> str:
    done = changing.change()
    changing.connection.commit()
    transform(changing.connection, ORG)
    return done


def _stored(connection: psycopg.Connection[Any], stream: str, *rows: dict[str, Any]) -> None:
    put_rows(
        connection, STREAMS[stream], [Church(ORG, 1).made_up(stream, row["id"]) | row for row in rows], is_alone=False
    )
    connection.commit()


def _person(number: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "first_name": f"Number {number}", "_deleted_at": None, **more}


def test_a_record_that_shares_its_entity_with_a_changed_one_is_looked_at(database: Database) -> None:
    with database.connect() as connection:
        _stored(connection, "people.people", _person("1"), _person("2"))
        transform(connection, ORG)
        connection.execute(
            'UPDATE "openfaith_externalLinks" SET "entityId" = (SELECT "entityId" FROM "openfaith_externalLinks"'
            """ WHERE "externalId" = '1') WHERE "externalId" = '2'"""
        )
        transform(connection, ORG)
        # The first speaks for both, and with it gone, the second.
        connection.execute("UPDATE pco_people.people SET _deleted_at = now() WHERE id = '1'")
        transform(connection, ORG)
        assert _changed(_compare_everything(connection)) == {}
        [name] = connection.execute(
            'SELECT p."firstName" FROM "openfaith_people" AS p JOIN "openfaith_externalLinks" AS l'
            """ ON l."entityId" = p.id WHERE l."externalId" = '2'"""
        ).fetchone() or [None]
        assert name == "Number 2"


def test_who_was_merged_into_an_unknown_one_is_looked_at_when_that_one_is_merged(database: Database) -> None:
    with database.connect() as connection:
        _stored(connection, "people.people", _person("1"), _person("3"))
        _stored(connection, MERGER_STREAM, _merger("1", removed="1", kept="2"))
        transform(connection, ORG)
        _stored(connection, MERGER_STREAM, _merger("2", removed="2", kept="3"))
        transform(connection, ORG)
        assert _changed(_compare_everything(connection)) == {}
        entities = connection.execute(
            'SELECT DISTINCT "entityId" FROM "openfaith_externalLinks" WHERE "externalId" IN (\'1\', \'3\')'
            """ AND "entityType" = 'person'"""
        ).fetchall()
        assert len(entities) == 1


@pytest.mark.parametrize(
    "harm",
    [
        "ALTER TABLE pco_people.people DISABLE TRIGGER openfaith_note_update",
        "DROP TRIGGER openfaith_note_update ON pco_people.people",
    ],
)
def test_where_changes_go_without_a_note_everything_is_compared(database: Database, harm: LiteralString) -> None:
    with database.connect() as connection:
        _stored(connection, "people.people", _person("1"), _person("2"))
        transform(connection, ORG)
        connection.execute(harm)
        connection.execute("UPDATE pco_people.people SET first_name = 'Unnoted' WHERE id = '1'")
        assert _changed(transform(connection, ORG))["people"].updated == 1


def _merger(number: str, *, removed: str, kept: str) -> dict[str, Any]:
    return {"id": number, "person_to_remove_id": removed, "person_to_keep_id": kept}


def _changed(results: dict[str, TransformResult]) -> dict[str, TransformResult]:
    return {table: result for table, result in results.items() if result.inserted or result.updated}
