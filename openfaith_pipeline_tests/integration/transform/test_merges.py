"""Merged people: in whatever order it is heard of, the removed one is the survivor from then on."""

from itertools import permutations
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import entity_ids, row_versions, rows, transform

ORG, OTHER = "org_01h455vb4pex5vsknk084sn02q", "org_01h455vb4pex5vsknk084sn02r"
USER = "user_01h455vb4pex5vsknk084sn02q"
GONE_AT = "2026-02-01T00:00:00Z"


@pytest.fixture
def connection(database: Database) -> Any:
    """Five people, each with a campus, an email and a tag of OpenFaith's, loaded and transformed."""
    with database.connect() as connection:
        put_row(connection, "people.campuses", ORG, "1", name="Riverside")
        for number in "12345":
            put_row(connection, "people.people", ORG, number, name=f"Person {number}", primary_campus_id="1")
            put_row(connection, "people.emails", ORG, number, person_id=number)
        transform(connection, ORG)
        connection.execute("UPDATE openfaith_people SET tags = to_jsonb(ARRAY[name])")
        connection.commit()
        yield connection


def _merge(connection: psycopg.Connection[Any], keep: str, remove: str, day: int = 1, org: str = ORG) -> None:
    name = f"{keep}{remove}{day}"
    moment = f"2026-01-{day:02}T00:00:00Z"
    put_row(
        connection,
        "people.person_mergers",
        org,
        name,
        person_to_keep_id=keep,
        person_to_remove_id=remove,
        created_at=moment,
    )


def _lose(connection: psycopg.Connection[Any], person_id: str) -> None:
    connection.execute(
        "UPDATE pco_people.people SET _deleted_at = %s WHERE org_id = %s AND id = %s AND _deleted_at IS NULL",
        (GONE_AT, ORG, person_id),
    )


def _edge(connection: psycopg.Connection[Any], one: str, other: str, kind: str, **columns: Any) -> None:
    columns = {"metadata": Jsonb({"source": "openfaith"}), **columns}
    names = ", ".join(f'"{name}"' for name in columns)
    connection.execute(
        'INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "targetEntityId", "relationshipType",'  # noqa: S608
        f' "sourceEntityTypeTag", "targetEntityTypeTag", "createdAt", {names})'
        f" VALUES (%s, %s, %s, %s, split_part(%s, '_', 1), split_part(%s, '_', 1), now(),"
        f" {', '.join(['%s'] * len(columns))})".encode(),
        (ORG, one, other, kind, one, other, *columns.values()),
    )
    connection.commit()


