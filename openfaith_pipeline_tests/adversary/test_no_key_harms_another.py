"""A key of one church can neither change nor read data of another, through any endpoint."""

from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.inbox.lifecycle import finish_request
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync
from openfaith_pipeline.review.conflict_policies import ANY, Policy
from openfaith_pipeline_tests.adversary.sender import (
    HOSTILE,
    HOSTILE_KEY,
    KEY,
    PEACEFUL,
    body_of,
    element,
    person,
    send,
)
from openfaith_pipeline_tests.adversary.test_edges import JSON, call, started
from openfaith_pipeline_tests.integration.conflicts.things import Person, choose

SYNC_OF_PEACEFUL = "sync-of-the-peaceful"
NAME_AT_SOURCE = "a name of the peaceful church's source"
NAME_OF_PEACEFUL = "the peaceful church's own name"
WORKFLOWS = ("ExternalSyncWorkflow", "CreateOrgWorkflow", "OnboardOrgWorkflow", "externalsyncworkflow", "%2e%2e")
PROXIES = ("external-sync-workflow", "create-org-workflow", "onboard-org-workflow")
SPELLINGS = st.sampled_from(
    [
        PEACEFUL,
        PEACEFUL.upper(),
        f" {PEACEFUL}",
        f"{PEACEFUL}\n",
        f"{HOSTILE},{PEACEFUL}",
        f"{PEACEFUL}/../{HOSTILE}",
        HOSTILE,
        "",
        "*",
        "%",
        "x" * 5000,
    ]
)
ODD = st.one_of(
    SPELLINGS, SPELLINGS.map(lambda id: [id]), SPELLINGS.map(lambda id: {"$eq": id}), st.none(), st.integers()
)


@st.composite
def bodies(draw: st.DrawFn, execution_id: str) -> Any:
    """Bodies that would start, resume or cancel work of the other church if they were accepted."""
    org = draw(ODD)
    made = {
        **draw(
            st.sampled_from(
                [{"tokenKey": org}, {"organizationId": org, "name": "a", "slug": "b", "userId": "c"}, {"orgId": org}]
            )
        ),
        **draw(
            st.sampled_from(
                [{}, {"org_id": PEACEFUL}, {"payload": {"tokenKey": PEACEFUL}}, {"streams": ["people.people"]}]
            )
        ),
    }
    resumed = {"executionId": draw(st.sampled_from([execution_id, f"{execution_id} ", [execution_id]]))}
    sent = draw(st.sampled_from([made, resumed, {**made, **resumed}]))
    return draw(
        st.sampled_from([sent, {"payload": sent}, {"json": sent}, {"0": sent, "1": {"tokenKey": PEACEFUL}}, [sent]])
    )


def doors(execution_id: str, held_id: int, conflict: str) -> list[tuple[str, str]]:
    """Method and path of each way in, those into the other church's own rooms included."""
    pages = [f"/orgs/{PEACEFUL}", f"/orgs/{PEACEFUL}/streams/people.people", f"/syncs/{SYNC_OF_PEACEFUL}"]
    status = [("GET", f"{prefix}{page}") for prefix in ("", "/api/status") for page in pages]
    status += [("GET", "/api/status"), ("GET", f"/api/status?q={PEACEFUL}"), ("GET", "/metrics")]
    status += [("POST", f"/orgs/{PEACEFUL}/{action}") for action in ("sync", "pause", "resume")]
    for org_id in (HOSTILE, PEACEFUL):  # the other's held deletion under one's own church, too
        held = f"/orgs/{org_id}/deletions/{held_id}"
        status += [("GET", held), ("POST", f"{held}/approve"), ("POST", f"{held}/reject")]
        decided = [f"/api/orgs/{org_id}/conflicts/{conflict}", f"/orgs/{org_id}/conflicts/{conflict}"]
        status += [("POST", f"{each}/{decision}") for each in decided for decision in ("approve", "reject")]
    status += [("GET", f"{prefix}/orgs/{PEACEFUL}/conflicts") for prefix in ("", "/api")]
    status += [("GET", f"/api/orgs/{PEACEFUL}/policies")]
    for org_id in (PEACEFUL, "*"):
        status += [
            (method, f"/api/orgs/{org_id}/policies/{place}?policy=local")
            for method in ("PUT", "DELETE")
            for place in ("people/firstName", "*/*")
        ]
    of_workflow = [("POST", "/workflows/{0}"), ("GET", "/workflows/{0}/executions?org=" + PEACEFUL)]
    of_workflow += [
        ("GET", "/workflows/{0}/executions?limit=500"),
        ("GET", "/workflows/{0}/executions/" + execution_id),
    ]
    of_workflow += [("POST", "/workflows/{0}/executions/" + execution_id + each) for each in ("/cancel", "/resume")]
    found = [(method, path.format(name)) for method, path in of_workflow for name in WORKFLOWS]
    found += [("POST", f"/{name}{rest}") for name in PROXIES for rest in ("/discard", "/resume")]
    found += [
        ("POST", f"/api/trpc/{name}")
        for name in ("core.triggerPcoSync", "core.triggerPcoSync,core.triggerPcoSync?batch=1")
    ]
    found += [
        ("POST", f"/orgs/{id}/invitations") for id in (PEACEFUL, f"{HOSTILE}%2F..%2F{PEACEFUL}", PEACEFUL.upper())
    ]
    found += [("GET", "/"), ("GET", f"/?org={PEACEFUL}"), ("GET", f"/connect/pco?org={PEACEFUL}&invitation=made-up")]
    found += [("POST", f"/connect/pco/start?org={PEACEFUL}"), ("GET", "/connect/pco/callback?state=a&code=b")]
    return [*found, *status, ("POST", "/connect/pco/confirm?confirmation=a")]


