"""The command line as a person or a program calls it: a process of its own, its two outputs and its exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openfaith_pipeline.cli import app
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline_tests.forking import FORKING, become
from openfaith_pipeline_tests.planted import SECRETS, found_in

PROGRAM = (sys.executable, "-m", "openfaith_pipeline.cli")


@dataclass(frozen=True)
class Outcome:
    """How a verb ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Stdout as the one JSON document it has to be."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Verbs:
    """Calls verbs with one environment."""

    environment: Mapping[str, str]

    def __call__(
        self, *arguments: str, stdin: str = "", seconds: float = 120, cwd: Path | None = None, **environment: str
    ) -> Outcome:
        """Run a verb to its end; whatever happens, it must not answer with a traceback."""
        with TemporaryDirectory() as directory:
            streams = [Path(directory, name) for name in ("in", "out", "err")]
            streams[0].write_text(stdin)
            variables = environment_with(**{**self.environment, **environment})
            process = FORKING.Process(target=_run, args=(arguments, variables, streams, cwd))
            process.start()
            process.join(seconds)
            if process.exitcode is None:
                process.kill()
                raise TimeoutError(f"{arguments} runs for {seconds} s: {streams[2].read_text()}")
            out, err = (stream.read_text() for stream in streams[1:])
        assert "Traceback" not in err + out, err + out
        assert found_in(err) is None  # stdout may hold people's data, if the verb shows it
        assert found_in(out, SECRETS) is None
        return Outcome(process.exitcode, out, err)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a verb, imports and all, and let it run."""
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            env=environment_with(**{**self.environment, **environment}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _run(arguments: Sequence[str], environment: Mapping[str, str], streams: Sequence[Path], cwd: Path | None) -> None:
    """Run one verb in a fresh fork, as `PROGRAM` would."""
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    opened = [os.open(path, mode) for path, mode in zip(streams, modes, strict=True)]
    os.chdir(cwd or Path.cwd())
    become(app.run, [arguments], environment, opened)
