"""Keys, the loopback, limits, health, and a Postgres that comes and goes."""

import base64
import time

from openfaith_pipeline_tests.integration.service.conftest import APP, READER, SYNC, TRPC, Service


def test_a_key_comes_in_any_of_three_headers(service: Service) -> None:
    basic = base64.b64encode(f"anyone:{READER}".encode()).decode()
    for headers in ({"authorization": f"bearer {READER}"}, {"x_api_key": READER}, {"authorization": f"Basic {basic}"}):
        assert service.call("GET", "/workflows", key=None, **headers).status == 200
    for headers in ({"authorization": "Bearer"}, {"authorization": "Basic !"}, {"x_api_key": READER[:-1]}):
        refused = service.call("GET", "/workflows", key=None, **headers)
        assert refused.status == 401
        assert "Bearer" in refused.headers["www-authenticate"]


def test_health_and_documentation_need_no_key(service: Service) -> None:
    assert service.call("GET", "/health", key=None).json == {"status": "ok"}
    assert service.call("GET", "/health/ready", key=None).json["postgres"] == "ok"
    assert service.call("GET", "/api/docs", key=None).status == 200
    paths = service.call("GET", "/api/openapi.json", key=None).json["paths"]
    assert {"/api/trpc/{procedures}", "/workflows/{name}", "/health"} <= set(paths)


def test_no_header_names_the_software(service: Service) -> None:
    assert "server" not in {name.lower() for name in service.call("GET", "/health").headers}


def test_it_is_alive_and_not_ready_while_postgres_is_down_and_calls_are_limited(cut_off: Service) -> None:
    assert cut_off.call("GET", "/health").status == 200
    ready = cut_off.call("GET", "/health/ready")
    assert (ready.status, ready.json["postgres"]) == (503, "down")

    down, too_soon = (cut_off.call("POST", TRPC, {"tokenKey": cut_off.org_id}) for _ in range(2))
    assert (down.status, down.json["error"]["data"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(down.headers["retry-after"]) > 0
    assert (too_soon.status, too_soon.json["error"]["data"]["code"]) == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(too_soon.headers["retry-after"]) <= 60
    assert cut_off.call("GET", "/workflows", key=READER).status == 200, "each key has its own calls"


def test_it_outlives_a_postgres_that_goes_and_comes(service: Service) -> None:
    assert service.database
    execution_id = service.start(idempotency_key="before").json["executionId"]
    settings = service.database.settings
    with service.database.connect(dbname="postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {settings.db_name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'",
            (settings.db_name,),
        )
        down = service.start(idempotency_key="during")
        assert (down.status, down.json["error"]["type"]) == (503, "DatabaseUnavailable")
        assert service.call("GET", "/health/ready").status == 503
        assert service.call("GET", "/health").status == 200
        connection.execute(f"ALTER DATABASE {settings.db_name} ALLOW_CONNECTIONS true")
    deadline = time.monotonic() + 20
    while service.call("GET", "/health/ready").status != 200:
        assert time.monotonic() < deadline
    assert service.start(idempotency_key="before").json["executionId"] == execution_id
    assert service.start(idempotency_key="during").json["isNew"] is True


def test_no_key_and_no_payload_is_in_the_log(service: Service) -> None:
    service.call("POST", f"{SYNC}?token=planted-query", {"payload": {"tokenKey": "planted-payload"}}, key=APP)
    log = service.log.read_text()
    assert "planted" not in log
    assert "Traceback" not in log
