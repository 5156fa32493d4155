"""The environment as it is read: by the documented names, and refused with a name and without a value."""

from pathlib import Path

import pytest

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.home import find_home
from openfaith_pipeline.settings import Settings, load_settings

KEY = "b3BlbmZhaXRoLXRlc3RzLW1hZGUtdXAta2V5LTMyLWI="


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


def test_nothing_has_to_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/somewhere/else")
    settings = load_settings()

    assert settings.home == find_home()
    assert settings.dagster_home == find_home() / "dagster"
    assert settings.is_embedded


def test_a_variable_is_read_by_its_documented_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        if name.upper() not in {str(field.validation_alias) for field in Settings.model_fields.values()}:
            monkeypatch.setenv(name.upper(), "not to be read")
    expected = Settings(home=find_home())

    assert load_settings() == expected


def test_keys_are_taken_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFAITH_ENCRYPTION_KEYS", f"{KEY}, {'A' * 43}=")

    assert [key.get_secret_value() for key in load_settings().encryption_keys] == [KEY, "A" * 43 + "="]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("OPENFAITH_ENCRYPTION_KEYS", f"{KEY},c2hvcnQ=", "key 2 is not 32 bytes"),
        ("DB_PORT", "often", "DB_PORT"),
        ("DB_PORT", "70000", "DB_PORT"),
        ("DB_HOST_PRIMARY", "db.example.org", "set DB_NAME, DB_USERNAME, DB_PASSWORD too"),
        ("PCO_API_URL", "ftp://secret-place", "PCO_API_URL"),
        ("OPENFAITH_SLACK_WEBHOOK", "hooks.example.org/T0/secret", "incoming webhook"),
        ("OPENFAITH_ALERT_EMAIL", "ops@example.org, everybody", "number 2 is not an e-mail address"),
        ("OPENFAITH_ALERT_EMAIL", "ops@example.org", "set both OPENFAITH_ALERT_EMAIL and OPENFAITH_SMTP_HOST"),
        ("OPENFAITH_SMTP_PASSWORD", "pl4nted", "set both OPENFAITH_SMTP_USERNAME and OPENFAITH_SMTP_PASSWORD"),
        ("OPENFAITH_SMTP_SECURITY", "perhaps", "OPENFAITH_SMTP_SECURITY"),
        ("OPENFAITH_SMTP_FROM", "Ops <ops@example.org>", "OPENFAITH_SMTP_FROM"),
        ("OPENFAITH_FRESHNESS_HOURS", "-1.5", "OPENFAITH_FRESHNESS_HOURS"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_not_repeated(
    name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="the environment is not usable") as refused:
        load_settings()

    assert reason in str(refused.value)
    assert value not in str(refused.value)


def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_HOST_PRIMARY", "")

    assert load_settings().is_embedded
