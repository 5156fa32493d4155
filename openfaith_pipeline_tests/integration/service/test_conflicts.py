"""Conflicts and policies through the API and the page, each by the keys that may."""

from collections.abc import Iterator

import pytest

from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline_tests.integration.conflicts.things import USER, Person, choose
from openfaith_pipeline_tests.integration.service.conftest import APP, ELSEWHERE, READER, Service
from openfaith_pipeline_tests.integration.service.test_status import form, page


@pytest.fixture
def ann(service: Service) -> Iterator[Person]:
    assert service.database
    with service.database.connect() as connection:
        ann = Person(connection, service.org_id)
        choose(connection, Policy.ASK, service.org_id)
        ann.here("<b>Annie")
        ann.at_source("Anna")
        ann.transform()
        yield ann
        connection.rollback()
        connection.execute(
            "DELETE FROM sync.conflicts; DELETE FROM sync.local_edits; DELETE FROM sync.conflict_policies;"
            ' DELETE FROM openfaith_people; DELETE FROM "openfaith_externalLinks"; DELETE FROM pco_people.people;'
            " DELETE FROM sync.journal; DELETE FROM sync.syncs WHERE mode = 'decision'"
        )


def waiting(ann: Person) -> str:
    [conflict_id] = [row[0] for row in ann.conflicts("id") if row]
    ann.connection.commit()
    return str(conflict_id)


def test_shown_and_decided_through_the_api(service: Service, ann: Person) -> None:
    path, conflict_id = f"/api/orgs/{service.org_id}/conflicts", waiting(ann)
    [shown] = service.call("GET", path).json
    assert [shown[name] for name in ("id", "base", "local", "source")] == [conflict_id, "Ann", "<b>Annie", "Anna"]
    assert (shown["entityId"], shown["editedBy"], shown["decision"]) == (ann.entity_id, USER, None)
    assert service.call("GET", path, key=READER).status == 403
    assert service.call("GET", path, key=ELSEWHERE).status == 403
    assert service.call("POST", f"{path}/{conflict_id}/approve", key=READER).status == 403
    assert service.call("POST", f"{path}/{conflict_id}/approve", key=ELSEWHERE).status == 403
    assert service.call("POST", f"{path}/conflict-99999/approve").status == 404
    assert ann.first_name == "<b>Annie"
    ann.connection.commit()

    done = service.call("POST", f"{path}/{conflict_id}/approve")
    assert (done.status, done.json["id"], bool(done.json["syncId"])) == (200, conflict_id, True)
    assert (ann.first_name, ann.conflicts("decision, decided_by")) == ("Anna", [("approved", "key app")])
    ann.connection.commit()
    assert service.call("POST", f"{path}/{conflict_id}/reject").status == 404
    assert service.call("GET", path).json == []
    assert len(service.call("GET", f"{path}?decided=true").json) == 1


def test_policies_are_set_and_removed_through_the_api(service: Service, ann: Person) -> None:
    path = f"/api/orgs/{service.org_id}/policies"
    assert service.call("PUT", f"{path}/people/first_name?policy=local").json["field"] == "firstName"
    assert [each["policy"] for each in service.call("GET", path, key=READER).json] == ["local", "ask"]
    assert service.call("PUT", f"{path}/people/*?policy=local", key=READER).status == 403
    assert service.call("PUT", f"{path}/people/*?policy=local", key=ELSEWHERE).status == 403
    assert service.call("PUT", f"{path}/peoples/odd?policy=local").status == 400
    assert service.call("DELETE", f"{path}/people/firstName").status == 204
    assert service.call("DELETE", f"{path}/people/firstName").status == 400
    custom = service.call("PUT", f"{path}/people/pco_nickname?policy=local").json
    assert custom["field"] == "customFields.pco_nickname"
    assert service.call("DELETE", f"{path}/people/customFields.pco_nickname").status == 204
    ann.transform()
    assert ann.conflicts("decision") == [(None,)]


def test_decided_on_the_page(service: Service, ann: Person) -> None:
    conflict_id, church = waiting(ann), f"/orgs/{service.org_id}"
    assert service.call("GET", f"/api/status{church}").json["conflicts"] == 1
    assert f'href="{church}/conflicts"' in page(service, church, APP).text
    assert f'href="{church}/conflicts"' not in page(service, church, READER).text
    shown = page(service, f"{church}/conflicts", APP)
    assert ("&lt;b&gt;Annie" in shown.text, "<b>Annie" in shown.text) == (True, False)
    assert page(service, f"{church}/conflicts", READER).status == 403
    foreign = form(service, f"{church}/conflicts/{conflict_id}/reject", origin="https://evil.example")
    assert (foreign.status, ann.conflicts("decision")) == (403, [(None,)])
    ann.connection.commit()
    assert form(service, f"{church}/conflicts/{conflict_id}/reject").status == 303
    assert (ann.first_name, ann.conflicts("decision")) == ("<b>Annie", [("rejected",)])
    ann.connection.commit()
    assert "None waits" in page(service, f"{church}/conflicts", APP).text
