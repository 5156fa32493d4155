"""Rules about the code that no linter knows, and the linter's own run over the import walls."""

import ast
import importlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "openfaith_pipeline"


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text())


def reads_environment(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "putenv" | "unsetenv"):
            return True
        case ast.ImportFrom(module="os"):
            return any(name.name in {"environ", "environb", "getenv", "putenv", "unsetenv"} for name in node.names)
    return False


def test_only_settings_reads_the_environment() -> None:
    readers = {name for name, tree in sources() if any(reads_environment(node) for node in ast.walk(tree))}

    assert readers == {"settings.py"}


def test_dagster_definitions_have_evaluated_annotations() -> None:
    """Dagster reads the annotations of op and asset functions; postponed ones are strings it refuses."""
    postponed = [
        name
        for name, tree in sources()
        if name.startswith("defs/")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]

    assert postponed == []


def private_names_of_dagster(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of each import that Dagster does not promise to keep."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0].startswith("dagster"):
            module = node.module or ""
            is_below = "._" in module or module.startswith("dagster_postgres.")
            yield from ((module, name.name) for name in node.names if is_below or name.name.startswith("_"))


def test_private_names_of_dagster_are_imported_in_one_place() -> None:
    importers = {name for name, tree in sources() if any(private_names_of_dagster(tree))}

    assert importers == {"defs/dagster_private.py"}


@pytest.mark.parametrize(
    ("module", "name"),
    list(private_names_of_dagster(ast.parse((PACKAGE / "defs/dagster_private.py").read_text()))),
)
def test_this_version_of_dagster_has_the_private_name(module: str, name: str) -> None:
    where = f"{module} of Dagster {importlib.metadata.version('dagster')} has no {name}"
    assert hasattr(importlib.import_module(module), name), f"{where}: see openfaith_pipeline/defs/dagster_private.py"


def test_imports_flow_one_way() -> None:
    linter = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert linter.returncode == 0, linter.stdout


def test_importing_the_package_does_not_load_dagster() -> None:
    code = "import sys, openfaith_pipeline, openfaith_pipeline.cli.app; sys.exit('dagster' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
