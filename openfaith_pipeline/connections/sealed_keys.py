"""Encryption keys for a backup: encrypted with a passphrase, and recognised without it by a fingerprint."""

import base64
import hashlib
import json
import os
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from openfaith_pipeline.connections.cipher import KEY_FILE
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.settings import Settings

_COST: Final = {"n": 2**17, "r": 8, "p": 1}
"""Of scrypt: 128 MB and half a second for each passphrase that is tried."""

LEAST_PASSPHRASE: Final = 12


def keys_in_use(settings: Settings) -> tuple[str, ...]:
    """The keys that credentials are encrypted with, newest first; none if nothing was encrypted yet."""
    if settings.encryption_keys:
        return tuple(key.get_secret_value() for key in settings.encryption_keys)
    path = settings.home / KEY_FILE
    return (path.read_text().strip(),) if settings.is_embedded and path.exists() else ()


def fingerprints(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Distinguish keys without revealing any: keys are random."""
    return tuple(hashlib.sha256(b"openfaith-pipeline key " + key.encode()).hexdigest()[:16] for key in keys)


def seal(keys: tuple[str, ...], passphrase: str) -> bytes:
    """Encrypt the keys. Raises UsageError for a passphrase that is too short to protect anything."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise UsageError(f"the passphrase is shorter than {LEAST_PASSPHRASE} characters")
    salt = os.urandom(16)
    token = Fernet(_derived(passphrase, salt, **_COST)).encrypt(json.dumps(keys).encode())
    return json.dumps({"salt": salt.hex(), **_COST, "keys": token.decode()}).encode()


def unseal(sealed: bytes, passphrase: str) -> tuple[str, ...]:
    """Decrypt the keys. Raises UsageError for a wrong passphrase, and for data that was not sealed here."""
    try:
        kept = json.loads(sealed)
        salt, cost = bytes.fromhex(kept["salt"]), {name: int(kept[name]) for name in _COST}
        if cost != _COST:  # which could take all memory
            raise UsageError("the backup's key was not encrypted by `db backup`")
        keys = json.loads(Fernet(_derived(passphrase, salt, **cost)).decrypt(kept["keys"].encode()))
        for key in keys:
            Fernet(key)
        return tuple(keys)
    except InvalidToken:
        raise UsageError("the passphrase is not the one that the backup's key was encrypted with") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError("the backup's key is damaged") from None


def put_keys(settings: Settings, keys: tuple[str, ...]) -> bool:
    """Store the newest of the keys in the home, if it has none; returns whether it was written.

    Raises UsageError if another key is there: credentials of other churches may need it.
    """
    if set(keys) & set(keys_in_use(settings)):
        return False
    path = settings.home / KEY_FILE
    if settings.encryption_keys or path.exists():
        where = "OPENFAITH_ENCRYPTION_KEYS" if settings.encryption_keys else str(path)
        raise UsageError(f"{where} holds a different key from the backup's: move it away first")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(keys[0])
        file.flush()
        os.fsync(file.fileno())
    return True


def _derived(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode()))
