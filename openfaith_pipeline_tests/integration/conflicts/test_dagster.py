"""Conflicts decided in Dagster, by a real run on a real database."""

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.asset_metadata import canonical_metadata
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.integration.conflicts.things import ORG, Person, choose
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA


def decide(database: Database, decision: str) -> dg.ExecuteInProcessResult:
    config = {"ops": {"decide_conflicts": {"config": {"conflict_ids": ["conflict-1"], "decision": decision}}}}
    with open_instance(database.settings, database) as instance:
        job = definitions().resolve_job_def("resolve_conflicts")
        return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def test_a_conflict_is_counted_and_decided(
    database: Database, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with database.connect() as connection:
        ann = Person(connection)
        choose(connection, Policy.ASK)
        ann.here("Annie")
        ann.at_source("Anna")
        results = transform_org(connection, ORG, schema=SCHEMA, sync_id="sync")
        connection.commit()
        waiting = {name: canonical_metadata(result, name, "sync", "Amber Chapel") for name, result in results.items()}
        assert {name for name, each in waiting.items() if each["conflicts_waiting"]} == {"people"}
        assert decide(database, "APPROVE").success
        assert (ann.first_name, [row[-1] for row in ann.conflicts()]) == ("Anna", ["approved"])
        connection.commit()
        assert not decide(database, "REJECT").success
