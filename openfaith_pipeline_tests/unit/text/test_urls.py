"""URLs from outside are normalized, or refused without repeating their content."""

import pytest

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.planning_center.transport import parse_url
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.text.urls import parse_http_url

URL_SETTINGS = ("PCO_API_URL", "OPENFAITH_PUBLIC_URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OPENFAITH_SLACK_WEBHOOK")
REFUSED = (
    "http://pl4nted host",
    "http://pl4nted\u202ehost",
    "http://pl4nted\x00",
    "http://user:pl4nted@host",
    "http://pl4nted:99999",
    "http://pl4nted:0",
    "http://pl4nted:",
    "http://[pl4nted]",
    "http://[::1",
    "http://pl4nted#x",
    "http://pl4nted\\x",
    "http://-pl4nted-",
    "http://pl4nted..example",
    "http:///pl4nted",
    "ftp://pl4nted",
    "pl4nted",
)


@pytest.mark.parametrize(
    ("given", "normalized"),
    [
        ("http://host ", "http://host"),
        ("\tHTTPS://Sync.Example.ORG:443/", "https://sync.example.org"),
        ("http://127.0.0.1:8080/api/", "http://127.0.0.1:8080/api"),
        ("http://[0:0::1]:80", "http://[::1]"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
    ],
)
def test_a_url_has_one_form(given: str, normalized: str) -> None:
    assert parse_http_url(given) == normalized
    assert str(parse_url(given)).rstrip("/") == normalized


@pytest.mark.parametrize("given", REFUSED)
def test_a_text_that_cannot_be_a_url_is_refused_and_not_repeated(given: str) -> None:
    for read in (parse_http_url, parse_url):
        with pytest.raises((ValueError, ConfigurationError)) as refused:
            read(given)
        assert "pl4nted" not in str(refused.value)


@pytest.mark.parametrize("name", URL_SETTINGS)
@pytest.mark.parametrize(
    "given", ["http://pl4nted host", "http://user:pl4nted@host", "http://pl4nted:99999", "pl4nted"]
)
def test_every_setting_that_is_a_url_is_checked(name: str, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, given)
    with pytest.raises(ConfigurationError, match=name) as refused:
        load_settings()

    assert "pl4nted" not in str(refused.value)


def test_settings_have_the_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in URL_SETTINGS:
        monkeypatch.setenv(name, " HTTP://Host.example/ ")
    monkeypatch.setenv("OPENFAITH_CELERY_BROKER", " redis://host:6379/0 ")
    settings = load_settings()

    assert settings.slack_webhook
    found = {
        settings.pco_api_url,
        settings.public_url,
        settings.otlp_endpoint,
        settings.slack_webhook.get_secret_value(),
    }
    assert found == {"http://host.example"}
    assert settings.celery_broker
    assert settings.celery_broker.get_secret_value() == "redis://host:6379/0"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("OPENFAITH_CELERY_BROKER", "redis://pl4nted host"),
        ("OPENFAITH_DAGSTER_PG_URL", "pl4nted"),
        ("DB_HOST_PRIMARY", "pl4nted?sslmode=disable"),
        ("OPENFAITH_SMTP_HOST", "pl4nted host"),
    ],
)
def test_other_addresses_are_checked_too(name: str, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, given)
    with pytest.raises(ConfigurationError, match=name) as refused:
        load_settings()

    assert "pl4nted" not in str(refused.value)
