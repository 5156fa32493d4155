"""The status pages, the same data as JSON, and the actions on them."""

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from openfaith_pipeline.audit.findings import Finding, Kind
from openfaith_pipeline.audit.records import keep_verification
from openfaith_pipeline.audit.report import Part, Verification
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline_tests.integration.service.conftest import (
    APP,
    ELSEWHERE,
    ONE_ORG,
    READER,
    Answer,
    Service,
)

HOSTILE = "St. <b>Mary</b> \u202etxet\u202c"


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"me:{key}".encode()).decode()


def page(service: Service, path: str, key: str = READER) -> Answer:
    return service.call("GET", path, key=None, authorization=basic(key), accept="text/html")


def form(service: Service, path: str, key: str = APP, origin: str | None = None) -> Answer:
    """As a browser sends a form of our own page."""
    own = f"http://127.0.0.1:{service.port}"
    return service.call("POST", path, key=None, authorization=basic(key), origin=origin or own, accept="text/html")


@pytest.fixture
def church(service: Service) -> Iterator[str]:
    """The service's church with a name that means harm, a stream that fails, one that works, and a held deletion."""
    database, org_id = service.database, service.org_id
    assert database
    with database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET name = %s WHERE org_id = %s", (HOSTILE, org_id))
        connection.execute(
            "INSERT INTO sync.syncs (sync_id, run_id, mode, trigger) VALUES ('s1 ü', 'run-1', 'incremental', 't')"
        )
        for stream, status, error in (
            ("people.people", "succeeded", None),
            ("people.emails", "failed", "<script>alert(1)</script>"),
        ):
            connection.execute(
                "INSERT INTO sync.stream_states (org_id, stream, last_succeeded_at, row_count)"
                " VALUES (%s, %s, now() - interval '1 min', 1234)",
                (org_id, stream),
            )
            connection.execute(
                "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, inserted, error,"
                " finished_at) VALUES ('s1 ü', %s, %s, %s, 'incremental', %s, 5, %s, now())",
                (org_id, stream, stream, status, error),
            )
        connection.execute(
            "INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)"
            " VALUES (%s, 'people.people', 's1 ü', ARRAY['1', '2', '3'], 4, 'three of four')",
            (org_id,),
        )
    yield org_id
    with database.connect() as connection:
        connection.execute(
            "DELETE FROM sync.held_deletions; DELETE FROM sync.stream_syncs; DELETE FROM sync.syncs;"
            " DELETE FROM sync.stream_states; DELETE FROM sync.failing_streams; UPDATE sync.orgs SET paused_at = NULL"
        )


def test_every_page_shows_its_content_escaped_and_without_scripts(service: Service, church: str) -> None:
    execution_id = service.start().json["executionId"]
    shown = {
        "/": ["St. &lt;b&gt;Mary", execution_id, "failing", "1 of 1 churches"],
        f"/orgs/{church}": ["1,234", "&lt;script&gt;alert(1)", "three of four", "polyline", "run-1"],
        f"/orgs/{church}/streams/people.emails": ["failed", "/syncs/s1%20%C3%BC", "St. &lt;b&gt;Mary"],
        "/syncs/s1%20%C3%BC": ["people.people", "s1 ü"],
        f"/syncs/{execution_id}": ["waits for its turn"],
    }
    for path, texts in shown.items():
        answer = page(service, path)
        assert (answer.status, path) == (200, path)
        assert [text for text in texts if text not in answer.text] == []
        assert "<script" not in answer.text
        assert "\u202e" not in answer.text
        assert '<form method="post"' not in answer.text, "a key that may only read is offered nothing else"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy


def test_programs_read_the_same_as_json(service: Service, church: str) -> None:
    overview = service.call("GET", "/api/status?q=mary", key=READER).json
    [line] = overview["churches"]
    assert (line["orgId"], line["standing"], line["failing"], line["rows"], line["held"]) == (
        church,
        "failing",
        1,
        2468,
        3,
    )
    assert overview["counts"]["failing"] == overview["total"] == 1
    assert service.call("GET", "/api/status?standing=paused", key=READER).json["churches"] == []

    whole = service.call("GET", f"/api/status/orgs/{church}", key=READER).json
    [product] = whole["products"]
    assert (product["product"], product["rows"], len(product["rowsByDay"]), product["rowsByDay"][-1]) == (
        "people",
        2468,
        30,
        2468,
    )
    assert whole["connection"]["state"] == "connected"
    stream = service.call("GET", f"/api/status/orgs/{church}/streams/people.emails", key=READER).json
    assert (stream["line"]["status"], stream["syncs"][0]["syncId"]) == ("failed", "s1 ü")
    sync = service.call("GET", "/api/status/syncs/s1%20%C3%BC", key=READER).json
    assert sync["runId"] == "run-1"
    assert {step["status"] for step in sync["streams"]} >= {"succeeded", "failed"}

    paths = service.call("GET", "/api/openapi.json", key=None).json["paths"]
    assert {path for path in paths if path.startswith("/api/status")} == {
        "/api/status",
        "/api/status/orgs/{org_id}",
        "/api/status/orgs/{org_id}/streams/{stream}",
        "/api/status/syncs/{sync_id}",
    }


