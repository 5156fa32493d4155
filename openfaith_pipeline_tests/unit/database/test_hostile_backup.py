"""A backup file that somebody else made: one sentence, and no memory, whatever it is."""

import json
import zipfile
from pathlib import Path

import pytest

from openfaith_pipeline.connections.sealed_keys import unseal
from openfaith_pipeline.database.backup.archive import read_manifest, read_sealed_key
from openfaith_pipeline.errors import UsageError

_STRANGE = {
    "list": b"[]",
    "number": b"7",
    "null": b"null",
    "incomplete": b'{"format": 1}',
    "other type": b'{"format": 1, "key_prints": 7}',
    "deep": b"[" * 9_000,
    "no text": b"\xff",
    "large": b"0" * (1 << 21),
}


@pytest.mark.parametrize("manifest", _STRANGE.values(), ids=_STRANGE)
def test_a_strange_manifest_is_refused(tmp_path: Path, manifest: bytes) -> None:
    path = tmp_path / "a.backup"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", manifest)
    with pytest.raises(UsageError, match="not a backup"):
        read_manifest(path)


def test_a_member_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("key.json", b"x" * 100)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1  # as if it were encrypted
    path.write_bytes(content)
    with pytest.raises(UsageError, match="damaged"):
        read_sealed_key(path)


@pytest.mark.parametrize("change", [{"n": 2**40}, {"salt": "zz"}, {"keys": 7}, {"p": None}])
def test_a_sealed_key_takes_no_memory_and_is_refused(change: dict[str, object]) -> None:
    sealed = {"salt": "00" * 16, "n": 2**17, "r": 8, "p": 1, "keys": "x"}
    with pytest.raises(UsageError, match="key"):
        unseal(json.dumps({**sealed, **change}).encode(), "four made up words")
    with pytest.raises(UsageError, match="key"):
        unseal(b"no JSON", "four made up words")
