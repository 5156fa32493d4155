"""The database of the ops: the one of Dagster's storage, or another by its URL."""

import dagster as dg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.database_resource import DatabaseElsewhere, DatabaseResource


@dg.op
def look(database: DatabaseResource) -> str:
    with database.connect() as connection:
        return connection.info.get_parameters().get("fallback_application_name", "")


@dg.job
def looking() -> None:
    look()


def test_another_database_is_given_by_its_url_from_the_environment(
    database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    joint = "&" if "?" in database.url else "?"
    monkeypatch.setenv("ANOTHER_DATABASE", f"{database.url}{joint}fallback_application_name=another")
    another = {"database": DatabaseElsewhere(url=dg.EnvVar("ANOTHER_DATABASE"))}
    result = looking.execute_in_process(instance=instance, resources=another)
    usual = looking.execute_in_process(instance=instance, resources={"database": DatabaseResource()})

    assert result.output_for_node("look") == "another"
    assert usual.output_for_node("look") != "another"
    with database.connect() as connection:
        beats = {run_id for (run_id,) in connection.execute("SELECT run_id FROM sync.run_leases").fetchall()}
    assert beats == {result.run_id, usual.run_id}, "runs beat where Dagster's storage is"
