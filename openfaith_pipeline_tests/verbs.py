"""The command line as a person or a program calls it: a process of its own, its two outputs and its exit code."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openfaith_pipeline.settings import environment_with
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

    def __call__(self, *arguments: str, stdin: str = "", seconds: float = 120, **environment: str) -> Outcome:
        """Run a verb to its end; whatever happens, it must not answer with a traceback."""
        with self.start(*arguments, **environment) as process:
            try:
                out, err = process.communicate(stdin, timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert "Traceback" not in err + out, err + out
        assert found_in(err) is None  # what is asked for goes to stdout, and may be about people
        assert found_in(out, SECRETS) is None
        return Outcome(process.returncode, out, err)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a verb and let it run."""
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            env=environment_with(**{**self.environment, **environment}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
