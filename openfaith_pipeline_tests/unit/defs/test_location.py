"""The code location loads anywhere and does nothing by loading."""

import subprocess
import sys
from pathlib import Path

import openfaith_pipeline

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
