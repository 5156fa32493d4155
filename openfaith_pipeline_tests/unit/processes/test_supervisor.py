"""Services are watched, restarted and never left behind. Real processes: there is nothing here worth faking."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from openfaith_pipeline.processes import supervisor as supervisor_module
from openfaith_pipeline.processes.supervisor import Service, ServiceFailed, Supervisor
from openfaith_pipeline_tests.waiting import wait_until

# A service with a worker of its own, as a code server has; both pids are in its log.
FAMILY = """
import os, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), worker.pid, flush=True)
time.sleep(600)
"""
DEAF_FAMILY = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY


def service(tmp_path: Path, code: str, name: str = "thing") -> Service:
    return Service(name, [sys.executable, "-c", code], dict(os.environ), tmp_path / "logs" / f"{name}.log")


def pids_in(log: Path) -> list[int]:
    return [int(word) for word in log.read_text().split()] if log.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def guards_of(supervisor: int) -> list[psutil.Process]:
    """The living guard of a supervisor."""
    children = psutil.Process(supervisor).children()
    return [each for each in children if is_alive(each.pid) and "openfaith_pipeline.processes.guard" in each.cmdline()]


def test_leaving_ends_a_service_and_its_workers(tmp_path: Path) -> None:
    family = service(tmp_path, FAMILY)
    with Supervisor(pytest.fail) as supervisor:
        supervisor.start(family)
        supervisor.wait_until(lambda: len(pids_in(family.log)) == 2, what="the family", seconds=15)
        pids = pids_in(family.log)
        assert all(is_alive(pid) for pid in pids)

    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_a_service_is_started_in_its_directory(tmp_path: Path) -> None:
    there = replace(
        service(tmp_path, "import os, time; print(os.getcwd(), flush=True); time.sleep(600)"), directory=tmp_path
    )
    with Supervisor(pytest.fail) as supervisor:
        supervisor.start(there)
        supervisor.wait_until(lambda: there.log.exists() and there.log.read_text(), what="the service", seconds=15)

    assert there.log.read_text() == f"{tmp_path}\n"


def test_a_service_that_ended_is_started_again_and_said_so(tmp_path: Path) -> None:
    family = service(tmp_path, FAMILY)
    reports: list[str] = []
    with Supervisor(reports.append) as supervisor:
        supervisor.start(family)
        supervisor.wait_until(lambda: len(pids_in(family.log)) == 2, what="the family", seconds=15)
        first = pids_in(family.log)
        os.kill(first[0], signal.SIGKILL)
        supervisor.wait_until(
            lambda: len(pids_in(family.log)) == 2 and pids_in(family.log) != first, what="the second", seconds=15
        )

        assert reports == [
            f"thing ended (killed by SIGKILL) and is started again; its log is {family.log}.previous",
        ]
        assert not is_alive(first[1]), "the worker of the first one goes on"


def test_a_service_that_keeps_ending_ends_everything(tmp_path: Path) -> None:
    broken = service(tmp_path, "raise SystemExit(7)")
    reports: list[str] = []
    with pytest.raises(ServiceFailed, match=r"thing keeps ending \(exit code 7\); see .*thing.log"):  # noqa: SIM117
        with Supervisor(reports.append) as supervisor:
            supervisor.start(broken)
            supervisor.wait_until(lambda: False, what="nothing", seconds=30)
    assert len(reports) == 3


def test_a_process_that_never_becomes_ready_is_named_with_its_log(tmp_path: Path) -> None:
    with (
        Supervisor(pytest.fail) as supervisor,
        pytest.raises(ServiceFailed, match=r"the UI did not answer within 0 s; see .*thing.log"),
    ):
        supervisor.start(service(tmp_path, FAMILY))
        supervisor.wait_until(lambda: False, what="the UI", seconds=0)


def test_errors_in_a_log_are_passed_on_and_the_rest_is_not(tmp_path: Path) -> None:
    code = """
