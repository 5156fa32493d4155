"""The hourly refresh as Dagster runs it: nothing without a due token, one run for all that are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.credentials import read_held
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.database_resource import DatabaseResource
from openfaith_pipeline.defs.token_refresh import token_refresh_job, token_refresh_schedule
from openfaith_pipeline.planning_center import OAuthToken
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.oauth_grants import CLIENT_ID, CLIENT_SECRET, grant

DATABASE = {"database": DatabaseResource()}

ORGS = [church.org_id for church in made_up_churches(2, people=3)]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(2, people=3)) as client:
        yield client


def test_due_tokens_are_refreshed_in_one_run(
    database: Database, instance: dg.DagsterInstance, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PCO_API_URL", simulator.url)
    monkeypatch.setenv("PLANNING_CENTER_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("PLANNING_CENTER_SECRET", CLIENT_SECRET)
    cipher = cipher_from(database.settings)
    with dg.build_schedule_context(instance=instance, resources=DATABASE) as context:
        assert isinstance(token_refresh_schedule(context), dg.SkipReason)
        with database.connect() as connection:
            for org_id in ORGS:
                token = grant(simulator, org_id)
                old = OAuthToken(token.access_token, token.refresh_token, datetime.now(UTC) + timedelta(minutes=30))
                add_org(connection, cipher, org_id, "a church", old, adapter="pco")
        assert isinstance(token_refresh_schedule(context), dg.RunRequest)
        assert token_refresh_job.execute_in_process(instance=instance, resources=DATABASE).success
        assert isinstance(token_refresh_schedule(context), dg.SkipReason)

    with database.connect() as connection:
        tokens = [read_held(connection, cipher, org_id, adapter="pco").credentials for org_id in ORGS]
        dead = OAuthToken(SecretStr("dead"), SecretStr("dead"), datetime.now(UTC))
        for org_id, token in zip(ORGS, tokens, strict=True):
            assert isinstance(token, OAuthToken)
            assert token.expires_at is not None
            assert token.expires_at > datetime.now(UTC) + timedelta(minutes=90)
            add_org(connection, cipher, org_id, "a church", dead, adapter="pco")
    assert not token_refresh_job.execute_in_process(instance=instance, resources=DATABASE, raise_on_error=False).success
