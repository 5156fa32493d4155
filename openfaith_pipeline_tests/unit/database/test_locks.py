"""Locks between processes, which end with their holder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openfaith_pipeline.database.locks import is_locked, locked, take_lock

_HOLD = """
import sys
from pathlib import Path
from openfaith_pipeline.database.locks import take_lock
print(take_lock(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_held_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = take_lock(path)
    assert descriptor is not None
    assert take_lock(path) is None
    assert is_locked(path)
    os.close(descriptor)
    assert not is_locked(path)


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_locked(path)
        holder.kill()
        holder.wait()
        assert not is_locked(path)


def test_waiting_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, seconds=1), pytest.raises(TimeoutError, match="lock is locked"), locked(path, seconds=0):
        pass
    assert not is_locked(path)


def test_a_process_forked_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    forked_holds, may_end = os.pipe()
    with locked(path, seconds=1):
        child = os.fork()
        if child == 0:
            os.close(may_end)
            os.read(forked_holds, 1)
            os._exit(0)
    assert not is_locked(path)
    os.close(may_end)
    os.waitpid(child, 0)


def test_programs_started_meanwhile_do_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = take_lock(path)
    assert descriptor is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as program:
        os.close(descriptor)
        # Linux lets the parent go on an instant before exec has closed the child's copies.
        with locked(path, seconds=5):
            pass
        program.communicate(b"\n")
