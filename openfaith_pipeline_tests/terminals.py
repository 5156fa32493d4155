"""The command line in a pseudoterminal of some width: send keys, read the screen."""

import fcntl
import os
import re
import struct
import sys
import sysconfig
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from pexpect import EOF, spawn
from pexpect.fdpexpect import fdspawn

from openfaith_pipeline.cli import app
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline_tests.forking import FORKING, become

CTRL_C = "\x03"
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@dataclass
class Session:
    """A verb that runs at the terminal."""

    process: BaseProcess
    screen: fdspawn

    def see(self, pattern: str, seconds: float = 60) -> str:
        """Wait until this, a regular expression, is seen; everything seen up to it since the last time."""
        self.screen.expect(pattern, timeout=seconds)
        return _plain(f"{self.screen.before}{self.screen.after}")

    def press(self, keys: str) -> None:
        self.screen.send(keys)

    def end(self, seconds: float = 60) -> tuple[int | None, str]:
        """Wait for the end. Returns the exit code and the output since the last read."""
        self.screen.expect(EOF, timeout=seconds)
        seen = _plain(self.screen.before)
        self.process.join(seconds)
        return self.process.exitcode, seen


@dataclass(frozen=True)
class Terminal:
    """Terminals with one environment and place, so many columns wide."""

    environment: Mapping[str, str]
    columns: int = 120
    directory: Path | None = None

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Session]:
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, self.columns, 0, 0))
        variables = environment_with(**{**self.environment, "TERM": "xterm", "LANG": "C.UTF-8"})
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            variables.pop(name, None)
        where = self.directory or Path.cwd()
        process = FORKING.Process(target=_run, args=(arguments, variables, os.ttyname(slave), where))
        process.start()
        # The terminal writes ^C wherever the verb is with its writing, in the middle of a character too.
        screen = fdspawn(master, encoding="utf-8", codec_errors="replace", timeout=60)
        screen.delaybeforesend = None
        try:
            # Until the verb has the terminal open, ours keeps it from looking closed.
            screen.expect("\x00", timeout=60)
            os.close(slave)
            yield Session(process, screen)
        finally:
            process.kill() if process.exitcode is None else None
            screen.close()

    @contextmanager
    def shell(self, home: Path, program: str = "bash") -> Iterator[spawn]:
        """A bash or zsh as a person has it, with the pipeline's program in its PATH."""
        variables = environment_with(**{**self.environment, "HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8"})
        variables["PATH"] = f"{sysconfig.get_path('scripts')}:{variables.get('PATH', '')}"
        # zsh would mark pasted text, and the end of output without a line end.
        (home / ".bashrc").write_text("PS1='> '\n")
        (home / ".zshrc").write_text("PS1='> '; PROMPT_EOL_MARK=; unset zle_bracketed_paste\n")
        options = ["--noprofile", "-i"] if program == "bash" else ["-i"]
        shell = spawn(program, options, env=variables, dimensions=(50, self.columns), encoding="utf-8", timeout=60)
        shell.delaybeforesend = None
        try:
            yield shell
        finally:
            shell.close(force=True)

    def __call__(self, *arguments: str, seconds: float = 60) -> tuple[int | None, str]:
        """Run a verb without input. Returns its exit code and output."""
        with self.running(*arguments) as session:
            return session.end(seconds)


def _run(arguments: Sequence[str], environment: Mapping[str, str], terminal: str, directory: Path) -> None:
    os.setsid()
    opened = os.open(terminal, os.O_RDWR)  # which makes it the terminal that Ctrl-C comes from
    os.write(opened, b"\x00")
    os.chdir(directory)
    for number in range(3):
        os.dup2(opened, number)
    # Those that were forked may be of a file, and would seek in it.
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    become(app.run, [arguments], environment, [])


def _plain(seen: str) -> str:
    return _CONTROLS.sub("", seen)
