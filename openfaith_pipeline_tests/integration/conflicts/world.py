"""Two churches with the same records, changed on both sides; every event goes to Postgres and to the oracle."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.database import Database
from openfaith_pipeline.review.conflict_policies import FieldPolicy, Policy, reset_policy, set_policy
from openfaith_pipeline_tests.integration.conflicts.oracle import CUSTOM, HERE, Oracle, Record, is_deleted_by_person
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA

ORGS: Final = ("org_01h455vb4pex5vsknk084sn02q", "org_01h455vb4pex5vsknk084sn02r")
USER: Final = "user_01h455vb4pex5vsknk084sn02q"


class Field(NamedTuple):
    """A field as OpenFaith and as the source name it, with the few values that it may have."""

    name: str
    column: str
    values: tuple[Any, ...]


class Table(NamedTuple):
    """An OpenFaith table, the stream that feeds it, and the type of its links."""

    name: str
    stream: str
    tag: str
    fields: tuple[Field, ...]


TABLES: Final = (
    Table(
        "people",
        "people.people",
        "person",
        (
            Field("firstName", "first_name", ("Ann", "Anna", "Annie", None)),
            Field("inactivatedAt", "inactivated_at", ("2026-02-03T04:05:06+00:00", "2026-03-03T00:00:00+00:00", None)),
            Field("pco_nickname", "nickname", ("Nan", "Annette", "Annie", None)),
        ),
    ),
    Table(
        "donations",
        "giving.donations",
        "donation",
        (
            Field("amountCents", "amount_cents", (1000, 2500, 100_000)),
            Field("paymentMethod", "payment_method", ("cash", "check", None)),
        ),
    ),
    # The source does not say when a group was changed.
    Table(
        "groups",
        "groups.groups",
        "group",
        (
            Field("name", "name", ("Choir", "Singers", "")),
            Field("listed", "listed", (True, False, None)),
            Field("pco_events_visibility", "events_visibility", (None, "public", "members")),
        ),
    ),
)
BY_NAME: Final[Mapping[str, Table]] = {table.name: table for table in TABLES}


class World:
    """now: the number of the event; moments: when each event began, by the clock."""

    def __init__(self, database: Database, connection: Connection[Any], seed: int, records: int) -> None:
        self.database, self.connection, self.random = database, connection, Random(seed)
        self.oracle = Oracle(without_times={"groups"})
        self.moments = [datetime.now(UTC), datetime.now(UTC)]
        for org in ORGS:
            for table in TABLES:
                for number in range(records):
                    self.add(Record(org, table.name, str(number + 1)))

    @property
    def now(self) -> int:
        return len(self.moments) - 1

    def begin(self) -> None:
        """Of the next event."""
        self.moments.append(datetime.now(UTC))

    def add(self, record: Record) -> None:
        """A new record at the source."""
        values = {field.name: field.values[0] for field in BY_NAME[record.table].fields}
        changed = None if record.table in self.oracle.without_times else self.now
        self.oracle.truth[record] = {**values, "changed": changed, "gone": False}

    def change_at_source(self, record: Record) -> None:
        """Now, or at an earlier time of which the pipeline hears now."""
        truth = self.oracle.truth[record]
        truth |= self._some_values(record)
        if record.table not in self.oracle.without_times:
            truth["changed"] = self.random.choice([self.now, self.random.randint(1, self.now)])

    def toggle_at_source(self, record: Record) -> None:
        """Deleted, or back."""
        self.oracle.truth[record]["gone"] ^= True

    def edit(self, record: Record) -> None:
        """By OpenFaith's app, which says who and when, or by somebody at the database."""
        values, is_by_the_app = self._some_values(record), self.random.random() < 0.5
        self.oracle.edit(record, values, self.now, is_by_the_app=is_by_the_app)
        custom = {name: values.pop(name) for name in list(values) if name.startswith(CUSTOM)}
        if custom:
            values["customFields"] = Jsonb(self._items_with(record, custom))
        if is_by_the_app:
            values |= {"updatedAt": self.moments[self.now], "updatedBy": USER}
        self._update(record, values)

    def add_item(self, record: Record) -> None:
        """A custom field of OpenFaith's own, before or behind the others."""
        row, name = self.oracle.rows[HERE, record], f"shirt {self.now}"
        is_first = self.random.random() < 0.5
        row["items"] = [f"{name}=M", *row["items"]] if is_first else [*row["items"], f"{name}=M"]
        item = Jsonb([{"_tag": "string", "name": name, "source": "openfaith", "value": "M"}])
        assignment = '"customFields" = %s || "customFields"' if is_first else '"customFields" = "customFields" || %s'
        self._set(record, sql.SQL(assignment), [item])

    def toggle_here(self, record: Record) -> None:
        """Somebody deletes the row, or brings it back."""
        row = self.oracle.rows[HERE, record]
        row["deleted"] = False if is_deleted_by_person(row) else f"{USER} {self.now}"
        at, by = (self.moments[self.now], USER) if row["deleted"] else (None, None)
        self._update(record, {"deletedAt": at, "deletedBy": by})

    def remove_here(self, record: Record) -> None:
        """Somebody removes the row for good."""
        statement = sql.SQL("DELETE FROM {} WHERE id = %s").format(canonical(record.table))
        self.connection.execute(statement, (self.entity_ids()[record],))
        self.connection.commit()
        del self.oracle.rows[HERE, record]

    def choose(self, orgs: Sequence[str]) -> None:
        """Set or remove a policy: of one of these, `*` being every church, of a table or all, a field or all."""
        table = self.random.choice(TABLES)
        place = (
            self.random.choice(orgs),
            self.random.choice((table.name, table.name, "*")),
            self.random.choice((*(field.name for field in table.fields), "customFields", "*")),
        )
        if place in self.oracle.policies and self.random.random() < 0.4:
            del self.oracle.policies[place]
            reset_policy(self.connection, *place[:2], address_of(place[2]))
            self.connection.commit()
        else:
            self.set_policy(*place, self.random.choice([*Policy, Policy.ASK, Policy.ASK]))

    def set_policy(self, org: str, table: str, field: str, policy: Policy) -> None:
        self.oracle.policies[org, table, field] = policy.value
        set_policy(self.connection, FieldPolicy(org, table, address_of(field), policy))
        self.connection.commit()

    def entity_ids(self) -> dict[Record, str]:
        """By record, from the links."""
        by_tag = {table.tag: table.name for table in TABLES}
        links = self.connection.execute(
            'SELECT "orgId", "entityType", "externalId", "entityId" FROM "openfaith_externalLinks"'
            ' WHERE "entityType" = ANY(%s)',
            (list(by_tag),),
        ).fetchall()
        return {Record(org, by_tag[tag], record_id): entity for org, tag, record_id, entity in links}

    def _some_values(self, record: Record) -> dict[str, Any]:
        fields = BY_NAME[record.table].fields
        chosen = self.random.sample(fields, self.random.choice((1, 1, 2)))
        return {field.name: self.random.choice(field.values) for field in chosen}

    def _items_with(self, record: Record, custom: Mapping[str, Any]) -> list[Any]:
        """The row's custom fields with these values: each in its place, a new one the last."""
        statement = sql.SQL('SELECT "customFields" FROM {} WHERE id = %s').format(canonical(record.table))
        [(items,)] = self.connection.execute(statement, (self.entity_ids()[record],)).fetchall()
        named = {item["name"]: item for item in items}
        for name, value in custom.items():
            named[name] = value and {"_tag": "string", "name": name, "source": "pco", "value": value}
        return [item for item in named.values() if item]

    def _update(self, record: Record, values: Mapping[str, Any]) -> None:
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
        self._set(record, assignments, list(values.values()))

    def _set(self, record: Record, assignments: sql.Composable, values: list[Any]) -> None:
        statement = sql.SQL("UPDATE {} SET {} WHERE id = %s").format(canonical(record.table), assignments)
        assert self.connection.execute(statement, [*values, self.entity_ids()[record]]).rowcount == 1
        self.connection.commit()


def address_of(field: str) -> str:
    """The name by which the pipeline knows a field of the oracle."""
    return f"customFields.{field}" if field.startswith(CUSTOM) else field


def name_of(address: str) -> str:
    """The oracle's name of a field of the pipeline."""
    return address.removeprefix("customFields.")


def canonical(table: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, f"openfaith_{table}")
