"""Long-running child processes: started, watched, restarted, and gone when we are gone, however we end.

Knows nothing of what the processes do: a service is a name, a command and a log file.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from openfaith_pipeline.errors import OpenFaithError

DONE = "done"
"""What the guard is told when there is nothing left for it to do."""

_GRACE_SECONDS = 10.0
_MOST_RESTARTS = 3
_RESTART_WINDOW_SECONDS = 60.0
_MOST_ECHOED_LINES = 8
_TROUBLE = re.compile(r" (ERROR|CRITICAL) |^(ERROR|CRITICAL)\b|Error: ")


class ServiceFailed(OpenFaithError):
    """A service ended again and again, or never became ready."""


@dataclass(frozen=True)
class Service:
    """A process to keep running. Its output goes to `log`, which is started anew each time the service is."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass
class _Running:
    service: Service
    process: subprocess.Popen[bytes]
    read_bytes: int = 0
    restarts: deque[float] = field(default_factory=deque)

    def new_lines(self) -> list[str]:
        """Whole lines written to the log since the last call."""
        with self.service.log.open("rb") as log:
            log.seek(self.read_bytes)
            written = log.read()
        whole = written[: written.rfind(b"\n") + 1]
        self.read_bytes += len(whole)
        return whole.decode(errors="replace").splitlines()


class Supervisor:
    """Context manager around a set of services.

    Leaving it stops them, the last first: SIGTERM, then SIGKILL to whatever is left of their process groups. A guard
    process does the same when this process is killed and cannot.
    report: gets each line a person should see: errors from the logs, deaths and restarts.
    if_killed: a command for the guard to run once it has ended the services of a killed supervisor.
    """

    def __init__(self, report: Callable[[str], None], if_killed: Sequence[str] = ()) -> None:
        self._report = report
        self._if_killed = if_killed
        self._running: list[_Running] = []
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "openfaith_pipeline.cli.guard", *self._if_killed],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end([running.process for running in reversed(self._running)], _GRACE_SECONDS)
        if self._guard and self._guard.stdin:
            self._tell_guard(DONE)
            self._guard.stdin.close()
            self._guard.wait()

    def start(self, service: Service) -> None:
        self._running.append(_Running(service, self._spawn(service)))

    def check(self) -> None:
        """One look at every service: pass on errors from its log, restart it when it ended.

        Raises ServiceFailed when one ended more than three times within a minute.
        """
        for running in self._running:
            self._echo_trouble(running)
            code = running.process.poll()
            if code is not None:
                self._restart(running, code)

    def wait_until(self, is_ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Look after the services until `is_ready`; raises ServiceFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if time.monotonic() > deadline:
                logs = ", ".join(str(running.service.log) for running in self._running)
                raise ServiceFailed(f"{what} did not answer within {seconds:.0f} s; see {logs}")
            self.check()
            time.sleep(0.2)

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        service.log.parent.mkdir(parents=True, exist_ok=True)
        with service.log.open("wb") as log:
            process = subprocess.Popen(
                list(service.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(service.environment),
                start_new_session=True,
            )
        self._tell_guard(str(process.pid))
        return process

    def _tell_guard(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            raise RuntimeError("a Supervisor starts services only inside its `with` block")
        self._guard.stdin.write(f"{line}\n".encode())
        self._guard.stdin.flush()

    def _echo_trouble(self, running: _Running) -> None:
        lines = [line for line in running.new_lines() if _TROUBLE.search(line)]
        for line in lines[:_MOST_ECHOED_LINES]:
            self._report(f"{running.service.name}: {line.strip()}")
        if len(lines) > _MOST_ECHOED_LINES:
            self._report(f"{running.service.name}: {len(lines) - _MOST_ECHOED_LINES} more, see {running.service.log}")

    def _restart(self, running: _Running, code: int) -> None:
        _end([running.process], _GRACE_SECONDS)
        now = time.monotonic()
        while running.restarts and now - running.restarts[0] > _RESTART_WINDOW_SECONDS:
            running.restarts.popleft()
        service = running.service
        if len(running.restarts) >= _MOST_RESTARTS:
            raise ServiceFailed(f"{service.name} keeps ending ({_ending(code)}); see {service.log}")
        running.restarts.append(now)
        kept = service.log.with_suffix(f"{service.log.suffix}.previous")
        service.log.replace(kept)
        self._report(f"{service.name} ended ({_ending(code)}) and is started again; its log is {kept}")
        running.process = self._spawn(service)
        running.read_bytes = 0


def signal_group(group: int, number: int) -> bool:
    """Signal a process group (0: only look); False when nothing is left of it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS says "not permitted" of a group of zombies
        return False
    return True


def _end(processes: Sequence[subprocess.Popen[bytes]], grace_seconds: float) -> None:
    """SIGTERM them in this order, wait, then SIGKILL what is left of their groups: leaders may leave workers."""
    deadline = time.monotonic() + grace_seconds
    for process in processes:
        process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for process in processes:
        signal_group(process.pid, signal.SIGKILL)
        process.wait()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
