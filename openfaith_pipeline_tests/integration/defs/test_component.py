"""Our assets in somebody else's Dagster: another instance, another storage, their own resources beside ours."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from pydantic import SecretStr

from openfaith_pipeline import planning_center_assets
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UnknownStream, UsageError
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline_tests.rates import GENEROUS

ORG = made_up_churches(1, people=5)[0].org_id
CAMPUSES = ["church", "pco_people", "campuses"]
PROJECT = """
[project]
name = "church"
version = "0.1.0"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "church"
"""
DEFINITIONS = """
from pathlib import Path
from dagster import definitions, load_from_defs_folder

@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(made_up_churches(1, people=5), rate_limit=GENEROUS) as simulator:
        yield simulator


@pytest.fixture
def connected(
    database: Database, simulator: SimulatorClient, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Database:
    """The church is connected in our database; Dagster knows nothing of it but the environment."""
    for name, value in {**environment, "PCO_API_URL": simulator.url, "CHURCH_DATABASE": database.url}.items():
        monkeypatch.setenv(name, value)
    token = simulator.credentials(ORG)
    with database.connect() as connection:
        credentials = PersonalAccessToken(token.app_id, SecretStr(token.secret))
        add_org(
            connection,
            cipher_from(database.settings),
            ORG,
            "a church",
            credentials,
            adapter="pco",
            api_url=simulator.url,
        )
    return database


def campuses_in(database: Database) -> set[str]:
    with database.connect() as connection:
        return {row[0] for row in connection.execute("SELECT id FROM pco_people.campuses WHERE org_id = %s", (ORG,))}


def test_they_are_materialized_in_a_notebook_with_another_resource_of_the_same_name(
    connected: Database, simulator: SimulatorClient
) -> None:
    @dg.asset(deps=[dg.AssetKey(CAMPUSES)])
    def campus_report(database: dg.ResourceParam[str]) -> str:
        return database

    ours = planning_center_assets(
        dg.EnvVar("CHURCH_DATABASE"), [ORG], streams=["people.campuses"], key_prefix=["church"]
    )
    theirs = {"database": "a resource of theirs"}
    defs = dg.Definitions.merge(dg.Definitions(assets=ours), dg.Definitions(assets=[campus_report], resources=theirs))
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.get_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=instance, partition_key=ORG, asset_selection=[dg.AssetKey(CAMPUSES)], raise_on_error=True
        )
        alone = dg.materialize([campus_report], resources=theirs, instance=instance)

    assert done.success and alone.success
    assert campuses_in(connected) == {str(each["id"]) for each in simulator.truth(ORG, "people.campuses")}
    [materialized] = done.get_asset_materialization_events()
    assert materialized.asset_key == dg.AssetKey(CAMPUSES)
    with connected.connect() as connection:
        [(status, trigger)] = connection.execute("SELECT status, trigger FROM sync.syncs").fetchall()
        assert (status, trigger) == ("succeeded", "ui")
        assert connection.execute("SELECT count(*) FROM sync.run_leases").fetchone() == (0,)


def test_streams_bring_the_parents_that_they_are_read_under(connected: Database) -> None:
    assets = planning_center_assets(connected.url, [ORG], streams=["people.household_memberships"], group_name="church")
    specs = [spec for each in assets for spec in each.specs]
    raw = {spec.key.to_user_string() for spec in specs if spec.key.path[0] != "openfaith"}
    assert {"pco_people/household_memberships", "pco_people/households"} <= raw
    assert all(key.startswith("pco_people/") for key in raw)
    assert {spec.group_name for spec in specs} == {"church"}


def test_an_impossible_configuration_is_refused_with_the_remedy(connected: Database) -> None:
    with pytest.raises(UsageError, match="at least one org"):
        planning_center_assets(connected.url, [])
    with pytest.raises(UsageError, match="is not an org id"):
        planning_center_assets(connected.url, ["grace"])
    with pytest.raises(UnknownStream, match="no stream or product"):
        planning_center_assets(connected.url, [ORG], streams=["people.emial"])


def test_a_database_that_is_behind_is_reported(connected: Database) -> None:
    with connected.connect() as connection:
        connection.execute("UPDATE sync.alembic_version SET version_num = '0001'")
    assets = planning_center_assets(connected.url, [ORG], streams=["people.campuses"], with_openfaith_tables=False)
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(dg.DagsterError) as caught:
        dg.materialize(assets, partition_key=ORG, instance=instance)
    assert "run openfaith-pipeline db upgrade" in str(caught.value.__cause__)


@pytest.mark.slow
def test_a_project_scaffolds_checks_and_materializes_it(
    connected: Database, simulator: SimulatorClient, tmp_path: Path
) -> None:
    for path, text in {
        "pyproject.toml": PROJECT,
        "src/church/__init__.py": "",
        "src/church/definitions.py": DEFINITIONS,
        "src/church/defs/__init__.py": "",
        "home/dagster.yaml": "telemetry:\n  enabled: false\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    _dg(tmp_path, "scaffold", "defs", "openfaith_pipeline.PlanningCenterComponent", "planning_center")
    written = tmp_path / "src" / "church" / "defs" / "planning_center" / "defs.yaml"
    described = yaml.safe_load(written.read_text())
    assert described["attributes"]["streams"] == ["people"]
    attributes = {
        "database_url": "{{ env.CHURCH_DATABASE }}",
        "orgs": [ORG],
        "streams": ["people.campuses"],
        "key_prefix": ["church"],
        "with_openfaith_tables": False,
    }
    processing = {"assets": [{"target": "*", "attributes": {"owners": ["data@church.example"]}}]}
    written.write_text(yaml.safe_dump({**described, "attributes": attributes, "post_processing": processing}))

    _dg(tmp_path, "check", "defs")
    assert "data@church.example" in _dg(tmp_path, "list", "defs", "--json")
    _dg(tmp_path, "launch", "--assets", "/".join(CAMPUSES), "--partition", ORG)
    assert campuses_in(connected) == {str(each["id"]) for each in simulator.truth(ORG, "people.campuses")}


def _dg(project: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("dg")), *arguments]
    environment = {**os.environ, "DAGSTER_HOME": str(project / "home"), "PYTHONPATH": str(project / "src")}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
