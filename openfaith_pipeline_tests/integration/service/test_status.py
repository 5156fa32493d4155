"""The page that people look at."""

import base64

from openfaith_pipeline_tests.integration.service.conftest import ELSEWHERE, ONE_ORG, READER, Service


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"me:{key}".encode()).decode()


def test_it_shows_churches_and_executions(service: Service) -> None:
    assert service.database
    with service.database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET name = 'St. <b>Mary</b>' WHERE org_id = %s", (service.org_id,))
    execution_id = service.start().json["executionId"]

    answer = service.call("GET", "/", key=None, authorization=basic(READER))

    assert answer.status == 200
    assert "script" not in answer.text
    assert "St. &lt;b&gt;Mary" in answer.text
    assert execution_id in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_it_shows_a_key_its_own_orgs_alone(service: Service) -> None:
    service.start()
    answer = service.call("GET", "/", key=ELSEWHERE)
    assert service.org_id not in answer.text
    assert "No church is connected." in answer.text


def test_it_needs_a_key_where_keys_are_set_even_from_this_machine(service: Service) -> None:
    assert service.call("GET", "/", key=None).status == 401
    assert service.call("GET", "/", key=READER).status == 200


def test_it_says_so_when_postgres_is_down(cut_off: Service) -> None:
    answer = cut_off.call("GET", "/", key=ONE_ORG)
    assert answer.status == 503
    assert "Postgres does not answer" in answer.text


def test_the_documentation_needs_no_internet(service: Service) -> None:
    assert "POST /workflows/{name}" in service.call("GET", "/api/docs", key=None).text
