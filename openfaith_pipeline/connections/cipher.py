"""Encryption of stored credentials: with the newest key; decryption with any configured key."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings

KEY_FILE: Final = "encryption.key"


class Cipher:
    """Encrypts with the first of its keys and decrypts with any: put a new key first to rotate."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        """keys: 32 bytes each in URL-safe base64, newest first."""
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def decrypt(self, encrypted: bytes) -> bytes:
        """Decrypt stored bytes; raises ConfigurationError if no key decrypts them."""
        try:
            return self._fernet.decrypt(encrypted)
        except InvalidToken:
            raise ConfigurationError(
                "no key decrypts the stored credentials: put the key they were stored with back into"
                " OPENFAITH_ENCRYPTION_KEYS, or add the org again"
            ) from None

    def renew(self, encrypted: bytes) -> bytes | None:
        """Encrypt again with the newest key; None if that was used already.

        Raises ConfigurationError if no key decrypts it.
        """
        try:
            self._newest.decrypt(encrypted)
        except InvalidToken:
            return self.encrypt(self.decrypt(encrypted))
        return None


def cipher_from(settings: Settings) -> Cipher:
    """The cipher for OPENFAITH_ENCRYPTION_KEYS, or for a key file created beside the embedded database.

    Raises ConfigurationError without a key for a `DB_*` database: other machines must be able to read the credentials.
    """
    if settings.encryption_keys:
        return Cipher(tuple(key.get_secret_value() for key in settings.encryption_keys))
    if not settings.is_embedded:
        raise ConfigurationError(
            "OPENFAITH_ENCRYPTION_KEYS is not set, and DB_* is: make a key with"
            " `python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'`"
            " and keep it for every machine that uses this database"
        )
    return Cipher((_kept_key(settings),))


def _kept_key(settings: Settings) -> str:
    path = settings.home / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"the key file {path} cannot be used: {error.strerror}") from error
    try:
        Fernet(key)
    except ValueError:
        raise ConfigurationError(
            f"the key file {path} is damaged: restore it, or delete it and add each org again"
        ) from None
    return key


def _make_key(path: Path) -> None:
    """Create the file atomically; if another process is faster, its key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key())
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