def test_nobody_sees_the_data_of_others(service: Service, church: str) -> None:
    assert church not in page(service, "/", ELSEWHERE).text
    assert "No church is connected." in page(service, "/", ELSEWHERE).text
    for path in (f"/orgs/{church}", f"/orgs/{church}/streams/people.emails", f"/orgs/{church}/deletions/1"):
        assert page(service, path, ELSEWHERE).status == 403
    for path in (f"/api/status/orgs/{church}", f"/api/status/orgs/{church}/streams/people.emails"):
        assert service.call("GET", path, key=ELSEWHERE).status == 403
    for path in ("/syncs/s1%20%C3%BC", "/api/status/syncs/s1%20%C3%BC"):
        assert service.call("GET", path, key=ELSEWHERE).status == 404
        assert service.call("GET", path, key=ONE_ORG).status == 200
    for path in ("/", f"/orgs/{church}", "/api/status"):
        assert service.call("GET", path, key=None).status == 401


def test_an_unknown_path_is_a_page_for_a_browser_and_json_for_a_program(service: Service) -> None:
    unknown = new_org_id()
    answer = page(service, f"/orgs/{unknown}")
    assert (answer.status, "<h1>It did not work</h1>" in answer.text) == (404, True)
    assert service.call("GET", f"/orgs/{unknown}").json["error"]["type"] == "UnknownOrg"
    assert page(service, "/orgs/%3Cscript%3E").status == 404
    assert page(service, f"/orgs/{service.org_id}/streams/people.nothing").status == 404
    assert page(service, "/?page=0").status == 400
    assert page(service, "/?standing=anything&page=99").status == 200


def test_a_church_is_paused_resumed_and_synced_by_forms(service: Service, church: str) -> None:
    assert service.database
    assert form(service, f"/orgs/{church}/pause").headers["location"] == f"/orgs/{church}"
    assert "Paused" in page(service, f"/orgs/{church}").text
    refused = form(service, f"/orgs/{church}/sync")
    assert (refused.status, "is paused" in refused.text) == (412, True)
    assert form(service, f"/orgs/{church}/resume").status == 303
    synced = form(service, f"/orgs/{church}/sync")
    assert synced.status == 303
    with service.database.connect() as connection:
        [(request_id, trigger)] = connection.execute("SELECT request_id, trigger FROM sync.requests").fetchall()
    assert (synced.headers["location"], trigger) == (f"/syncs/{request_id}", "status page")


@pytest.fixture
def turns(service: Service) -> Iterator[None]:
    """A sync that is due for seven minutes, and a full check that is under way."""
    assert service.database
    with service.database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.source_schedules (org_id, adapter, kind, next_at, lease_expires_at) VALUES"
            " (%(org)s, 'pco', 'incremental', now() - interval '7 min', NULL),"
            " (%(org)s, 'pco', 'reconcile', now() - interval '9 min', now() + interval '30 s')",
            {"org": service.org_id},
        )
    yield
    with service.database.connect() as connection:
        connection.execute("DELETE FROM sync.source_schedules; UPDATE sync.orgs SET paused_at = NULL")


def _next(service: Service) -> list[tuple[bool, bool, bool]]:
    """Of the church in the list, its sync and its full check: whether it has a time, is due, is under way."""
    overview = service.call("GET", "/api/status", key=READER).json
    church = service.call("GET", f"/api/status/orgs/{service.org_id}", key=READER).json
    lines = [*overview["churches"], *church["turns"]]
    return [(each["nextAt"] is not None, each["isDue"], each["isUnderWay"]) for each in lines]


