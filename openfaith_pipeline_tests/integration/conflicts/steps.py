"""The pipeline's own events: syncs, rebuilds, decisions and rollbacks, at random, each expected by the oracle."""

from collections import Counter
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import RollbackRefused, UsageError
from openfaith_pipeline.journal import journaled, raw_rows
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.review.conflicts import Decision, list_conflicts
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.conflict_decision import decide_conflicts
from openfaith_pipeline.sync.rebuild import RebuildOrder, rebuild
from openfaith_pipeline.sync.rollback import OnConflict, RollbackOrder, roll_back
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.conflicts.oracle import HERE, SOURCE, Record
from openfaith_pipeline_tests.integration.conflicts.world import BY_NAME, ORGS, TABLES, World, name_of
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA

OPERATOR: Final = "an operator"
_PUBLISH: Final = sql.SQL("""
INSERT INTO {table} AS target (org_id, id, {columns}, _deleted_at, _content_hash, _first_seen_at, _synced_at, _sync_id)
VALUES (%(org_id)s, %(id)s, {values}, CASE WHEN %(gone)s THEN %(now)s::timestamptz END, '', %(first)s, %(now)s,
    %(sync_id)s)
ON CONFLICT (org_id, id) DO UPDATE SET ({columns}, _deleted_at, _synced_at, _sync_id) = ROW ({excluded},
    CASE WHEN %(gone)s THEN coalesce(target._deleted_at, excluded._deleted_at) END, excluded._synced_at, %(sync_id)s)
WHERE ({present}, target._deleted_at IS NULL) IS DISTINCT FROM ({excluded}, excluded._deleted_at IS NULL)""")


