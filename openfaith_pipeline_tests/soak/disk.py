"""A disk of its own for the product's home, which can be filled: a file system in memory, where we may mount one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_SIZE: Final = "2g"
_BLOCK: Final = bytes(2**16)


@dataclass(frozen=True)
class Disk:
    """is_small: whether it is a file system of its own. Without one, no disk is filled, and the report says so."""

    home: Path
    is_small: bool

    @classmethod
    @contextmanager
    def made(cls, home: Path) -> Iterator[Self]:
        home.mkdir(mode=0o755)
        is_small = os.geteuid() == 0 and _mount(home)
        try:
            yield cls(home, is_small)
        finally:
            if is_small:
                subprocess.run([shutil.which("umount") or "umount", "--lazy", str(home)], check=False)

    def fill(self) -> None:
        """Leave nothing free."""
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while ballast.write(_BLOCK):
                pass

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.home / "ballast"


def _mount(home: Path) -> bool:
    mount = shutil.which("mount")
    if mount is None:
        return False
    command = [mount, "-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "tmpfs", str(home)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
