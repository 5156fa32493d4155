"""Two churches with the same planted person, and a search for the planted values in tables and files."""

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.review.conflict_policies import FieldPolicy, Policy, set_policy
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.sync.church import connect, statuses, sync

PLANTED = "Quillfeather"
OTHERS = "Thistledown"
"""What the same person of the other church is called."""
NAMES = (
    "people.people",
    "people.person_mergers",
    "people.emails",
    "people.spam_email_addresses",
    "people.addresses",
    "people.notes",
    "people.note_categories",
    "people.households",
    "people.household_memberships",
    "people.field_definitions",
    "people.field_data",
    "people.workflows",
    "people.workflow_cards",
    "people.workflow_card_notes",
    "giving.people",
    "giving.funds",
    "giving.batches",
    "giving.donations",
    "giving.designations",
    "giving.notes",
    "check_ins.people",
    "check_ins.events",
    "check_ins.check_ins",
)
CHOSEN = tuple(STREAMS[name] for name in NAMES)


def plant(simulator: SimulatorClient, org_id: str, text: str) -> dict[str, str]:
    """A person with something of everything; the values say so."""
    called = {"first_name": text, "name": text, "last_name": text, "medical_notes": text}
    [loser] = simulator.add(org_id, "people.people", attributes=called)
    [person, author] = (int(each["id"]) for each in simulator.truth(org_id, "check_ins.people")[5:7])
    for product in ("people", "giving", "check_ins"):
        shown = {name: text for name in called if name in STREAMS[f"{product}.people"].attributes}
        simulator.edit(org_id, f"{product}.people", [person], attributes=shown)
    theirs: dict[str, Any] = {"person": person}
    [card] = simulator.add(org_id, "people.workflow_cards", relations=theirs)
    simulator.add(org_id, "people.emails", attributes={"address": f"{text}@example.net"}, relations=theirs)
    simulator.add(org_id, "people.spam_email_addresses", attributes={"address": f"{text}@Example.NET"})
    simulator.add(org_id, "people.addresses", attributes={"city": text}, relations=theirs)
    simulator.add(org_id, "people.notes", attributes={"note": text}, relations={**theirs, "created_by": author})
    [note] = simulator.add(org_id, "people.notes", relations={"person": author, "created_by": person})
    simulator.add(org_id, "people.field_data", attributes={"value": text}, relations={"customizable": person})
    simulator.add(org_id, "people.workflow_card_notes", attributes={"note": text}, relations={"workflow_card": card})
    contact = {"primary_contact_name": text}
    [house, alone] = simulator.add(
        org_id, "people.households", count=2, attributes=contact, relations={"primary_contact": person}
    )
    for household, member in ((house, person), (alone, person), (house, author)):
        named = {"person_name": "" if member == author else text}
        both = {"household": household, "person": member}
        simulator.add(org_id, "people.household_memberships", attributes=named, relations=both)
    gift = {"payment_last4": text, "payment_brand": text, "amount_cents": 4711}
    [donation, former] = simulator.add(org_id, "giving.donations", count=2, attributes=gift, relations=theirs)
    simulator.add(org_id, "giving.notes", attributes={"body": text}, relations={"donation": donation})
    came = {"first_name": text, "last_name": text, "medical_notes": text}
    [visit] = simulator.add(org_id, "check_ins.check_ins", attributes=came, relations=theirs)
    found = {"person": person, "loser": loser, "author": author, "note": note, "house": house, "alone": alone}
    gifts = {"donation": donation, "former": former}
    return {name: str(identifier) for name, identifier in {**found, **gifts, "visit": visit}.items()}


def bring(database: Database, org_id: str, mode: SyncMode = SyncMode.INCREMENTAL) -> dict[str, Any]:
    results = sync(database, org_id, CHOSEN, mode)
    assert statuses(results) == {}
    transform(database, org_id)
    return dict(results)


def transform(database: Database, org_id: str) -> None:
    with database.connect() as connection:
        transform_org(connection, org_id, schema=database.settings.canonical_schema, sync_id="sync_transform")


