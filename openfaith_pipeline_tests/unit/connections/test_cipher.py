"""Keys: given, generated, rotated, missing and damaged."""

import base64
import os
import stat
from pathlib import Path

import pytest

from openfaith_pipeline.connections.cipher import KEY_FILE, Cipher, cipher_from
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import Settings


def _key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def test_a_new_key_in_front_still_decrypts_values_of_the_old_one() -> None:
    old, new = _key(), _key()
    sealed = Cipher((old,)).encrypt(b"planted")
    assert Cipher((new, old)).decrypt(sealed) == b"planted"
    with pytest.raises(ConfigurationError, match="OPENFAITH_ENCRYPTION_KEYS"):
        Cipher((new,)).decrypt(sealed)


def test_the_newest_key_is_the_one_that_closes() -> None:
    old, new = _key(), _key()
    sealed = Cipher((new, old)).encrypt(b"planted")
    assert Cipher((new,)).decrypt(sealed) == b"planted"


def test_embedded_without_keys_makes_a_private_key_file_once(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    sealed = cipher_from(settings).encrypt(b"planted")
    assert cipher_from(settings).decrypt(sealed) == b"planted"
    assert stat.S_IMODE((settings.home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in settings.home.iterdir()] == [KEY_FILE]


def test_a_configured_database_needs_configured_keys(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, db_host="h", db_name="n", db_username="u", db_password="p")
    with pytest.raises(ConfigurationError, match="OPENFAITH_ENCRYPTION_KEYS"):
        cipher_from(settings)
    assert not (tmp_path / KEY_FILE).exists()


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("half a k")
    with pytest.raises(ConfigurationError, match=r"encryption\.key is damaged"):
        cipher_from(Settings(home=tmp_path))


def test_a_home_that_cannot_hold_the_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=KEY_FILE):
        cipher_from(Settings(home=tmp_path / "file"))
