"""The directory of an export: each file appears whole, and a manifest says which export it is from.

Files are readable by their owner alone. An export that ended early leaves whole files, some of them an earlier
export's, and a manifest that calls it incomplete; the next one into the same directory starts over.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from openfaith_pipeline.database.locks import take_lock
from openfaith_pipeline.errors import UsageError

FileFormat = Literal["csv", "parquet"]

MANIFEST: Final = "openfaith-export.json"
_LOCK: Final = ".openfaith-export.lock"
_DRAFTS: Final = ".openfaith-export.drafts"


class Directory:
    """A directory that only this process writes to. earlier: the files of the export before."""

    def __init__(self, root: Path, file_format: FileFormat, earlier: frozenset[str]) -> None:
        self._root = root
        self._format: FileFormat = file_format
        self._earlier = earlier
        self._written: set[str] = set()

    def begin(self, names: Iterable[tuple[str, str]]) -> None:
        """Mark the manifest: until `complete`, it says that files are missing or old.

        names: schema and name of each file that there will be.
        """
        _remove_drafts(self._root)
        self._drafts.mkdir(mode=0o700)
        self._earlier |= {self.path_of(*name) for name in names}
        self._put_manifest({"status": "incomplete"}, sorted(self._earlier))

    @contextmanager
    def file(self, schema: str, name: str) -> Iterator[Path]:
        """A path to write to; the file appears under its own name at the end of the block."""
        relative = self.path_of(schema, name)
        draft = self._drafts / relative.replace("/", "!")
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
        _sync(draft)
        directory = self._root / schema
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.is_symlink():
            raise UsageError(f"{directory} is a symbolic link; remove it, or name a new directory")
        draft.replace(self._root / relative)
        self._written.add(relative)

    def complete(self, content: Mapping[str, Any]) -> None:
        """Remove an earlier export's files that this one does not have, and list its files in the manifest."""
        for relative in self._earlier - self._written:
            (self._root / relative).unlink(missing_ok=True)
        self._put_manifest({"status": "complete", **content}, sorted(self._written))

    def path_of(self, schema: str, name: str) -> str:
        """The file within the directory."""
        return f"{schema}/{name}.{self._format}"

    @property
    def _drafts(self) -> Path:
        return self._root / _DRAFTS

    def _put_manifest(self, content: Mapping[str, Any], files: list[str]) -> None:
        draft = self._drafts / MANIFEST
        document = {"format": self._format, **content, "files": files}
        draft.write_text(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")
        draft.chmod(0o600)
        _sync(draft)
        draft.replace(self._root / MANIFEST)


@contextmanager
def export_directory(root: Path, file_format: FileFormat) -> Iterator[Directory]:
    """The directory, made if need be; UsageError if it has files of another kind or another export is writing."""
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file; name a directory")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_own(root)
    earlier = _earlier_files(root, file_format)
    lock = take_lock(root / _LOCK)
    if lock is None:
        raise UsageError(f"another export is writing to {root}; wait until it is done, or name another directory")
    try:
        yield Directory(root, file_format, earlier)
    finally:
        _remove_drafts(root)
        os.close(lock)


def _check_own(root: Path) -> None:
    """Raise UsageError if others could put files of theirs in the place of ours, and read what is written."""
    about, me = root.stat(), os.geteuid()
    if about.st_mode & stat.S_IWOTH or (me != 0 and about.st_uid not in {me, 0}):
        raise UsageError(f"other users may change {root}; name a directory of your own, or take that right from them")


def _earlier_files(root: Path, file_format: FileFormat) -> frozenset[str]:
    manifest = root / MANIFEST
    if not manifest.exists():
        if any(not path.name.startswith(".openfaith-export") for path in root.iterdir()):
            raise UsageError(f"{root} has files that no export wrote; name a new directory")
        return frozenset()
    try:
        known = json.loads(manifest.read_text())
        files, found = known["files"], known["format"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{manifest} is damaged; name a new directory, or remove this one") from None
    if found != file_format:
        raise UsageError(f"{root} has an export of {found}; name another directory for {file_format}")
    return frozenset(name for name in files if _is_within(root, name))


def _is_within(root: Path, name: str) -> bool:
    """Whether the name is a file's in the directory: a tampered manifest must not remove anything else."""
    if not isinstance(name, str) or "\0" in name:
        return False
    path = root / name
    return path.resolve().is_relative_to(root.resolve()) and not path.is_dir()


def _remove_drafts(root: Path) -> None:
    shutil.rmtree(root / _DRAFTS, ignore_errors=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
