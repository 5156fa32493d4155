"""The clock of a soak: set forward for processes that run already, while waits last as long as they would."""

import subprocess
import sys
from pathlib import Path

import pytest

from openfaith_pipeline.settings import environment_with
from openfaith_pipeline_tests.soak.clock import Clock

_DAY = 86_400

_CHILD = """
import sys, threading, time
wall, monotonic = time.time(), time.monotonic()
print("begun", flush=True)
sys.stdin.readline()
print(round((time.time() - wall) / 3600), time.monotonic() - monotonic < 3600)
began = time.monotonic()
threading.Event().wait(0.2)
threading.Lock().acquire(timeout=0.2)
time.sleep(0.2)
print(time.monotonic() - began < 60, flush=True)
"""

_WAITING = """
import ctypes, time
until = (ctypes.c_long * 2)(int(time.time()) + 1, 0)
ctypes.CDLL(None).sem_timedwait(ctypes.create_string_buffer(64), until)
print("ended")
"""


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


def test_a_running_process_sees_a_day_pass_and_waits_as_long_as_before(clock: Clock) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        env=environment_with(**clock.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    assert child.stdout.readline() == "begun\n"
    before = clock.now()
    clock.advance(_DAY)
    out, _ = child.communicate("\n", timeout=60)
    assert out.splitlines() == ["24 True", "True"]
    assert round((clock.now() - before).total_seconds() / 3600) == 24


def test_a_wait_for_a_moment_of_the_wall_clock_ends(clock: Clock) -> None:
    """As gRPC, Postgres and Python before 3.11 wait: until an absolute time, which the kernel does not see set."""
    clock.advance(30 * _DAY)
    done = subprocess.run(
        [sys.executable, "-c", _WAITING],
        check=False,
        env=environment_with(**clock.environment),
        capture_output=True,
        timeout=30,
    )
    assert done.stdout == b"ended\n"
