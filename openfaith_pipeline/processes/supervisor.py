"""Long-running child processes: started, watched, restarted, and gone when we are gone, however we end."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from openfaith_pipeline.errors import OpenFaithError

DONE = "done"
"""Sent to the guard when there is nothing left to stop."""

GRACE_SECONDS: Final = 10.0
"""Grace period for a process to end after SIGTERM."""

_MOST_RESTARTS: Final = 3
_RESTART_WINDOW_SECONDS: Final = 60.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_NO_ROOM_SECONDS: Final = 5.0
"""Pause after a process could not be started at all, as for lack of memory."""
_LOOK_SECONDS: Final = 0.2
_MOST_ECHOED_LINES = 8
_TROUBLE = re.compile(r" (ERROR|CRITICAL) |^(ERROR|CRITICAL)\b|Error: ")


class ServiceFailed(OpenFaithError):
    """A service ended repeatedly, or never became ready."""


@dataclass(frozen=True)
class Service:
    """A process to keep running.

    environment: None for our own.
    log: where its output goes, truncated each time the service starts; None for our own stderr.
    first_line: written to its stdin, where no list of processes shows it. Such a process ends when its stdin does, and
    so with us, however we end; any other ends on SIGTERM.
    directory: where it is started; None for ours.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    log: Path | None = None
    first_line: str | None = None
    directory: Path | None = None

    @property
    def hint(self) -> str:
        """Where to look for the reason why the service ended."""
        return f"; see {self.log}" if self.log else ""


@dataclass
class _Running:
    service: Service
    process: subprocess.Popen[bytes]
    read_bytes: int = 0
    restarts: deque[float] = field(default_factory=deque)
    starts_at: float | None = None

    def new_lines(self) -> list[str]:
        """Whole lines written to the log since the last call; none of one that somebody has deleted."""
        if self.service.log is None or not self.service.log.exists():
            return []
        with self.service.log.open("rb") as log:
            log.seek(self.read_bytes)
            written = log.read()
        whole = written[: written.rfind(b"\n") + 1]
        self.read_bytes += len(whole)
        return whole.decode(errors="replace").splitlines()