import time
print("2030-01-01 - daemon - INFO - all well")
print("2030-01-01 - daemon - ERROR - the sensor broke", flush=True)
time.sleep(600)
"""
    reports: list[str] = []
    with Supervisor(reports.append) as supervisor:
        supervisor.start(service(tmp_path, code))
        supervisor.wait_until(lambda: bool(reports), what="the report", seconds=15)
    assert reports == ["thing: 2030-01-01 - daemon - ERROR - the sensor broke"]


def test_a_service_that_cannot_be_started_for_a_while_is_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for lack of memory, the usual reason why the one before was killed."""
    monkeypatch.setattr(supervisor_module, "_NO_ROOM_SECONDS", 0.0)
    reports: list[str] = []
    program, aside = tmp_path / "program", tmp_path / "aside"
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o700)
    with Supervisor(reports.append, gives_up=False) as supervisor:
        supervisor.start(Service("thing", [str(program)], first_line=""))
        program.rename(aside)
        with supervisor.in_background():
            wait_until(lambda: reports[-1:] == ["thing cannot be started: No such file or directory; trying again"])
            aside.rename(program)
            wait_until(lambda: reports[-1:] == ["thing ended (exit code 0) and is started again"])


def test_a_log_that_somebody_deletes_ends_nothing(tmp_path: Path) -> None:
    family = service(tmp_path, FAMILY)
    reports: list[str] = []
    with Supervisor(reports.append) as supervisor:
        supervisor.start(family)
        supervisor.wait_until(lambda: len(pids_in(family.log)) == 2, what="the family", seconds=15)
        [first, _] = pids_in(family.log)
        family.log.unlink()
        supervisor.check()
        os.kill(first, signal.SIGKILL)
        supervisor.wait_until(lambda: len(pids_in(family.log)) == 2, what="the second", seconds=15)
    assert reports == ["thing ended (killed by SIGKILL) and is started again"]


@pytest.mark.parametrize("code", [FAMILY, DEAF_FAMILY], ids=["polite", "deaf"])
@pytest.mark.parametrize("is_guard_killed", [False, True], ids=["guarded", "guarded again"])
def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path, code: str, is_guard_killed: bool) -> None:
    log = tmp_path / "thing.log"
    program = f"""
import os, pathlib, sys, time
from openfaith_pipeline.processes.supervisor import Service, Supervisor
with Supervisor(print) as supervisor:
    service = Service("thing", [sys.executable, "-c", {code!r}], dict(os.environ), pathlib.Path({str(log)!r}))
    supervisor.start(service)
    supervisor.wait_until(lambda: False, what="the end", seconds=600)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program])
    try:
        wait_until(lambda: len(pids_in(log)) == 2)
        if is_guard_killed:
            [guard] = guards_of(supervisor.pid)
            guard.kill()
            wait_until(lambda: guards_of(supervisor.pid) not in ([], [guard]))
    finally:
        supervisor.kill()
        supervisor.wait()
    pids = pids_in(log)
    assert len(pids) == 2
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_the_callback_after_a_kill_is_called_then_and_only_then(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = f"""
import pathlib, sys, time
from openfaith_pipeline.processes.supervisor import Supervisor
touch = "import pathlib; pathlib.Path({str(mark)!r}).touch()"
with Supervisor(print, if_killed=[sys.executable, "-c", touch]):
    print("ready", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", program]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    assert not mark.exists()

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        killed.stdout.readline()
        killed.kill()
    wait_until(mark.exists)


def test_a_service_that_ends_with_its_stdin_is_started_again_ever_less_often(tmp_path: Path) -> None:
    reports: list[str] = []
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.readline())"
    seen = tmp_path / "seen"
    short = Service("short", [sys.executable, "-c", code, str(seen)], os.environ, first_line="secret")
    with Supervisor(reports.append, gives_up=False) as supervisor:
        supervisor.start(short)
        with supervisor.in_background():
            wait_until(lambda: len(reports) >= 3)
    assert set(seen.read_text().split()) == {"secret"}
    assert set(reports) == {"short ended (exit code 0) and is started again"}
