"""The suite-wide watch for leaks finds every leak planted on purpose, and nothing else."""

import logging

import pytest
from opentelemetry import trace

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.oauth_grants import grant
from openfaith_pipeline_tests.planted import (
    ENCRYPTION_KEY,
    PERSONAL,
    SECRETS,
    Watch,
    found_in,
    leaks_of_database,
    leaks_of_files,
)

CHURCH = made_up_churches(1, people=20)[0]


@pytest.fixture(scope="module")
def simulator() -> SimulatorClient:
    with running_simulator([CHURCH]) as client:
        yield client


def test_all_that_the_simulator_gives_away_is_known(simulator: SimulatorClient) -> None:
    token = grant(simulator, CHURCH.org_id)
    assert token.refresh_token
    for secret in (
        token.access_token.get_secret_value(),
        token.refresh_token.get_secret_value(),
        CHURCH.credentials.secret,
        ENCRYPTION_KEY,
    ):
        assert found_in(f"before {secret} after", SECRETS)
    emails = [record["attributes"]["address"] for record in simulator.truth(CHURCH.org_id, "people.emails")]
    assert emails
    assert all(found_in(f"refused {email}", PERSONAL) for email in emails)
    people = [record["attributes"]["last_name"] for record in simulator.truth(CHURCH.org_id, "people.people")]
    assert sum(bool(found_in(f"of {name}.", PERSONAL)) for name in people) > len(people) / 2


def test_log_lines_errors_and_spans_are_heard(watch: Watch) -> None:
    logging.getLogger("openfaith_pipeline.somewhere").debug("token %s", "pl4nted")
    logging.getLogger("elsewhere").error("went wrong", exc_info=ValueError("pl4nted"))
    with trace.get_tracer("here").start_as_current_span("request", attributes={"who": "ann1@example.org"}):
        pass
    logging.getLogger("openfaith_pipeline").info("org_01k5t0w2m1e9qv4y8z3n7b6c5d has 3 streams; see ops@example.org")

    assert [leak.partition(":")[0] for leak in watch.take()] == [
        "log line of openfaith_pipeline.somewhere",
        "log line of elsewhere",
        "span request",
    ]


def test_bookkeeping_and_files_are_searched(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.syncs (sync_id, mode, trigger, error) VALUES ('s', 'incremental', 'cli', 'not pl4nted')"
        )
        [leak] = leaks_of_database(connection)
        assert leak == "sync.syncs.error: not pl4nted"
        connection.rollback()
    logs = database.settings.home / "logs"
    logs.mkdir(parents=True)
    (logs / "daemon.log").write_text("Bearer pl4nted")
    assert leaks_of_files(database.settings.home) == ["daemon.log: Bearer pl4nted"]
    (logs / "daemon.log").unlink()