class Supervisor:
    """Context manager around a set of services.

    Leaving it stops them, the last first, with SIGKILL to whatever is left of their process groups after some seconds.
    A guard process does the same when this process is killed and cannot, to services that do not end by themselves.
    report: gets each line a person should see: errors from the logs, deaths and restarts.
    if_killed: a command for the guard to run once it has ended the services of a killed supervisor.
    gives_up: whether a service that ended more than three times within a minute is a failure. Otherwise it is started
        again ever less often.
    """

    def __init__(self, report: Callable[[str], None], if_killed: Sequence[str] = (), *, gives_up: bool = True) -> None:
        self._report = report
        self._if_killed = if_killed
        self._gives_up = gives_up
        self._running: list[_Running] = []
        self._guard: subprocess.Popen[bytes] | None = None
        self._is_entered = False

    def __enter__(self) -> Self:
        self._is_entered = True
        if self._if_killed:
            self._start_guard()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end([running.process for running in reversed(self._running)], GRACE_SECONDS)
        if self._guard and self._guard.stdin:
            with suppress(BrokenPipeError):  # somebody has killed it
                self._tell_guard(DONE)
                self._guard.stdin.close()
            self._guard.wait()

    def start(self, service: Service) -> None:
        self._running.append(_Running(service, self._spawn(service)))

    def check(self) -> None:
        """One look at every service: pass on errors from its log, restart it when it ended; likewise the guard.

        Raises ServiceFailed when one ended more than three times within a minute, if the supervisor gives up.
        """
        self._keep_guard()
        for running in self._running:
            self._echo_trouble(running)
            code = running.process.poll()
            if code is not None:
                self._restart(running, code)

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """Have a thread look after the services for the block."""
        ending = threading.Event()

        def look() -> None:
            while not ending.wait(_LOOK_SECONDS):
                self.check()

        watch = threading.Thread(target=look, name="supervisor")
        watch.start()
        try:
            yield
        finally:
            ending.set()
            watch.join()

    def wait_until(self, is_ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Supervise the services until `is_ready`; raises ServiceFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if time.monotonic() > deadline:
                logs = ", ".join(str(running.service.log) for running in self._running if running.service.log)
                raise ServiceFailed(f"{what} did not answer within {seconds:.0f} s; see {logs}")
            self.check()
            time.sleep(_LOOK_SECONDS)

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        if not self._is_entered:
            raise RuntimeError("a Supervisor starts services only inside its `with` block")
        with _output_of(service) as log:
            process = subprocess.Popen(
                list(service.command),
                stdin=subprocess.DEVNULL if service.first_line is None else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT if service.log else None,
                env=service.environment,
                cwd=service.directory,
                start_new_session=True,
            )
        if process.stdin:
            with suppress(BrokenPipeError):  # it has already ended, as the caller will see
                process.stdin.write(f"{service.first_line}\n".encode())
                process.stdin.flush()
        else:
            self._tell_guard(str(process.pid))
        return process

    def _start_guard(self) -> None:
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "openfaith_pipeline.processes.guard", *self._if_killed],
            bufsize=0,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _keep_guard(self) -> None:
        """Start another guard if somebody has killed it, and name it the services."""
        if self._guard is None or self._guard.poll() is None:
            return
        with suppress(OSError):  # for lack of memory: the next look tries again
            self._start_guard()
            for running in self._running:
                if running.service.first_line is None:
                    self._tell_guard(str(running.process.pid))

    def _tell_guard(self, line: str) -> None:
        if self._guard is None:
            self._start_guard()
        if self._guard and self._guard.stdin:
            with suppress(BrokenPipeError):  # the next look starts another, and names it all services
                self._guard.stdin.write(f"{line}\n".encode())

    def _echo_trouble(self, running: _Running) -> None:
        lines = [line for line in running.new_lines() if _TROUBLE.search(line)]
        for line in lines[:_MOST_ECHOED_LINES]:
            self._report(f"{running.service.name}: {line.strip()}")
        if len(lines) > _MOST_ECHOED_LINES:
            self._report(f"{running.service.name}: {len(lines) - _MOST_ECHOED_LINES} more, see {running.service.log}")

    def _restart(self, running: _Running, code: int) -> None:
        """Restart a service that ended: at once the first time, else after a pause."""
        service, now = running.service, time.monotonic()
        if running.starts_at is None:
            running.starts_at = now + self._pause(running, code, now)
            self._report(f"{service.name} ended ({_ending(code)}) and is started again{_keep_log(service)}")
        if now < running.starts_at:
            return
        _end([running.process], GRACE_SECONDS)
        running.restarts.append(now)
        try:
            running.process, running.read_bytes, running.starts_at = self._spawn(service), 0, None
        except OSError as error:
            self._report(f"{service.name} cannot be started: {error.strerror}; trying again")
            running.starts_at = now + max(_NO_ROOM_SECONDS, self._pause(running, code, now))

    def _pause(self, running: _Running, code: int, now: float) -> float:
        while running.restarts and now - running.restarts[0] > _RESTART_WINDOW_SECONDS:
            running.restarts.popleft()
        count = len(running.restarts)
        if not self._gives_up:
            return float(min(2**count - 1, _LONGEST_PAUSE_SECONDS))
        if count >= _MOST_RESTARTS:
            raise ServiceFailed(f"{running.service.name} keeps ending ({_ending(code)}){running.service.hint}")
        return 0.0


@contextmanager
def _output_of(service: Service) -> Iterator[BinaryIO | None]:
    if service.log is None:
        yield None
        return
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("wb") as log:
        yield log


def _keep_log(service: Service) -> str:
    """Move the log of a service that ended aside, and return a note of its place."""
    if service.log is None or not service.log.exists():
        return ""
    kept = service.log.with_suffix(f"{service.log.suffix}.previous")
    service.log.replace(kept)
    service.log.touch()
    return f"; its log is {kept}"


def signal_group(group: int, number: int) -> bool:
    """Signal a process group (0: only test it); False if it has no processes left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS reports "not permitted" for a group of zombies
        return False
    return True


def _end(processes: Sequence[subprocess.Popen[bytes]], grace_seconds: float) -> None:
    """SIGTERM them in this order, wait, then SIGKILL the rest of their groups: leaders may leave workers."""
    deadline = time.monotonic() + grace_seconds
    for process in processes:
        if process.stdin:
            with suppress(BrokenPipeError):
                process.stdin.close()
        else:
            process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for process in processes:
        signal_group(process.pid, signal.SIGKILL)
        process.wait()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
