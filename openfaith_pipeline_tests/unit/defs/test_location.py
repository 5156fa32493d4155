"""The code location loads anywhere and does nothing by loading."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

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


def test_each_launchpad_opens_with_a_valid_config_and_shows_the_choices() -> None:
    jobs = [job for job in definitions().get_repository_def().get_all_jobs() if not job.name.startswith("__")]
    opened = {job.name: _opened(job) for job in jobs}
    assert {name for name, config in opened.items() if not config.keys() <= {"ops"}} == set(), "databases to choose"
    for name, config in (
        ("decide_held_deletion", {"held_id": 0, "decision": "REJECT"}),
        ("resolve_conflicts", {"conflict_ids": [], "decision": "REJECT"}),
    ):
        assert [op["config"] for op in opened[name]["ops"].values()] == [config]


def _opened(job: dg.JobDefinition) -> dict[str, Any]:
    """The config that the launchpad shows at first; without one, the job can be launched too."""
    # Half a second of imports, which most processes of the tests can do without.
    from dagster_graphql.schema.run_config import default_values_yaml_from_type_snap  # noqa: PLC0415

    assert dg.validate_run_config(job, {}), job.name
    snapshot = job.get_job_snapshot()
    root_key = snapshot.mode_def_snaps[0].root_config_key
    assert root_key
    schema = snapshot.config_schema_snapshot
    return dict(yaml.safe_load(default_values_yaml_from_type_snap(schema, schema.get_config_snap(root_key))))
