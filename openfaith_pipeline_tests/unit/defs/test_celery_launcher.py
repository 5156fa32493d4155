"""The launcher that sends runs to the broker."""

import pytest

from openfaith_pipeline.defs import celery_launcher
from openfaith_pipeline.defs.celery_launcher import LeaseCeleryRunLauncher


def test_the_broker_is_that_of_the_settings_unless_dagster_yaml_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_launcher, "declare_queue", lambda _: None)
    monkeypatch.setenv("OPENFAITH_CELERY_BROKER", "redis://ours:6379/0")

    assert LeaseCeleryRunLauncher().broker == "redis://ours:6379/0"
    assert LeaseCeleryRunLauncher("redis://theirs:6379/0").broker == "redis://theirs:6379/0"
