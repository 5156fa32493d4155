"""The code location loads anywhere and does nothing by loading."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster_graphql.schema.run_config import default_values_yaml_from_type_snap

import openfaith_pipeline
from openfaith_pipeline.defs.location import definitions

REPOSITORY = Path(openfaith_pipeline.__file__).parents[1]
SHIPPED = Path(openfaith_pipeline.__file__).parent / "defs"


def test_it_loads_with_an_empty_environment_and_leaves_nothing_behind(tmp_path: Path) -> None:
    load = "from openfaith_pipeline.definitions import defs; defs.get_repository_def()"
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {load}"
    result = subprocess.run(
        [sys.executable, "-W", "error::dagster.BetaWarning", "-c", code],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert "Warning: " not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_developer_and_a_deployment_have_the_same_instance() -> None:
    for name in ("dagster.yaml", "workspace.yaml"):
        assert (REPOSITORY / name).read_text() == (SHIPPED / name).read_text()


JOBS = [job for job in definitions().get_repository_def().get_all_jobs() if not job.name.startswith("__")]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_launchpad_opens_with_a_valid_config_and_shows_the_choices(job: dg.JobDefinition) -> None:
    assert dg.validate_run_config(job, {})
    snapshot = job.get_job_snapshot()
    root_key = snapshot.mode_def_snaps[0].root_config_key
    assert root_key
    schema = snapshot.config_schema_snapshot
    opened = yaml.safe_load(default_values_yaml_from_type_snap(schema, schema.get_config_snap(root_key)))
    assert opened.keys() <= {"ops"}, "the database is nothing to be chosen"
    if job.name in {"decide_held_deletion", "resolve_conflicts"}:
        [(_, op)] = opened["ops"].items()
        assert op["config"] in (
            {"held_id": 0, "decision": "REJECT"},
            {"conflict_ids": [], "decision": "REJECT"},
        )
