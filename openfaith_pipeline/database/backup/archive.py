"""The file of a backup: a zip archive, nothing in it compressed again.

database.dump   as pg_dump writes it (custom format), the whole database with Dagster's history
key.json        the encryption keys, encrypted with a passphrase; only on request
manifest.json   about the other two
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

from pydantic import TypeAdapter

from openfaith_pipeline.errors import UsageError

DUMP: Final = "database.dump"
KEY: Final = "key.json"
MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_MOST_BYTES: Final = 1 << 20
_DAMAGE: Final = (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, zlib.error)


@dataclass(frozen=True)
class Manifest:
    """About a backup. postgres, tools: major versions of the server and of pg_dump.

    revision: the newest migration applied. key_prints: fingerprints of the keys that the credentials were stored with.
    """

    made_at: str
    version: str
    revision: str | None
    postgres: int
    tools: int
    canonical_schema: str
    views_schema: str
    orgs: int
    has_dagster: bool
    key_prints: tuple[str, ...]
    dump_bytes: int
    format: int = FORMAT

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


def read_manifest(path: Path) -> Manifest:
    """The backup's manifest. Raises UsageError if the file is not one of our backups, or has a newer format."""
    content = _part(path, MANIFEST)
    try:
        if content and json.loads(content)["format"] != FORMAT:
            raise UsageError(
                f"{path} was made by a newer version of openfaith-pipeline; install that one to restore it"
            )
        return TypeAdapter(Manifest).validate_json(content or b"", strict=True)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UsageError(f"{path} is not a backup made by `db backup`") from None


def read_sealed_key(path: Path) -> bytes | None:
    """The encrypted keys, None if the backup has none."""
    return _part(path, KEY)


def _part(path: Path, name: str) -> bytes | None:
    """A small member of the archive, None if it is missing. Its size cannot be trusted."""
    with opened(path) as archive:
        if name not in archive.namelist():
            return None
        try:
            with archive.open(name) as member:
                content = member.read(_MOST_BYTES + 1)
        except (*_DAMAGE, RuntimeError, OSError):
            raise UsageError(f"{path} is damaged: {name} cannot be read") from None
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{path} is not a backup made by `db backup`: {name} is too large")
    return content


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive for reading; raises UsageError if it is not an archive, or was cut off."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise UsageError(f"{path} is not a backup made by `db backup`, or is incomplete") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with archive:
        yield archive


@contextmanager
def dump_within(path: Path) -> Iterator[IO[bytes]]:
    """The dump, opened at its beginning; a damaged one raises UsageError when its end is read."""
    try:
        with opened(path) as archive, archive.open(DUMP) as dump:
            yield dump
    except _DAMAGE:
        raise UsageError(f"{path} is damaged: its checksum does not match") from None
