"""A church of all products whose raw and OpenFaith rows change at random, step by step; a twin of it."""

from collections.abc import Callable
from random import Random
from typing import Any, Final, LiteralString

from psycopg import Connection, sql
from psycopg.rows import dict_row

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.review.conflict_policies import ANY, FieldPolicy, Policy, set_policy
from openfaith_pipeline.sources import CANONICAL, STREAMS
from openfaith_pipeline_tests.integration.transform.church import MERGER_STREAM, put_rows
from openfaith_pipeline_tests.integration.transform.products.world import World
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA, transform

Rows = list[dict[str, Any]]

PEOPLE_DO: Final[tuple[LiteralString, ...]] = (
    'UPDATE openfaith_people SET tags = \'["x"]\', "customFields" = {item}::jsonb || "customFields" WHERE {one}',
    "UPDATE openfaith_groups SET name = 'Edited here', \"updatedBy\" = 'user_1' WHERE {one}",
    "UPDATE openfaith_people SET \"firstName\" = 'Edited here', \"updatedBy\" = 'user_1' WHERE {one}",
    'UPDATE openfaith_donations SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE {one}',
    'UPDATE openfaith_events SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE {one}',
    'UPDATE openfaith_edges SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE {one}',
)
ITEM: Final = '[{"_tag": "string", "name": "shirt", "source": "openfaith", "value": "M"}]'
CHANGES: Final = 30
"""Records changed in one step."""


class AllProducts(World):
    """Raw rows of every type that becomes anything."""

    def streams(self) -> list[Stream]:
        read = {each.name for declared in CANONICAL.declarations for each in CANONICAL.sources_of(declared.stream)}
        return [stream for name, stream in STREAMS.items() if name in read and name != MERGER_STREAM]


class History:
    """The steps of one church. policies: local for people's first names, ask for names of groups, else the source."""

    def __init__(self, connection: Connection[Any], org_id: str, seed: int) -> None:
        self.connection, self.org_id, self.random = connection, org_id, Random(seed)
        self.world = AllProducts(org_id, "all", seed, kinds=_kinds())
        self.world.store(connection)
        self.mergers = 0
        set_policy(connection, FieldPolicy(org_id, "people", "firstName", Policy.LOCAL))
        set_policy(connection, FieldPolicy(org_id, "groups", ANY, Policy.ASK))
        self.acts: tuple[Callable[[], None], ...] = (self._rewrite, self._rewrite, self._toggle, self._add)

    def step(self) -> None:
        """Change some records, lists of records and OpenFaith rows, and have the changes followed."""
        for act in self.random.choices(self.acts, k=CHANGES):
            act()
        self._list_others()
        for _ in range(self.random.randint(0, 2)):
            self._merge()
        for statement in PEOPLE_DO:
            self._edit(statement)
        self.connection.commit()
        transform(self.connection, self.org_id)

    def disagree(self) -> None:
        """Both sides change the name of each group, and that of each person: one waits, the other stays."""
        for table, column, raw in (
            ("groups", "name", "pco_groups.groups"),
            ("people", "firstName", "pco_people.people"),
        ):
            raw_column = "name" if table == "groups" else "first_name"
            self.connection.execute(
                sql.SQL("UPDATE {} SET {} = 'Here', \"updatedBy\" = 'user_1' WHERE \"orgId\" = %s").format(
                    sql.Identifier(f"openfaith_{table}"), sql.Identifier(column)
                ),
                (self.org_id,),
            )
            self.connection.execute(
                sql.SQL("UPDATE {} SET {} = 'There' WHERE org_id = %s").format(
                    sql.Identifier(*raw.split(".")), sql.Identifier(raw_column)
                ),
                (self.org_id,),
            )
        self.connection.commit()
        transform(self.connection, self.org_id)

    def _rewrite(self) -> None:
        stream, record_id = self._some()
        self._put(stream, record_id, {"_deleted_at": None})

    def _toggle(self) -> None:
        stream, record_id = self._some()
        self.connection.execute(
            sql.SQL(
                "UPDATE {} SET _deleted_at = CASE WHEN _deleted_at IS NULL THEN clock_timestamp() END"
                " WHERE org_id = %s AND id = %s"
            ).format(sql.Identifier(stream.schema, stream.short_name)),
            (self.org_id, record_id),
        )

    def _add(self) -> None:
        stream, _ = self._some()
        self._put(stream, str(len(self.world.rows[stream.name]) + 1), {})

    def _list_others(self) -> None:
        """A record lists others than before."""
        stream, key = self.random.choice(list(self.world.links))
        table = sql.Identifier(STREAMS[stream].schema, STREAMS[stream].links[key])
        near, far = (str(self.random.randint(1, 8)) for _ in range(2))
        self.connection.execute(
            sql.SQL("DELETE FROM {} WHERE org_id = %s AND id = %s").format(table), (self.org_id, near)
        )
        self.connection.execute(
            sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, 1)").format(table), (self.org_id, near, far)
        )

    def _merge(self) -> None:
        """Anybody into anybody, also in circles, with themselves and into nobody; never an older one afterwards."""
        self.mergers += 1
        kept, removed = (str(self.random.randint(1, 9)) for _ in range(2))
        row = self.world._made_up(STREAMS[MERGER_STREAM], str(self.mergers))
        row |= {"person_to_keep_id": kept, "person_to_remove_id": removed, "_deleted_at": None}
        row["created_at"] = f"2025-01-01T00:00:{self.mergers:02}Z"
        put_rows(self.connection, STREAMS[MERGER_STREAM], [row], is_alone=False)

    def _edit(self, statement: LiteralString) -> None:
        table = statement.split()[1]
        one = sql.SQL('ctid = (SELECT ctid FROM {} WHERE "orgId" = {} AND {} ORDER BY md5(ctid::text || {}) LIMIT 1)')
        held = one.format(
            sql.Identifier(table),
            sql.Literal(self.org_id),
            sql.SQL("metadata ->> 'source' = 'pco_direct'" if table.endswith("edges") else "true"),
            sql.Literal(str(self.random.random())),
        )
        self.connection.execute(sql.SQL(statement).format(one=held, item=sql.Literal(ITEM)))

    def _some(self) -> tuple[Stream, str]:
        stream = self.random.choice(self.world.streams())
        return stream, self.random.choice(list(self.world.rows[stream.name]))

    def _put(self, stream: Stream, record_id: str, values: dict[str, Any]) -> None:
        row = self.world._made_up(stream, record_id) | values
        self.world.rows[stream.name][record_id] = row
        table = sql.Identifier(stream.schema, stream.short_name)
        self.connection.execute(
            sql.SQL("DELETE FROM {} WHERE org_id = %s AND id = %s").format(table), (self.org_id, record_id)
        )
        put_rows(self.connection, stream, [row], is_alone=False)