HEADERS = st.sampled_from(
    [
        {"Authorization": f"Bearer {HOSTILE_KEY}"},
        {"X-API-Key": HOSTILE_KEY},
        {"Authorization": f"Bearer {HOSTILE_KEY}", "X-API-Key": KEY + "x", "X-Forwarded-For": "127.0.0.1"},
        {"Authorization": f"Bearer {HOSTILE_KEY}", "X-Org-Id": PEACEFUL, "Idempotency-Key": "peaceful's"},
        {"Host": "localhost"},
    ]
)

_HELD = """
INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)
VALUES (%s, 'people.people', %s, '{7}', 1, 'for the test') RETURNING id
"""
_TABLES = """
SELECT table_schema, table_name, column_name FROM information_schema.columns JOIN information_schema.tables
 USING (table_schema, table_name)
 WHERE column_name IN ('org_id', 'orgId') AND table_type = 'BASE TABLE' AND table_schema NOT IN ('dagster')
   -- a journey is what anybody may begin; what it leads to is looked at in the others
   AND table_name <> 'oauth_journeys'
"""


def belongings(database: Database, org_id: str) -> dict[str, list[str]]:
    """Every row of every table that is the org's, as text."""
    found = {}
    with database.connect() as connection:
        for schema, table, column in connection.execute(_TABLES).fetchall():
            rows = connection.execute(
                sql.SQL("SELECT kept::text FROM {} AS kept WHERE kept.{} = %s ORDER BY 1").format(
                    sql.Identifier(schema, table), sql.Identifier(column)
                ),
                (org_id,),
            ).fetchall()
            found[f"{schema}.{table}"] = [row[0] for row in rows]
    return found


def with_a_conflict_and_a_policy(database: Database, org_id: str) -> str:
    """The id of a conflict of the org that waits; it has a policy of its own."""
    with database.connect() as connection:
        person = Person(connection, org_id, "77")
        choose(connection, Policy.ASK, org_id)
        person.here("Anna")
        person.at_source(NAME_AT_SOURCE)
        person.transform()
        [(conflict,)] = person.conflicts("id")
    return str(conflict)


def test_no_request_with_a_key_of_one_church_changes_or_shows_another(keyed: Database) -> None:
    assert send(keyed, PEACEFUL, body_of([element(person(), event_id="before")])) == 200
    with keyed.connect() as connection:
        connection.execute("UPDATE sync.orgs SET name = %s WHERE org_id = %s", (NAME_OF_PEACEFUL, PEACEFUL))
        begin_sync(connection, SyncStart(SYNC_OF_PEACEFUL, "a run", "incremental", "dagster", {"org": PEACEFUL}))
        [(held_id,)] = connection.execute(_HELD, (PEACEFUL, SYNC_OF_PEACEFUL)).fetchall()
    conflict = with_a_conflict_and_a_policy(keyed, PEACEFUL)
    failed = started(keyed, KEY, PEACEFUL)[1]["executionId"]
    with keyed.connect() as connection:
        finish_request(connection, failed, "failed", "for the test", None)
    status, execution = started(keyed, KEY, PEACEFUL)
    assert status == 200
    execution_id = execution["executionId"]
    hidden = (NAME_OF_PEACEFUL.encode(), SYNC_OF_PEACEFUL.encode(), NAME_AT_SOURCE.encode(), execution_id.encode())
    before, before_of_all = belongings(keyed, PEACEFUL), belongings(keyed, ANY)
    assert {table for table, rows in before.items() if rows} >= {
        "sync.orgs",
        "sync.requests",
        "sync.webhook_deliveries",
        "sync.held_deletions",
        "sync.conflicts",
        "sync.conflict_policies",
    }
    answered: set[tuple[str, str]] = set()

    @hypothesis_settings(
        max_examples=160,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(door=st.sampled_from(doors(execution_id, held_id, conflict)), body=bodies(execution_id), headers=HEADERS)
    def harm(door: tuple[str, str], body: Any, headers: dict[str, str]) -> None:
        ask(door, body, headers)

    def ask(door: tuple[str, str], body: Any, headers: dict[str, str]) -> None:
        method, path = door
        sent = orjson.dumps(body) if method == "POST" else None
        status, _, told = call(keyed, method, path, {**JSON, **headers}, sent)
        assert status < 500, (door, told)
        assert NAME_OF_PEACEFUL.encode() not in told, door
        if status < 400:
            answered.add(door)
            assert not [each for each in hidden if each in told], door

    for id in (execution_id, failed):  # one can be canceled, the other resumed
        for door in doors(id, held_id, conflict):
            ask(door, {"tokenKey": PEACEFUL, "executionId": id}, {"Authorization": f"Bearer {HOSTILE_KEY}"})
    harm()
    assert answered
    assert (belongings(keyed, PEACEFUL), belongings(keyed, ANY)) == (before, before_of_all)
    assert started(keyed, KEY, PEACEFUL)[1]["executionId"] == execution_id, "and it is answered as it would be without"