@pytest.mark.usefixtures("turns")
def test_a_turn_whose_time_is_past_is_due_or_under_way(service: Service) -> None:
    church = f"/orgs/{service.org_id}"
    list_, detail = (_text(page(service, path).text) for path in ("/", church))
    assert ("due for 7 min" in list_, "7 min ago" in list_) == (True, False)
    assert "Next sync due for 7 min Next full check under way" in detail
    assert _next(service) == [(True, True, False), (True, True, False), (True, False, True)]

    assert service.database
    with service.database.connect() as connection:
        connection.execute(
            "UPDATE sync.source_schedules SET next_at = now() + interval '7.5 min', lease_expires_at = NULL"
        )
    assert "Next sync in 7 min Next full check in 7 min" in _text(page(service, church).text)
    assert _next(service) == [(True, False, False)] * 3

    with service.database.connect() as connection:
        connection.execute("UPDATE sync.source_schedules SET next_at = now() - interval '7 min'")
        connection.execute("UPDATE sync.orgs SET paused_at = now()")
    assert "due" not in _text(page(service, "/").text)
    assert "Next sync when it is resumed Next full check when it is resumed" in _text(page(service, church).text)
    assert _next(service) == [(False, False, False)] * 3


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_held_deletion_is_looked_at_and_rejected(service: Service, church: str) -> None:
    assert service.database
    held_id = _held(service.database)
    path = f"/orgs/{church}/deletions/{held_id}"
    assert "lists 3 of the 4 rows" in page(service, path, APP).text
    assert "needs the scope <code>operate" in page(service, path, READER).text
    assert form(service, f"/orgs/{new_org_id()}/deletions/{held_id}/reject").status == 404
    assert form(service, f"{path}/reject").status == 303
    with service.database.connect() as connection:
        decided = connection.execute("SELECT decision, decided_by FROM sync.held_deletions").fetchall()
    assert decided == [("rejected", "key app")]
    assert form(service, f"{path}/approve").status == 404


@pytest.mark.parametrize("what", ["pause", "resume", "sync", "deletions/1/approve", "deletions/1/reject"])
def test_nothing_is_changed_from_elsewhere_by_get_or_without_the_scope(
    service: Service, church: str, what: str
) -> None:
    path = f"/orgs/{church}/{what}"
    assert form(service, path, origin="https://evil.example").status == 403
    assert form(service, path, origin="null").status == 403
    assert page(service, path, APP).status in (404, 405)
    assert form(service, path, READER).status == 403
    assert form(service, path, ELSEWHERE).status == 403
    if what != "sync":
        assert form(service, path, ONE_ORG).status == 403, "a key that starts syncs does not decide"
    assert service.database
    with service.database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM sync.requests").fetchone() == (0,)
        assert connection.execute("SELECT count(paused_at) FROM sync.orgs").fetchone() == (0,)
        assert connection.execute("SELECT count(decision) FROM sync.held_deletions").fetchone() == (0,)


def test_it_says_so_when_postgres_is_down(cut_off: Service) -> None:
    answer = cut_off.call("GET", "/", key=ONE_ORG)
    assert answer.status == 503
    assert "Postgres does not answer" in answer.text


def test_the_documentation_needs_no_internet(service: Service) -> None:
    assert "POST /workflows/{name}" in service.call("GET", "/api/docs", key=None).text


def _held(database: Database) -> int:
    with database.connect() as connection:
        [(held_id,)] = connection.execute("SELECT id FROM sync.held_deletions").fetchall()
    return int(held_id)


def test_a_verification_is_shown_with_its_remedy(service: Service) -> None:
    database, org_id = service.database, service.org_id
    assert database
    report = Verification("verification_1", org_id, False, datetime.now(UTC), datetime.now(UTC), 7, 20)
    report.streams["people.emails"] = Part(12, 12, 12)
    report.streams["people.people"] = Part(5, 5, 5, findings=[Finding("people.people", "41", Kind.MARKED_DELETED)])
    with database.connect() as connection:
        keep_verification(connection, report, "schedule")
    shown = page(service, f"/orgs/{org_id}").text
    mend = f"openfaith-pipeline sync {org_id} --stream people.people --mode reconcile"
    assert "marked deleted: 41" in shown
    assert mend in shown
    [told] = service.call("GET", f"/api/status/orgs/{org_id}", key=READER).json["verifications"]
    assert (told["status"], told["parts"], told["compared"]) == ("differs", 2, 17)
    assert [(each["name"], each["missing"], each["mend"]) for each in told["differing"]] == [("people.people", 1, mend)]
