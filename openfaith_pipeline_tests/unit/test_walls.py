"""Rules about the code that no linter knows, and the linter's own run over the import walls."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "openfaith_pipeline"


ROOMS: Final = sorted(PACKAGE.glob("*/__init__.py"))


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


def test_steps_fail_without_a_stack_trace() -> None:
    """By `defs.failed.Failed`: Dagster adds a stack trace to its own `Failure`."""
    failing = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "Failure"
    }

    assert failing == {"defs/failed.py"}


def names_of_postgres_errors(tree: ast.Module) -> Iterator[str]:
    """Errors of psycopg and its pool that a module names, and errors of ours for an outage that it makes itself."""
    modules = {"psycopg", "psycopg.errors", "psycopg_pool"}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=module) if module in modules:
                yield from (each.name for each in node.names if re.search(r"Error$|Timeout$|^errors$", each.name))
            case ast.Import():
                yield from (each.name for each in node.names if each.name == "psycopg.errors")
            case ast.Attribute(value=ast.Name(id="psycopg" | "psycopg_pool"), attr=attr) if re.search(
                r"Error$|Timeout$|^errors$", attr
            ):
                yield attr
            case ast.JoinedStr() | ast.Constant() if "Postgres went away" in ast.unparse(node):
                yield "Postgres went away"


def test_postgres_errors_are_named_in_the_database_room_alone() -> None:
    """Others catch them by the names of `database/refusals`, which distinguish an outage from a refusal."""
    found = {name: sorted(set(names_of_postgres_errors(tree))) for name, tree in sources()}

    assert {name: names for name, names in found.items() if names and not name.startswith("database/")} == {}


def test_names_of_postgres_errors_are_found() -> None:
    texts = (
        "from psycopg_pool import PoolTimeout",
        "from psycopg import OperationalError",
        "from psycopg import errors",
        "import psycopg.errors",
        "try: ...\nexcept psycopg.errors.LockNotAvailable: ...",
        "isinstance(error, psycopg.DataError)",
        "DatabaseUnavailable(f'Postgres went away {during}')",
    )

    assert all(list(names_of_postgres_errors(ast.parse(text))) for text in texts)
    assert not list(names_of_postgres_errors(ast.parse("from psycopg import Connection, sql\npsycopg.connect(url)")))


NEWEST = re.compile(r"DISTINCT ON \((?:\w+\.)?(?:org_id, )?stream\)|ORDER BY (?:\w+\.)?id DESC\s+LIMIT 1\b")


def test_one_statement_finds_the_newest_sync_of_a_stream() -> None:
    """And one the newest attempt within a sync. The last reading of a stream in one mode is another question."""
    texts = {name: (PACKAGE / name).read_text() for name, _ in sources() if not name.startswith("database/migrations/")}
    found = {name: len(NEWEST.findall(text)) for name, text in texts.items() if "sync.stream_syncs" in text}

    assert {name: count for name, count in found.items() if count} == {
        "orgs/newest_syncs.py": 2,
        "orgs/sync_progress.py": 1,
    }


def catches_not_found(tree: ast.Module) -> bool:
    """Whether an absent path is dealt with here, rather than raised further."""
    handled = [node.type for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.type]
    suppressed = [
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "suppress"
        for argument in node.args
    ]
    return any("PathNotFound" in ast.unparse(each) for each in (*handled, *suppressed))


def test_one_request_shows_whether_a_record_is_still_at_the_source() -> None:
    """Listings that may be absent, and the ends of our own subscriptions, are other questions."""
    assert {name for name, tree in sources() if catches_not_found(tree)} == {
        "planning_center/extract/children.py",
        "planning_center/extract/looks.py",
        "planning_center/extract/presence.py",
        "planning_center/webhook_subscriptions.py",
    }


def test_each_room_says_which_code_belongs_there_and_which_does_not() -> None:
    said = {path.parent.name: ast.get_docstring(ast.parse(path.read_text())) or "" for path in ROOMS}

    assert {name for name, text in said.items() if "Belongs here:" not in text or "Does not:" not in text} == set()


def calls_of_asyncio(tree: ast.Module) -> Iterator[str]:
    """The functions that run a coroutine themselves."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and any(
            isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.run" for node in ast.walk(function)
        ):
            yield function.name


def test_verbs_reach_a_source_by_the_function_that_has_simulated_churches_answer() -> None:
    """Apart from a token that is tried before its church is connected, and a decision that needs no source."""
    found = {name: set(calls_of_asyncio(tree)) for name, tree in sources() if name.startswith("cli/")}

    assert {name: functions for name, functions in found.items() if functions} == {
        "cli/demo_running.py": {"run_at_source"},
        "cli/orgs.py": {"_confirm_losses", "_verify"},
        "cli/deletes.py": {"reject"},
    }