def _live_edges(connection: psycopg.Connection[Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {
        (edge["sourceEntityId"], edge["targetEntityId"], edge["relationshipType"]): edge["metadata"]
        for edge in rows(connection, "edges", ORG)
        if edge["deletedAt"] is None
    }


def _people(connection: psycopg.Connection[Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows(connection, "people", ORG)}


def _merged(keep: str, remove: str) -> tuple[tuple[str, str, str], dict[str, Any]]:
    metadata = {"keepId": keep, "removeId": remove, "relationshipKey": "merged", "source": "pco_merging"}
    return (*sorted((keep, remove)), "merged"), metadata  # type: ignore[return-value]


def _state(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Everything that must not depend on the order, without the moments at which it was heard of."""
    return {
        table: sorted(
            [
                {
                    name: value
                    for name, value in row.items()
                    if name not in {"lastProcessedAt", "updatedAt", "deletedAt"}
                }
                | {"is_deleted": row["deletedAt"] is not None}
                for row in rows(connection, table, ORG)
            ],
            key=repr,
        )
        for table in ("people", "externalLinks")
    } | {"edges": _live_edges(connection)}


def test_the_removed_one_is_the_survivor(connection: psycopg.Connection[Any]) -> None:
    ids = {number: entity_id for (tag, number), entity_id in entity_ids(connection, ORG).items() if tag == "person"}
    emails = {number: entity_id for (tag, number), entity_id in entity_ids(connection, ORG).items() if tag == "email"}
    before = _people(connection)
    _merge(connection, "1", "2")
    _lose(connection, "2")
    results = transform(connection, ORG)

    assert entity_ids(connection, ORG)["person", "2"] == ids["1"]
    after = _people(connection)
    assert after[ids["1"]] == before[ids["1"]], "local values of the survivor stay"
    assert (after[ids["2"]]["deletedBy"], after[ids["2"]]["tags"]) == ("pco", before[ids["2"]]["tags"])
    edges = _live_edges(connection)
    assert {target for source, target, _ in edges if source == emails["2"]} == {ids["1"]}, "children follow"
    key, metadata = _merged(ids["1"], ids["2"])
    assert {each: value for each, value in edges.items() if ids["2"] in each} == {key: metadata}
    assert (results["people"].updated, results["externalLinks"].updated) == (1, 1)
    link = next(
        row
        for row in rows(connection, "externalLinks", ORG)
        if (row["entityType"], row["externalId"]) == ("person", "2")
    )
    assert link["deletedAt"] is None

    versions = row_versions(connection)
    transform(connection, ORG)
    assert row_versions(connection) == versions


@pytest.mark.parametrize("keeper_ends", ["lives", "is destroyed"])
def test_a_chain_ends_the_same_in_every_order(database: Database, keeper_ends: str) -> None:
    """4 into 3, 3 into 2, 2 into 1; each merge and each loss is heard of in a transform of its own."""
    events = ["43", "32", "21"]
    states = []
    for order, turn in enumerate(permutations(events)):
        with database.connect() as connection:
            org = ORG[:-1] + "qrstvwx"[order]
            for number in "1234":
                put_row(connection, "people.people", org, number, name=f"Person {number}")
                put_row(connection, "people.emails", org, number, person_id=number)
            transform(connection, org)
            own = {
                entity: f"own {number}"
                for (tag, number), entity in entity_ids(connection, org).items()
                if tag == "person"
            }
            losses = [(event[0],) for event in turn]
            steps = [
                step for pair in zip(turn, losses, strict=True) for step in (pair if order % 2 else reversed(pair))
            ]
            for step in steps:
                if isinstance(step, tuple):
                    connection.execute(
                        "UPDATE pco_people.people SET _deleted_at = now() WHERE org_id = %s AND id = %s", (org, *step)
                    )
                else:
                    _merge(connection, step[1], step[0], day=6 - int(step[0]), org=org)
                transform(connection, org)
            if keeper_ends == "is destroyed":
                connection.execute(
                    "UPDATE pco_people.people SET _deleted_at = now() WHERE org_id = %s AND id = '1'", [org]
                )
                transform(connection, org)
            links = {
                link["externalId"]: (own[link["entityId"]], link["deletedBy"])
                for link in rows(connection, "externalLinks", org)
                if link["entityType"] == "person"
            }
            merged = {
                (own[edge["metadata"]["keepId"]], own[edge["metadata"]["removeId"]])
                for edge in rows(connection, "edges", org)
                if edge["relationshipType"] == "merged" and edge["deletedAt"] is None
            }
            ended = {own[row["id"]]: row["deletedBy"] for row in rows(connection, "people", org)}
            children = sum(
                edge["deletedAt"] is None and edge["relationshipType"] == "email_has_person"
                for edge in rows(connection, "edges", org)
            )
            states.append((links, merged, ended, children))
    by = None if keeper_ends == "lives" else "pco"
    assert states == [
        (
            dict.fromkeys("1234", ("own 1", by)),
            {("own 1", "own 2"), ("own 1", "own 3"), ("own 1", "own 4")},
            {"own 1": by, "own 2": "pco", "own 3": "pco", "own 4": "pco"},
            4 if keeper_ends == "lives" else 0,
        )
    ] * len(states)


def test_edges_of_others_move_without_duplicates(connection: psycopg.Connection[Any]) -> None:
    ids = {number: entity_id for (tag, number), entity_id in entity_ids(connection, ORG).items() if tag == "person"}
    keep, remove, friend = ids["1"], ids["2"], ids["3"]
    group = "group_01h455vb4pex5vsknk084sn02q"
    _edge(connection, remove, USER, "user-is-person")
    _edge(connection, *sorted((remove, friend)), "spouse")
    _edge(connection, group, remove, "group_has_person")
    _edge(connection, group, keep, "group_has_person")
    _edge(connection, *sorted((keep, remove)), "sibling")
    _edge(connection, keep, "zone_1", "zone", deletedAt=GONE_AT, deletedBy=USER)
    _edge(connection, remove, "zone_1", "zone")
    _edge(connection, remove, "zone_2", "zone", deletedAt=GONE_AT, deletedBy=USER)
    _merge(connection, "1", "2")
    transform(connection, ORG)

    edges = {
        key: metadata
        for key, metadata in _live_edges(connection).items()
        if key[2] in {"user-is-person", "spouse", "group_has_person", "sibling", "zone"}
    }
    mine = {"source": "openfaith"}
    assert edges == {
        (keep, USER, "user-is-person"): mine,
        (*sorted((keep, friend)), "spouse"): mine,
        (group, keep, "group_has_person"): mine,
    }
    assert not any(remove in key for key in _live_edges(connection) if key[2] != "merged")


def test_a_survivor_that_is_loaded_later_ends_the_same(connection: psycopg.Connection[Any]) -> None:
    _merge(connection, "9", "2")
    transform(connection, ORG)
    promised = entity_ids(connection, ORG)["person", "9"]
    assert entity_ids(connection, ORG)["person", "2"] == promised
    assert promised not in _people(connection)
    put_row(connection, "people.people", ORG, "9", name="Late")
    transform(connection, ORG)
    assert _people(connection)[promised]["name"] == "Late"
    versions = row_versions(connection)
    transform(connection, ORG)
    assert row_versions(connection) == versions


def test_one_who_was_never_here_is_linked_to_the_survivor_and_no_more(connection: psycopg.Connection[Any]) -> None:
    people, edges = _people(connection), _live_edges(connection)
    _merge(connection, "1", "99")
    put_row(connection, "people.emails", ORG, "99", person_id="99")
    transform(connection, ORG)
    ids = entity_ids(connection, ORG)
    assert ids["person", "99"] == ids["person", "1"]
    assert _people(connection) == people
    assert _live_edges(connection).keys() - edges.keys() == {
        (ids["email", "99"], ids["person", "1"], "email_has_person")
    }


def test_an_entity_that_another_record_shares_lives_on(connection: psycopg.Connection[Any]) -> None:
    """A person at the church has made 2 and 3 one entity; then Planning Center merges 2 into 1."""
    ids = entity_ids(connection, ORG)
    connection.execute(
        'UPDATE "openfaith_externalLinks" SET "entityId" = %s WHERE "entityType" = %s AND "externalId" = %s',
        (ids["person", "3"], "person", "2"),
    )
    _merge(connection, "1", "2")
    transform(connection, ORG)
    after = entity_ids(connection, ORG)
    assert (after["person", "2"], after["person", "3"]) == (ids["person", "1"], ids["person", "3"])
    assert _people(connection)[ids["person", "3"]]["deletedAt"] is None
    assert not any(kind == "merged" for _, _, kind in _live_edges(connection))


def test_bad_data_merges_nobody_away(connection: psycopg.Connection[Any]) -> None:
    before = _state(connection)
    for keep, remove in (("1", "1"), (None, "2"), ("2", None)):
        put_row(
            connection,
            "people.person_mergers",
            ORG,
            f"{keep}{remove}",
            person_to_keep_id=keep,
            person_to_remove_id=remove,
        )
    transform(connection, ORG)
    assert _state(connection) == before

    for day, (keep, remove) in enumerate((("3", "4"), ("4", "5"), ("5", "3")), start=1):
        _merge(connection, keep, remove, day)
    transform(connection, ORG)
    ids = entity_ids(connection, ORG)
    assert ids["person", "3"] == ids["person", "4"] == ids["person", "5"]
    assert _people(connection)[ids["person", "3"]]["deletedAt"] is None


def test_answers_of_the_removed_one_follow_but_do_not_overrule(connection: psycopg.Connection[Any]) -> None:
    for definition in ("7", "8"):
        put_row(connection, "people.field_definitions", ORG, definition, slug=f"field{definition}", data_type="string")
    for number, (person, definition, value) in enumerate(
        (("1", "7", "Green"), ("2", "7", "Blue"), ("2", "8", "Choir"))
    ):
        answer = {"field_definition_id": definition, "customizable_type": "Person", "customizable_id": person}
        put_row(connection, "people.field_data", ORG, str(number), value=value, **answer)
    _merge(connection, "1", "2")
    transform(connection, ORG)
    survivor = _people(connection)[entity_ids(connection, ORG)["person", "1"]]
    answers = {item["name"]: item["value"] for item in survivor["customFields"] if item["name"].startswith("pco_field")}
    assert answers == {"pco_field7": "Green", "pco_field8": "Choir"}


def test_a_merger_of_another_church_is_not_ours(connection: psycopg.Connection[Any]) -> None:
    before = row_versions(connection)
    _merge(connection, "1", "2", org=OTHER)
    transform(connection, ORG)
    assert row_versions(connection) == before


def test_some_tables_alone_leave_the_merge_for_later(connection: psycopg.Connection[Any]) -> None:
    _merge(connection, "1", "2")
    ids = entity_ids(connection, ORG)
    transform(connection, ORG, "emails")
    transform(connection, ORG, "edges")
    assert entity_ids(connection, ORG) == ids
    transform(connection, ORG)
    assert entity_ids(connection, ORG)["person", "2"] == ids["person", "1"]
    assert not any(ids["person", "2"] in key for key in _live_edges(connection) if key[2] != "merged")


def test_who_is_gone_already_is_not_removed_again(connection: psycopg.Connection[Any]) -> None:
    ids = entity_ids(connection, ORG)
    _merge(connection, "1", "2", day=1)
    _merge(connection, "3", "2", day=5)
    transform(connection, ORG)
    assert entity_ids(connection, ORG)["person", "2"] == ids["person", "1"]
    [merged] = [edge for edge in rows(connection, "edges", ORG) if edge["relationshipType"] == "merged"]
    assert merged["createdAt"].day == _people(connection)[ids["person", "2"]]["deletedAt"].day == 1
