"""Files with people's data: readable by their owner alone, whole or not there, and never over another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from openfaith_pipeline.errors import UsageError


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name once it is written. Raises UsageError if there is one of that name."""
    if path.exists():
        raise UsageError(f"{path} already exists; name another file, or move that one away")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            raise UsageError(f"{path} has been created meanwhile; name another file") from None
    finally:
        draft.unlink(missing_ok=True)
