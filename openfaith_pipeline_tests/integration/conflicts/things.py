"""One person of a church whose first name both sides change."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.review.conflict_policies import ANY, FieldPolicy, Policy, set_policy
from openfaith_pipeline.sync.rollback import OrgRollback, RollbackOrder, roll_back
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA, rows

ORG = "org_01h455vb4pex5vsknk084sn02q"
OTHER = "org_01h455vb4pex5vsknk084sn02r"
USER = "user_01h455vb4pex5vsknk084sn02q"
PAST, FUTURE = "2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


class Person:
    """A person of one org, as the source and as OpenFaith have them."""

    def __init__(self, connection: Connection[Any], org_id: str = ORG, record_id: str = "1") -> None:
        self.connection, self.org_id, self.record_id = connection, org_id, record_id
        put_row(connection, "people.people", org_id, record_id, first_name="Ann", last_name="Lee", updated_at=PAST)
        self.transform("first")

    def transform(self, sync_id: str = "sync", *, is_full: bool = False) -> int:
        """Returns the number of people written."""
        results = transform_org(self.connection, self.org_id, schema=SCHEMA, sync_id=sync_id, is_full=is_full)
        self.connection.commit()
        return results["people"].inserted + results["people"].updated

    def at_source(self, first_name: str, at: str = FUTURE) -> None:
        self.connection.execute(
            "UPDATE pco_people.people SET first_name = %s, updated_at = %s WHERE org_id = %s AND id = %s",
            (first_name, at, self.org_id, self.record_id),
        )
        self.connection.commit()

    def here(self, first_name: str) -> None:
        self.connection.execute(
            'UPDATE openfaith_people SET "firstName" = %s, "updatedBy" = %s WHERE "orgId" = %s AND id = %s',
            (first_name, USER, self.org_id, self.entity_id),
        )
        self.connection.commit()

    @property
    def entity_id(self) -> str:
        [(entity_id,)] = self.connection.execute(
            'SELECT "entityId" FROM "openfaith_externalLinks" WHERE "orgId" = %s AND "externalId" = %s'
            " AND \"entityType\" = 'person'",
            (self.org_id, self.record_id),
        ).fetchall()
        return str(entity_id)

    @property
    def first_name(self) -> str:
        [row] = [row for row in rows(self.connection, "people", self.org_id) if row["id"] == self.entity_id]
        return str(row["firstName"])

    def conflicts(self, columns: str = "base #>> '{}', local #>> '{}', source #>> '{}', decision") -> list[Any]:
        statement = f"SELECT {columns} FROM sync.conflicts WHERE org_id = %s ORDER BY since, id"  # noqa: S608
        return self.connection.execute(statement.encode(), (self.org_id,)).fetchall()

    def edits(self) -> list[dict[str, Any]]:
        cursor = self.connection.cursor(row_factory=dict_row)
        return cursor.execute(
            "SELECT * FROM sync.local_edits WHERE org_id = %s ORDER BY entity_id, field", (self.org_id,)
        ).fetchall()


def choose(connection: Connection[Any], policy: Policy, org_id: str = ORG, entity: str = ANY, field: str = ANY) -> None:
    set_policy(connection, FieldPolicy(org_id, entity, field, policy))
    connection.commit()


def transform_as(person: Person, sync_id: str) -> None:
    """On behalf of a sync that ends well, so that it can be rolled back."""
    begin_sync(person.connection, SyncStart(sync_id, None, "incremental", "test", {"org": person.org_id}))
    person.transform(sync_id)
    finish_sync(person.connection, sync_id)
    person.connection.commit()


def undo(database: Database, sync_id: str, **order: Any) -> OrgRollback:
    [undone] = roll_back(database, RollbackOrder(sync_id, **order))
    return undone
