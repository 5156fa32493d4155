"""Declarations that nobody has, in a process of their own: run as a module, it prints the results as JSON.

Given a number of rounds, it also changes raw rows at random and counts the rows that following the changes had missed.
"""

import json
import random
import sys
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from openfaith_pipeline.canonical.model import Alias, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import Choice, Money, Presence, Reference, Take, taken
from openfaith_pipeline.planning_center import mapping
from openfaith_pipeline.planning_center.mapping.people import CAMPUSES, EMAILS, FIELD_DATA, PEOPLE
from openfaith_pipeline.planning_center.streams import giving, groups, people, people_lists

__all__ = ["CAMPUSES", "EMAILS", "FIELD_DATA", "PEOPLE"]

ENTITY = Entity(
    table="households",
    tag="household",
    stream=people.HOUSEHOLDS,
    columns={
        "name": Take("name", default=""),
        "primaryContactId": Reference("primary_contact"),
        "members": Money("member_count"),
    },
)

FOLDER = Folder(stream=people_lists.LISTS, type="pco_list", parent="category", columns=taken("description"))

CATEGORIES = Folder(stream=people_lists.LIST_CATEGORIES)

EDGE = Edge(
    stream=people.HOUSEHOLD_MEMBERSHIPS,
    between=("person", "household"),
    metadata={"role": Choice("household_role", {"adult": "adult", "child": "child"}), **taken("pending")},
)

FIELD = Field(
    stream=people.MARITAL_STATUSES, on=people.PEOPLE, via="marital_status", values={"marital_status": Take("value")}
)

GIVERS = Alias(stream=giving.PEOPLE, of=people.PEOPLE)

FUNDS = Entity(
    table="funds",
    tag="fund",
    stream=giving.FUNDS,
    columns={"name": Take("name", default=""), "status": Presence("deletable", "inactive", "active")},
)

DONATIONS = Entity(
    table="donations",
    tag="donation",
    stream=giving.DONATIONS,
    columns={"amountCents": Money("amount_cents"), "amountCurrency": Take("amount_currency")},
)

LABELS = Field(stream=giving.LABELS, on=giving.DONATIONS, via="labels", values={"labels": Take("slug")})

NOTES = Field(stream=giving.NOTES, on=giving.DONATIONS, via="donation", values={"note": Take("body")})

DESIGNATIONS = Edge(
    stream=giving.DESIGNATIONS,
    between=("donation", "fund"),
    metadata={"amountCents": Money("amount_cents"), "currency": Take("amount_currency")},
)

GROUPS = Entity(table="groups", tag="group", stream=groups.GROUPS, columns={"name": Take("name", default="")})

REFUNDS = Field(
    stream=giving.DESIGNATION_REFUNDS,
    on=giving.DESIGNATIONS,
    via="designation",
    values={"refundedCents": Money("amount_cents")},
)

ORG = "org_01h455vb4pex5vsknk084sn02q"
TABLES = ("households", "folders", "funds", "donations", "people", "edges", "externalLinks")


def main(rounds: int) -> None:
    mapping.MODULES = (sys.modules[__name__],)  # type: ignore[assignment]
    # Only now, for these read the declarations.
    from openfaith_pipeline.canonical.document import render_edges, render_types  # noqa: PLC0415
    from openfaith_pipeline.database import open_database  # noqa: PLC0415
    from openfaith_pipeline.settings import Settings  # noqa: PLC0415
    from openfaith_pipeline.sources import CANONICAL  # noqa: PLC0415
    from openfaith_pipeline.transform import SOURCES  # noqa: PLC0415
    from openfaith_pipeline_tests.integration.transform.made_up_rows import Rows  # noqa: PLC0415

    with open_database(Settings(), upgrade=True) as database, database.connect() as connection:
        rows = Rows(connection, ORG, random.Random(4))
        rows.put()
        report: dict[str, Any] = {"first": rows.transform(), "again": rows.transform(), "rows": _rows(connection)}
        report["missed"] = [rows.missed_after_change() for _ in range(rounds)]
        report["comments"] = _comments(connection)
        connection.rollback()
    report |= {"types": render_types(CANONICAL), "edges": render_edges(CANONICAL), "sources": dict(SOURCES)}
    sys.stdout.write(json.dumps(report, default=str))


def _rows(connection: Connection[Any]) -> dict[str, list[dict[str, Any]]]:
    cursor = connection.cursor(row_factory=dict_row)
    return {
        table: cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(f"openfaith_{table}"))).fetchall()
        for table in TABLES
    }


def _comments(connection: Connection[Any]) -> list[Any]:
    return connection.execute(
        "SELECT col_description(attrelid, attnum) FROM pg_attribute"
        " WHERE attrelid = 'openfaith_households'::regclass AND attname IN ('name', 'primaryContactId') ORDER BY 1"
    ).fetchall()


if __name__ == "__main__":
    main(int(sys.argv[1]))
