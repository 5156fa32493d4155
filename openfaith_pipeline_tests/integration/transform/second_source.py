"""A church with two sources, in a process of its own: run as a module, it prints the results as JSON.

The second source is made up here, and registered where Planning Center is. Its records have the ids of Planning
Center's, and become rows of the same tables.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from openfaith_pipeline import sources
from openfaith_pipeline.canonical.model import Entity, Folder
from openfaith_pipeline.canonical.registry import model_of
from openfaith_pipeline.canonical.rules import Take, taken
from openfaith_pipeline.catalog.personal import PersonalData, PersonalDataOfSources
from openfaith_pipeline.catalog.stream import TEXT, TIMESTAMP, Stream
from openfaith_pipeline.planning_center import mapping
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.source import PLANNING_CENTER

ORG: Final = "org_01h455vb4pex5vsknk084sn02q"
FLOCK: Final = replace(PLANNING_CENTER, adapter="flock", title="Flock")
TABLES: Final = ("campuses", "people", "folders", "externalLinks", "edges")


class Pens:
    """The only product of that source."""

    value = "pens"
    source = FLOCK
    schema = "flock_pens"

    def __getattr__(self, name: str) -> Any:
        return getattr(Product.PEOPLE, name)


PENS: Final = Pens()
FOLDS: Final = Stream(product=PENS, type="Fold", path="/people/v2/folds", attributes={"name": TEXT})
SHEPHERDS: Final = Stream(
    product=PENS,
    type="Shepherd",
    path="/people/v2/shepherds",
    attributes={"first_name": TEXT, "crook": TEXT, "updated_at": TIMESTAMP},
    belongs_to={"primary_campus": "pens.folds"},
)
CAMPUSES = Entity(
    table="campuses",
    tag="campus",
    stream=FOLDS,
    columns={name: Take("name", default="") for name in ("name", "street", "city", "state", "zip")},
)
PEOPLE = Entity(table="people", tag="person", stream=SHEPHERDS, columns=taken("first_name"))
LISTS: Final = Stream(product=PENS, type="List", path="/people/v2/flocks", attributes={"name": TEXT})
FOLDERS = Folder(stream=LISTS)


def register() -> None:
    """Join the source to the others, before anything reads them."""
    sources.SOURCES[FLOCK.adapter] = FLOCK  # type: ignore[index]
    sources.PRODUCTS[PENS.value] = PENS  # type: ignore[index]
    streams = {**sources.STREAMS, **{stream.name: stream for stream in (FOLDS, SHEPHERDS, LISTS)}}
    sources.STREAMS = MappingProxyType(streams)  # type: ignore[misc]
    sources.CANONICAL = model_of((*mapping.MODULES, sys.modules[__name__]), streams)  # type: ignore[misc]
    sources.ENTITIES = sources.CANONICAL.entities  # type: ignore[misc]
    personal = {**sources.PERSONAL.by_adapter, FLOCK.adapter: PersonalData((SHEPHERDS,), {})}
    sources.PERSONAL = PersonalDataOfSources(personal)  # type: ignore[misc]


@dataclass(frozen=True)
class Church:
    """The steps of the report."""

    database: Any
    connection: Connection[Any]

    def fill(self) -> None:
        """Two campuses and three people at Planning Center."""
        for number in "12":
            self.put("people.campuses", number, name=f"Campus {number}")
        for number in "123":
            self.put("people.people", number, first_name="Ann", nickname="Nan", primary_campus_id="1")

    def fill_second(self) -> None:
        """As many, with the same ids, at the other source."""
        for number in "12":
            self.put("pens.folds", number, name=f"Fold {number}")
            self.put("pens.flocks", number, name=f"Flock {number}")
        for number in "123":
            self.put("pens.shepherds", number, first_name="Abel", crook="oak", primary_campus_id="2")

    def put(self, stream: str, record_id: str, **values: Any) -> None:
        from openfaith_pipeline_tests.integration.raw_rows import put_row  # noqa: PLC0415

        put_row(self.connection, stream, ORG, record_id, **values)

    def change(self, stream: str, record_id: str, **values: Any) -> None:
        declared = sources.STREAMS[stream]
        pairs = (sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values)
        assignments = sql.SQL(", ").join(pairs)
        statement = sql.SQL("UPDATE {} SET {} WHERE id = %(own)s").format(
            sql.Identifier(declared.schema, declared.short_name), assignments
        )
        assert self.connection.execute(statement, {**values, "own": record_id}).rowcount == 1

    def transform(self, sync_id: str = "sync", *, is_full: bool = False) -> dict[str, Any]:
        """By table: rows inserted, updated and missed, if there are any."""
        from openfaith_pipeline.transform import transform_org  # noqa: PLC0415

        results = transform_org(self.connection, ORG, schema="public", sync_id=sync_id, is_full=is_full)
        self.connection.commit()
        counts = {name: (each.inserted, each.updated, each.missed) for name, each in results.items()}
        return {name: count for name, count in counts.items() if any(count)}

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        cursor = self.connection.cursor(row_factory=dict_row)
        return {
            table: cursor.execute(
                sql.SQL("SELECT *, xmin::text AS version FROM {}").format(sql.Identifier(f"openfaith_{table}"))
            ).fetchall()
            for table in TABLES
        }

    def entity_of(self, adapter: str, tag: str, external_id: str) -> str:
        [(found,)] = self.connection.execute(
            'SELECT "entityId" FROM "openfaith_externalLinks"'
            ' WHERE adapter = %s AND "entityType" = %s AND "externalId" = %s',
            (adapter, tag, external_id),
        ).fetchall()
        return str(found)

    def audit(self) -> dict[str, Any]:
        """Findings of every check of the tables."""
        from openfaith_pipeline.audit.canonical_checks import examine_canonical  # noqa: PLC0415
        from openfaith_pipeline.audit.dead_ends import DeadEnds  # noqa: PLC0415

        failed = [
            f"{table} {rule.name} {finding.counts}"
            for table, rule, finding in examine_canonical(self.connection, ORG, "public")
            if not finding.passed
        ]
        with self.database.connect(row_factory=dict_row) as connection:
            ends = [f"{end.kind} {end.place} {end.name}" for end in DeadEnds(connection, ORG, "public").all()]
        return {"failed": failed, "dead_ends": ends}

    def rebuild(self) -> dict[str, int]:
        from openfaith_pipeline.transform.rebuild import rebuild_org  # noqa: PLC0415

        rebuilt = rebuild_org(self.connection, ORG, schema="public", sync_id="rebuild")
        self.connection.commit()
        return {name: each.written for name, each in rebuilt.items() if each.written}


def _report(church: Church) -> Mapping[str, Any]:
    report: dict[str, Any] = {}
    church.fill()
    church.transform()
    report["before"] = church.rows()
    church.fill_second()
    report["second"] = church.transform()
    report["after"] = church.rows()
    report["again"] = [church.transform(), church.transform(is_full=True), church.rebuild()]
    report["audit"] = church.audit()
    report["deleted"] = _deleted(church)
    report["conflicts"] = _conflicts(church)
    report["shared"] = _shared(church)
    report["rolled_back"] = _rolled_back(church)
    report["erased"] = _erased(church)
    return report


def _deleted(church: Church) -> Mapping[str, Any]:
    """A shepherd is deleted at his source; then the people of the other have another campus."""
    church.change("pens.shepherds", "3", _deleted_at="2026-05-01T00:00:00Z")
    gone = church.transform()
    rows = church.rows()
    church.change("people.people", "3", primary_campus_id="2")
    return {"gone": gone, "rows": rows, "moved": church.transform(is_full=True), "moved_rows": church.rows()}


def _conflicts(church: Church) -> Mapping[str, Any]:
    """The same field of two people with one id is changed here and at the second source."""
    from openfaith_pipeline.review.conflict_policies import FieldPolicy, Policy, set_policy  # noqa: PLC0415

    set_policy(church.connection, FieldPolicy("*", "people", "firstName", Policy.ASK))
    for adapter in ("pco", "flock"):
        church.connection.execute(
            'UPDATE "openfaith_people" SET "firstName" = %s WHERE id = %s',
            ("Edited", church.entity_of(adapter, "person", "1")),
        )
    church.connection.commit()
    church.change("pens.shepherds", "1", first_name="Amos", updated_at="2026-06-01T00:00:00Z")
    church.transform()
    waiting = church.connection.execute("SELECT entity_id, local, source FROM sync.conflicts").fetchall()
    edits = church.connection.execute("SELECT entity_id FROM sync.local_edits ORDER BY edited_at").fetchall()
    return {
        "waiting": waiting,
        "edits": [entity for (entity,) in edits],
        "people": [church.entity_of(adapter, "person", "1") for adapter in ("pco", "flock")],
    }


_JOINED: Final = """
UPDATE "openfaith_externalLinks" SET "entityId" = %(kept)s WHERE "entityId" = %(given_up)s;
UPDATE "openfaith_people" SET "externalIds" = "externalIds" || '[{"id": "2", "type": "flock"}]' WHERE id = %(kept)s;
DELETE FROM "openfaith_edges" WHERE %(given_up)s IN ("sourceEntityId", "targetEntityId");
DELETE FROM "openfaith_people" WHERE id = %(given_up)s;
"""


def _shared(church: Church) -> Mapping[str, Any]:
    """Somebody finds that person 2 of both is one person."""
    kept, given_up = (church.entity_of(adapter, "person", "2") for adapter in ("pco", "flock"))
    for statement in filter(str.strip, _JOINED.split(";")):
        church.connection.execute(statement, {"kept": kept, "given_up": given_up})  # type: ignore[call-overload]
    church.connection.commit()
    first = church.transform()
    changed = []
    for stream in ("people.people", "pens.shepherds"):
        church.change(stream, "2", first_name=f"of {stream}")
        changed.append(church.transform(is_full=True))
    rows = church.rows()
    [row] = [each for each in rows["people"] if each["id"] == kept]
    edges = [each for each in rows["edges"] if kept in (each["sourceEntityId"], each["targetEntityId"])]
    again = [church.transform(is_full=True), church.rebuild()]
    return {"first": first, "changed": changed, "row": row, "edges": edges, "again": again, "audit": church.audit()}


def _rolled_back(church: Church) -> Mapping[str, Any]:
    """A sync of the second source changes its second campus, and one of the first its own; the former is undone."""
    from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync  # noqa: PLC0415
    from openfaith_pipeline.sync.rollback import RollbackOrder, roll_back  # noqa: PLC0415

    for stream in ("pens.folds", "people.campuses"):
        begin_sync(church.connection, SyncStart(stream, None, "incremental", "test", {"orgs": [ORG]}))
        church.change(stream, "2", name=f"Renamed by {stream}")
        church.transform(stream)
        finish_sync(church.connection, stream)
        church.connection.commit()
    before = church.rows()["campuses"]
    [undone] = roll_back(church.database, RollbackOrder("pens.folds"))
    return {"rows": undone.rows, "before": before, "after": church.rows()["campuses"]}


def _erased(church: Church) -> Mapping[str, Any]:
    """Person 1 of the second source, and then the one person of both."""
    from openfaith_pipeline.errors import UsageError  # noqa: PLC0415
    from openfaith_pipeline.privacy.person_erasure import erase_person, foresee_person_erasure  # noqa: PLC0415

    chair = {"relationships": {"chair": {"id": "1", "type": SHEPHERDS.type}}}
    church.change("people.campuses", "1", _extra=Jsonb(chair))
    church.change("pens.folds", "1", _extra=Jsonb(chair))
    church.connection.commit()
    try:
        foresee_person_erasure(church.database, ORG, "1")
    except UsageError as error:
        refusal = str(error)
    one = erase_person(church.database, ORG, church.entity_of("flock", "person", "1"), "somebody")
    raw = {
        stream: church.connection.execute(f"SELECT id, _extra FROM {stream.raw_table} ORDER BY id").fetchall()  # type: ignore[call-overload]  # noqa: S608
        for stream in (sources.STREAMS[name] for name in ("people.people", "people.campuses", "pens.folds"))
    }
    church.connection.commit()
    both = erase_person(church.database, ORG, church.entity_of("pco", "person", "2"), "somebody")
    links = [each for each in church.rows()["externalLinks"] if each["entityType"] == "person"]
    return {
        "refusal": refusal,
        "one": one.counts,
        "raw": {stream.name: rows for stream, rows in raw.items()},
        "both": both.counts,
        "people": sorted(f"{each['adapter']} {each['externalId']}" for each in links),
        "again": church.transform(is_full=True),
    }


def main() -> None:
    register()
    # Only now, for these read the sources.
    from openfaith_pipeline.database import open_database  # noqa: PLC0415
    from openfaith_pipeline.settings import Settings  # noqa: PLC0415

    with open_database(Settings(), upgrade=True) as database, database.connect() as connection:
        report = _report(Church(database, connection))
    sys.stdout.write(json.dumps(report, default=str))


if __name__ == "__main__":
    main()
