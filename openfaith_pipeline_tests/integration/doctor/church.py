"""A church for the doctor, and OpenFaith's own engine as far as it leaves rows behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection, sql
from psycopg.types.json import Jsonb
from typeid import TypeID

from openfaith_pipeline.audit.looking import Watching
from openfaith_pipeline.database import Database
from openfaith_pipeline.doctor.examination import Examination, Extent, find_dead_ends
from openfaith_pipeline.doctor.repair import Order, OrgRepair, repair
from openfaith_pipeline.doctor.report import Finding, Report
from openfaith_pipeline.orgs.registry import get_org, list_orgs, new_org_id
from openfaith_pipeline.orgs.status import statuses_of
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.tenants import add_orgs

CREATED_AT = "2024-01-01T00:00:00Z"


class _Unwatched:
    def began(self, stage: str, steps: int) -> None: ...

    def step(self, place: str) -> None: ...


def examine(database: Database, **extent: bool) -> Report:
    """A look at everything."""
    report, watching = Report(), _watching()
    with database.connect(autocommit=True) as connection:
        examination = Examination(database, report, watching, Extent("pco", **extent))
        examination.of_database(connection)
        examination.of_churches(connection, list_orgs(connection))
    return report


def examine_within(church: "Church", connection: Connection[Any], *, with_rows: bool) -> Report:
    """A look at the bookkeeping and raw rows of one church, as a transaction sees them."""
    report = Report()
    examination = Examination(church.database, report, _watching(), Extent("pco", is_offline=True, only_one=True))
    [status] = statuses_of(connection, [get_org(connection, church.org_id)], "pco")
    examination.of_bookkeeping(connection, [status.org], {church.org_id: status})
    if with_rows:
        examination.of_rows(connection, status.org, status)
    assert report.unexamined == []
    return report


def _watching() -> Watching:
    return _Unwatched()


def kinds(report: Report) -> set[str]:
    return {each.kind.name for each in report.findings}


def by_kind(report: Report) -> dict[str, Finding]:
    return {each.kind.name: each for each in report.findings}


@dataclass(frozen=True)
class Church:
    """A church, and another with the same ids."""

    database: Database
    org_id: str
    other: str

    def run(self, statement: LiteralString, **values: Any) -> list[tuple[Any, ...]]:
        """A change by hand. Returns its rows."""
        with self.database.connect() as connection:
            cursor = connection.execute(statement, {"org_id": self.org_id, "other": self.other, **values})
            return cursor.fetchall() if cursor.description else []

    def transform(self, *, is_full: bool = False) -> None:
        with self.database.connect() as connection:
            for org_id in (self.org_id, self.other):
                transform_org(connection, org_id, schema="public", sync_id="transform", is_full=is_full)

    def read_everything(self) -> None:
        """As a reconcile says that it has."""
        self.run("UPDATE sync.stream_states SET last_full_at = now()")

    def dead_ends(self) -> dict[str, Finding]:
        """The findings about OpenFaith's rows."""
        return {each.kind.name: each for each in find_dead_ends(self.database, self.org_id)}

    def repair(self, **kept: str) -> OrgRepair:
        """kept: by stream, with two underscores for its dot, the reason."""
        reasons = {name.replace("__", "."): reason for name, reason in kept.items()}
        [done] = repair(self.database, Order([self.org_id], {self.org_id: reasons}, sync_id="repair"))
        return done

    def entities(self, table: str, number: int) -> list[str]:
        """Ids of live entities, the first ones."""
        statement = sql.SQL(
            'SELECT id FROM {} WHERE "orgId" = %s AND "deletedAt" IS NULL ORDER BY length(id), id LIMIT %s'
        )
        with self.database.connect() as connection:
            name = sql.Identifier("public", f"openfaith_{table}")
            return [id for (id,) in connection.execute(statement.format(name), (self.org_id, number)).fetchall()]


def make_church(database: Database, org_id: str | None = None) -> Church:
    """Both with four people, each with an e-mail address, as a sync leaves them."""
    church = Church(database, org_id or new_org_id(), new_org_id())
    add_orgs(database, {church.org_id: "Ours", church.other: "Theirs"})
    with database.connect() as connection:
        for each in (church.org_id, church.other):
            for number in map(str, range(1, 5)):
                put_row(connection, "people.people", each, number, name=f"Number {number}")
                put_row(connection, "people.emails", each, number, person_id=number, address="x@example.net")
            for stream in ("people.people", "people.emails"):
                connection.execute(
                    "INSERT INTO sync.stream_states (org_id, stream, last_succeeded_at, row_count, parents_read_at)"
                    " VALUES (%s, %s, now(), 4, now())",
                    (each, stream),
                )
    church.transform()
    return church


@dataclass(frozen=True)
class Engine:
    """OpenFaith's engine: a link by org, adapter and record's id, the type aside, and an entity by the link's id.

    On a table of links whose key has the type, it finds the link by a query, as the narrow key would.
    """

    connection: Connection[Any]
    org_id: str

    def link(self, tag: str, record_id: str) -> str:
        """The entity's id of the link that is there, whichever type it is of, or of a new one."""
        found = self.connection.execute(
            'SELECT "entityId" FROM "openfaith_externalLinks" WHERE "orgId" = %s AND adapter = %s'
            ' AND "externalId" = %s ORDER BY "createdAt", "entityId" LIMIT 1',
            (self.org_id, "pco", record_id),
        ).fetchone()
        if found:
            return str(found[0])
        entity_id = str(TypeID(tag.lower()))
        self.connection.execute(
            'INSERT INTO "openfaith_externalLinks" ("orgId", adapter, "externalId", "entityType", "entityId",'
            ' "createdAt", "updatedAt", "lastProcessedAt") VALUES (%s, %s, %s, %s, %s, %s, %s, %s)',
            (self.org_id, "pco", record_id, tag, entity_id, CREATED_AT, CREATED_AT, CREATED_AT),
        )
        return entity_id

    def person(self, record_id: str, name: str = "Somebody") -> str:
        return self._entity("people", "person", record_id, name=name)

    def email(self, record_id: str, person: str) -> str:
        """With its edge to the person's entity."""
        id = self._entity("emails", "email", record_id, address="of@example.net", type="email")
        source, target = sorted([(id, "email"), (person, "person")])
        self.edge(source, target, "email_has_person")
        return id

    def edge(self, source: Sequence[str], target: Sequence[str], type: str, metadata: Any = None) -> None:
        self.connection.execute(
            'INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId",'
            ' "targetEntityTypeTag", "relationshipType", metadata, "createdAt") VALUES (%s, %s, %s, %s, %s, %s, %s, %s)'
            " ON CONFLICT DO NOTHING",
            (
                self.org_id,
                *source,
                *target,
                type,
                Jsonb(metadata or {"relationshipKey": "person", "source": "pco_direct"}),
                CREATED_AT,
            ),
        )

    def _entity(self, table: str, tag: str, record_id: str, **columns: str) -> str:
        id = self.link(tag, record_id)
        external = Jsonb([{"id": record_id, "type": "pco"}])
        values = {"id": id, "orgId": self.org_id, "externalIds": external, "createdAt": CREATED_AT, **columns}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
            sql.Identifier("public", f"openfaith_{table}"),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        )
        self.connection.execute(statement, list(values.values()))
        return id