class Steps(World):
    """orgs: those that take part. seen: events by kind and end.

    undoing: by rollback, the sync that it undid.
    """

    def __init__(self, database: Database, connection: Connection[Any], seed: int, records: int = 2) -> None:
        super().__init__(database, connection, seed, records)
        self.orgs = ORGS
        self.seen = Counter[str]()
        self.undoing: dict[str, str] = {}
        self.syncs = 0

    def step(self) -> list[str]:
        """Some changes on both sides, in any order, then an event of the pipeline's; the names of them all."""
        changes = self.random.choices(
            ("change_at_source", "edit", "toggle_at_source", "toggle_here", "remove_here", "add_item", "choose", "add"),
            weights=(40, 40, 2, 1, 1, 4, 6, 1),
            k=self.random.randint(2, 8),
        )
        own = self.random.choices(("sync", "rebuild", "decide", "roll_back"), weights=(55, 3, 25, 25))
        return [self._do(name) for name in (*changes, *own)]

    def _do(self, name: str) -> str:
        self.begin()
        org = self.random.choice(self.orgs)
        match name:
            case "sync":
                self.sync(org, is_full=self.random.random() < 0.15)
            case "rebuild":
                self.rebuild(org)
            case "decide":
                name = self.decide(
                    self.random.choice([each for each in self.orgs if self.oracle.waiting(each)] or [org])
                )
            case "roll_back":
                name = self.roll_back(org)
            case "choose":
                self.choose(self.orgs if len(self.orgs) == 1 else (*ORGS, "*"))
            case "add":
                self.add(Record(org, self.random.choice(TABLES).name, str(self.now + 100)))
            case "change_at_source" | "toggle_at_source":
                records = [record for record in self.oracle.truth if record.org in self.orgs]
                getattr(self, name)(self.random.choice(records))
            case _:
                here = [key[1] for key in self.oracle.rows if key[0] == HERE and key[1].org in self.orgs]
                getattr(self, name)(self.random.choice(sorted(here)))
        self.seen[name] += 1
        return name

    def sync(self, org: str, *, is_full: bool = False) -> None:
        """The records that differ from the source, and the rows of them."""
        sync_id = self._next_id()
        begin_sync(self.connection, SyncStart(sync_id, None, "incremental", "test", {"org": org}))
        for record in self.oracle.truth:
            if record.org == org:
                self._publish(record, sync_id)
        results = transform_org(self.connection, org, schema=SCHEMA, sync_id=sync_id, is_full=is_full)
        finish_sync(self.connection, sync_id)
        self.connection.commit()
        self.oracle.sync(org, sync_id, self.now)
        assert {name: result.missed for name, result in results.items() if result.missed} == {}
        assert sum(result.conflicts for result in results.values()) == len(self.oracle.waiting(org))

    def rebuild(self, org: str) -> None:
        sync_id = self._next_id()
        [done] = rebuild(self.database, RebuildOrder([org], ignores_guards=True, sync_id=sync_id))
        assert done.error is None
        self.oracle.transform(org, sync_id)

    def decide(self, org: str) -> str:
        """One conflict or two, in either way; returns the decision, and whether it was refused."""
        waiting = self.oracle.waiting(org)
        if not waiting:
            return "nothing to decide"
        keys = self.random.sample(waiting, self.random.randint(1, min(2, len(waiting))))
        decision, ids = self.random.choice([*Decision]), self.conflict_ids(org)
        try:
            done = decide_conflicts(self.database, [ids[key[1:3]] for key in keys], decision, OPERATOR)
        except UsageError:
            assert not self.oracle.decide(org, keys, "refused", takes_source=decision is Decision.APPROVE)
            return f"{decision} refused"
        assert self.oracle.decide(org, keys, done.sync_id, takes_source=decision is Decision.APPROVE)
        return decision.value

    def roll_back(self, org: str) -> str:
        """Mostly the newest sync, or else any; returns the mode, and whether it was refused."""
        known = [
            (sync_id, changes)
            for sync_id, of_org, changes in self.oracle.journal
            if of_org == org and changes and not self.is_undone(sync_id)
        ]
        if not known:
            return "nothing to roll back"
        sync_id, changes = self.random.choice(known[-1:] * len(known) + known)
        is_first = any(key[0] == SOURCE and change.before is None for key, change in changes.items())
        mode = OnConflict.REFUSE if is_first else self.random.choice([*OnConflict])
        rollback_id = self._next_id()
        try:
            roll_back(self.database, RollbackOrder(sync_id, mode, rollback_id=rollback_id))
        except RollbackRefused as refused:
            assert not self.oracle.roll_back(org, sync_id, rollback_id, mode.value), refused
            return "rollback refused"
        assert self.oracle.roll_back(org, sync_id, rollback_id, mode.value), f"{sync_id} should be refused"
        self.undoing[rollback_id] = sync_id
        return f"rollback {mode}"

    def is_undone(self, sync_id: str) -> bool:
        """Whether a rollback of it stands, being itself not undone."""
        return any(undone == sync_id and not self.is_undone(name) for name, undone in self.undoing.items())

    def conflict_ids(self, org: str) -> dict[tuple[Record, str], str]:
        """By record and field, of those that wait."""
        records = {entity_id: record for record, entity_id in self.entity_ids().items()}
        waiting = list_conflicts(self.connection, org)
        self.connection.commit()
        return {(records[each.entity_id], name_of(each.field)): each.id for each in waiting}

    def _publish(self, record: Record, sync_id: str) -> None:
        table, truth = BY_NAME[record.table], self.oracle.truth[record]
        values = {field.column: truth[field.name] for field in table.fields}
        if table.name not in self.oracle.without_times:
            values["updated_at"] = self.moments[truth["changed"]]
        stream = STREAMS[table.stream]
        statement = _PUBLISH.format(
            table=raw_rows(stream).identifier,
            columns=sql.SQL(", ").join(map(sql.Identifier, values)),
            values=sql.SQL(", ").join(map(sql.Placeholder, values)),
            excluded=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in values),
            present=sql.SQL(", ").join(sql.Identifier("target", name) for name in values),
        )
        names = {"org_id": record.org, "id": record.id, "gone": truth["gone"], "now": self.moments[self.now]}
        names |= {"first": self.moments[0], "sync_id": sync_id, "cause": "test"}
        self.connection.execute(journaled(raw_rows(stream), statement), {**values, **names})

    def _next_id(self) -> str:
        self.syncs += 1
        return f"sync {self.syncs}"
