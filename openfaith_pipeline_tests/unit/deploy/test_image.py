"""The image's entry point and health check: which program gets the arguments of a container."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "deploy" / "image"
PROGRAMS = ("openfaith-pipeline", "dagster", "dagster-daemon", "dagster-webserver", "python")


@pytest.fixture
def run(tmp_path: Path):
    """Run a script of the image where every program only says its name and arguments."""
    for name in PROGRAMS:
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name}" "$@"\n')
        program.chmod(0o755)

    def run(script: str, *arguments: str, **variables: str) -> str:
        text = (SCRIPTS / script).read_text().replace("/dev/shm/openfaith-role", str(tmp_path / "role"))  # noqa: S108
        copy = tmp_path / script
        copy.write_text(text)
        environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "OPENFAITH_HOME": str(tmp_path), **variables}
        return subprocess.run(
            ["/bin/sh", str(copy), *arguments], env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    return run


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        (["--help"], "openfaith-pipeline"),
        (["serve", "--port", "3020"], "openfaith-pipeline"),
        (["worker"], "openfaith-pipeline"),
        (["db", "upgrade"], "openfaith-pipeline"),
        (["dagster", "code-server"], "openfaith-pipeline"),
        (["dagster", "daemon", "--code-server-host", "code"], "openfaith-pipeline"),
        (["dagster", "webserver"], "openfaith-pipeline"),
        (["dagster", "api", "execute_run", '{"a b": 1}'], ""),
        (["dagster", "api", "grpc", "-h", "127.0.0.1", "-p", "4000"], ""),
        (["dagster", "code-server", "start", "-p", "4000"], ""),
        (["dagster-daemon", "run"], ""),
        (["/bin/sh", "-c", "echo dagster-webserver -p 3000"], None),
        (["python", "-c", "pass"], ""),
    ],
)
def test_verbs_and_dagsters_own_programs(run, arguments: list[str], program: str | None) -> None:
    said = run("entrypoint.sh", *arguments)
    wanted = "dagster-webserver -p 3000" if program is None else " ".join(filter(None, [program, *arguments]))
    assert said == wanted


def test_temporary_files_go_to_the_home_where_the_root_is_read_only(run, tmp_path: Path) -> None:
    said = run("entrypoint.sh", "/bin/sh", "-c", 'echo "$TMPDIR"', TMPDIR="/proc/read-only")
    assert said == str(tmp_path / "tmp")
    assert (tmp_path / "tmp").is_dir()


@pytest.mark.parametrize(
    ("role", "check"),
    [
        (["serve"], "openfaith-pipeline health service --port 3020"),
        (["serve", "--port", "8080"], "openfaith-pipeline health service --port 8080"),
        (["dagster", "webserver", "--port=80"], "openfaith-pipeline health webserver --port 80"),
        (
            ["dagster", "webserver", "--port", "80", "--code-server-port", "4001"],
            "openfaith-pipeline health webserver --port 80",
        ),
        (["dagster", "code-server"], "openfaith-pipeline health code-server --port 4000"),
        (["dagster", "code-server", "--code-server-port=4001"], "openfaith-pipeline health code-server --port 4001"),
        (["dagster", "daemon"], "openfaith-pipeline health daemon"),
        (["worker", "-c", "4"], "openfaith-pipeline health worker"),
        (["db", "upgrade"], ""),
    ],
)
def test_the_health_check_probes_the_role_that_runs(run, role: list[str], check: str) -> None:
    run("entrypoint.sh", *role)
    assert run("healthcheck.sh") == check