def found_in_tables(database: Database, org_id: str, text: str) -> list[str]:
    """Every table with a row of the org, or of no org, that has the text."""
    found = []
    with database.connect() as connection:
        tables = connection.execute(
            "SELECT n.nspname, c.relname, array_agg(a.attname) FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = relnamespace JOIN pg_attribute AS a ON attrelid = c.oid AND attnum > 0"
            " WHERE relkind = 'r' AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
            # Of a thousand tables most have never had a row.
            " AND pg_relation_size(c.oid) > 0"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        for schema, name, columns in tables:
            org = next((column for column in ("org_id", "orgId") if column in columns), None)
            condition = sql.SQL("{} = %(org)s").format(sql.Identifier(org)) if org else sql.SQL("true")
            payload = sql.SQL("|| convert_from(payload, 'UTF8')") if "payload" in columns and org else sql.SQL("")
            payload = payload if name == "webhook_deliveries" else sql.SQL("")
            statement = sql.SQL("SELECT count(*) FROM {} AS t WHERE {} AND t::text {} LIKE %(text)s").format(
                sql.Identifier(schema, name), condition, payload
            )
            row = connection.execute(statement, {"org": org_id, "text": f"%{text}%"}).fetchone()
            if row and row[0]:
                found.append(f"{schema}.{name}")
    return found


def files_with(postgres: RunningServer, database: Database, text: str) -> list[str]:
    with psycopg.connect(postgres.administrator_url(str(database.settings.db_name)), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        [(directory, number)] = connection.execute(
            "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
        ).fetchall()
        files = (Path(directory) / "base" / str(number)).iterdir()
        found = [file.name.partition(".")[0] for file in files if text.encode() in _content(file)]
        return [
            row[0] or file
            for file in found
            for row in connection.execute(
                "SELECT pg_filenode_relation(0, %s)::regclass::text", (file.partition("_")[0],)
            )
        ]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:  # Postgres makes its caches of the catalog anew whenever they are out of date
        return b""


def keep_documents(database: Database, org_id: str, planted: dict[str, str], text: str) -> None:
    """A quarantined record of the person, one that only names them, and a delivery of each."""
    named = {"person": {"data": {"type": "Person", "id": planted["person"]}}}
    gift = {"type": "Donation", "id": planted["donation"], "attributes": {"payment_last4": text}}
    mail = {"type": "Email", "id": "999", "attributes": {"address": text}}
    with database.connect() as connection:
        for stream, resource in (("giving.donations", gift), ("people.emails", mail)):
            whole = Jsonb({**resource, "relationships": named})
            connection.execute(
                "INSERT INTO sync.quarantine (org_id, stream, sync_id, record_id, field, reason, record)"
                " VALUES (%s, %s, 'sync_x', %s, 'x', 'is not a number', %s)",
                (org_id, stream, resource["id"], whole),
            )
            connection.execute(
                "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, stream, record_id, payload) VALUES"
                " (%s, %s, 'an.event', %s, %s, convert_to(jsonb_build_object('data', %s::jsonb)::text, 'UTF8'))",
                (org_id, stream, stream, resource["id"], whole),
            )
        connection.execute(
            "INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)"
            " VALUES (%s, 'people.people', 'sync_x', %s, 9, 'many')",
            (org_id, [planted["person"], "1"]),
        )


def keep_report(connection: psycopg.Connection[Any], org_id: str, planted: dict[str, str]) -> None:
    """A verification has named the person, their entity and link, and others."""
    [(entity_id,)] = connection.execute(
        'SELECT "entityId" FROM "openfaith_externalLinks" WHERE "orgId" = %s AND "entityType" = %s'
        ' AND "externalId" = %s',
        (org_id, "person", planted["person"]),
    ).fetchall()
    named = {
        "streams": {"people.people": [planted["person"], "1"], "people.emails": ["999999"]},
        "canonical": {
            "externalLinks": [f"person {planted['person']}", "person 1"],
            "edges": [f"email_1 email_has_person {entity_id}"],
        },
    }
    report = {
        of: {name: {"examples": [{"id": each} for each in ids]} for name, ids in parts.items()}
        for of, parts in named.items()
    }
    connection.execute(
        "INSERT INTO sync.verifications (verification_id, org_id, trigger, status, is_full, started_at, finished_at,"
        " report) VALUES (%s, %s, 'cli', 'differs', false, now(), now(), %s)",
        (f"verification of {org_id}", org_id, Jsonb(report)),
    )


def edit_here(connection: psycopg.Connection[Any], org_id: str, text: str) -> None:
    """Somebody has corrected the person's name on a check-in in OpenFaith, where it stays whatever the source says."""
    set_policy(connection, FieldPolicy(org_id, "checkIns", "lastName", Policy.LOCAL))
    edited = 'UPDATE "openfaith_checkIns" SET "lastName" = %s WHERE "orgId" = %s AND "lastName" = %s'
    assert connection.execute(edited, (f"{text} by hand", org_id, text)).rowcount == 1


def prepare(database: Database, simulator: SimulatorClient) -> tuple[str, str, dict[str, str]]:
    """Two churches with the same records, synced twice: the second sync changed the planted person."""
    org_id, other = connect(database, simulator)
    planted = plant(simulator, org_id, PLANTED)
    assert plant(simulator, other, OTHERS) == planted
    for each, text in ((org_id, PLANTED), (other, OTHERS)):
        bring(database, each)
        simulator.merge(each, "people.people", keep=int(planted["person"]), remove=int(planted["loser"]))
        simulator.edit(each, "people.people", [int(planted["person"])], attributes={"nickname": f"{text}s"})
        # These values are in the journal alone, those of one gift from before it was somebody else's.
        gifts = [int(planted[name]) for name in ("donation", "former")]
        simulator.edit(each, "giving.donations", gifts, attributes={"payment_brand": None})
        simulator.edit(each, "giving.donations", gifts[1:], attributes={"payment_last4": None})
        bring(database, each)
        simulator.edit(each, "giving.donations", gifts[1:], relations={"person": int(planted["author"])})
        sync(database, each, [STREAMS["giving.donations"]])
        transform(database, each)
        keep_documents(database, each, planted, text)
        with database.connect() as connection:
            keep_report(connection, each, planted)
            edit_here(connection, each, text)
    return org_id, other, planted


def prepare_one(database: Database, simulator: SimulatorClient) -> tuple[str, str, dict[str, str]]:
    """The first of the churches, synced once, with the merge known."""
    org_id, other = connect(database, simulator)
    planted = plant(simulator, org_id, PLANTED)
    bring(database, org_id)
    simulator.merge(org_id, "people.people", keep=int(planted["person"]), remove=int(planted["loser"]))
    sync(database, org_id, [STREAMS["people.person_mergers"]])
    transform(database, org_id)
    return org_id, other, planted