def _kinds() -> dict[str, tuple[str, ...]]:
    """By stream, the types that its polymorphic relationships name."""
    found: dict[str, set[str]] = {}
    for each in CANONICAL.relationships:
        if each.type:
            found.setdefault(each.stream.name, {"Other"}).add(each.type)
    for declared in (*CANONICAL.fields, *CANONICAL.answers):
        found.setdefault(declared.stream.name, {"Other"}).add(declared.on.type)
    return {name: tuple(sorted(types)) for name, types in found.items()}


def copy_raw_rows(connection: Connection[Any], org_id: str, twin: str) -> None:
    """The same raw rows for another org, which has no OpenFaith rows yet."""
    for stream in STREAMS.values():
        for name in (stream.short_name, *stream.links.values()):
            table = sql.Identifier(stream.schema, name)
            columns = [
                column.name
                for column in connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()
            ]
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            values = sql.SQL(", ").join(
                sql.Literal(twin) if column == "org_id" else sql.Identifier(column) for column in columns
            )
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE org_id = %s").format(table, listed, values, table),
                (org_id,),
            )
    connection.commit()


def snapshot(connection: Connection[Any], org_id: str, tables: tuple[str, ...]) -> dict[str, set[str]]:
    """Every canonical row of the org as text, without the time when a link was last written for."""
    found = {}
    for table in tables:
        dropped = (
            ["lastProcessedAt"] if table == "externalLinks" else ["updatedAt"] if table == "entityRelationships" else []
        )
        rows = connection.execute(
            sql.SQL('SELECT (to_jsonb(t) - %s::text[])::text FROM {} t WHERE "orgId" = %s').format(
                sql.Identifier(SCHEMA, f"openfaith_{table}")
            ),
            (dropped, org_id),
        ).fetchall()
        found[table] = {row for (row,) in rows}
    return found


def read(connection: Connection[Any], table: str, org_id: str) -> Rows:
    cursor = connection.cursor(row_factory=dict_row)
    statement = sql.SQL('SELECT * FROM {} WHERE "orgId" = %s').format(sql.Identifier(SCHEMA, f"openfaith_{table}"))
    return cursor.execute(statement, (org_id,)).fetchall()
