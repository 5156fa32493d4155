"""Processes that are there at once, where importing everything would take each of them seconds.

They are forked from a process that has imported it all, and have nothing of the test's own state.
"""

import atexit
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import IO, Any

from openfaith_pipeline.cli import app
from openfaith_pipeline.simulator.server import run_child

# Modules that libraries import when they are first used: half a second of each verb that syncs.
_LATE = (
    "anyio._backends._asyncio",
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.secrets.env_file",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.root",
    "encodings.idna",
    "httpcore",
    "psycopg2.extras",
    "upath.implementations.local",
)

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    [
        __name__,
        "openfaith_pipeline.definitions",  # made, too: half a second of every sync
        "openfaith_pipeline.defs.execution",
        "openfaith_pipeline_tests.chaos.attempt",
        *_LATE,
        *{f"openfaith_pipeline.cli.{verb.partition(':')[0]}" for verb in app.VERBS.values()},
    ]
)


class Forked:
    """A process like those of `subprocess`, as far as it is used: pipes to its stdin and from its stdout."""

    def __init__(self, process: BaseProcess, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._process, self.stdin, self.stdout = process, stdin, stdout

    @property
    def pid(self) -> int:
        return int(self._process.pid or 0)

    def finish(self, timeout: float = 60) -> bytes:
        """Close its stdin, and wait until it has ended; the rest of its stdout."""
        self.stdin.close()
        rest = self.stdout.read()
        self.wait(timeout)
        return rest

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0)
        return self._process.exitcode

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def fork(target: Callable[..., object], *arguments: Any, environment: Mapping[str, str] | None = None) -> Forked:
    """Start `target` of a module in a process of its own, with this environment instead of the caller's."""
    (theirs_in, ours_in), (ours_out, theirs_out) = FORKING.Pipe(duplex=False), FORKING.Pipe(duplex=False)
    environment = dict(os.environ if environment is None else environment)
    process = FORKING.Process(target=_become, args=(target, arguments, environment, theirs_in, theirs_out))
    process.start()
    for end in (theirs_in, theirs_out):
        end.close()
    return Forked(process, _file(ours_in, "wb"), _file(ours_out, "rb"))


def fork_program(code: str, *arguments: str, environment: Mapping[str, str]) -> Forked:
    """`python -c CODE ARGUMENTS...`, without the seconds that it would spend on imports."""
    return fork(_execute, code, arguments, environment=environment)


def _execute(code: str, arguments: Sequence[str]) -> None:
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})  # noqa: S102 - a test's own


def fork_simulator() -> Forked:
    """The process that `running_simulator` talks to."""
    return fork(run_child)


def _file(end: Connection, mode: str) -> IO[bytes]:
    with end:
        return os.fdopen(os.dup(end.fileno()), mode)


def _become(
    target: Callable[..., object],
    arguments: tuple[Any, ...],
    environment: Mapping[str, str],
    stdin: Connection,
    stdout: Connection,
) -> None:
    with stdin, stdout:
        streams = [stdin.fileno(), stdout.fileno()]
        become(target, arguments, environment, streams)


def become(
    target: Callable[..., object], arguments: Sequence[Any], environment: Mapping[str, str], streams: Sequence[int]
) -> None:
    """Run `target` in a fresh fork as if it were a program. streams: its file descriptors 0, 1, 2, ..."""
    gc.freeze()  # what was imported is no garbage, and looking at it would copy its memory
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    sys.stdin = os.fdopen(0)
    os.environ.clear()
    os.environ.update(environment)
    try:
        target(*arguments)
    finally:
        sys.stdout.flush()
        atexit._run_exitfuncs()
