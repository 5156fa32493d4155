"""The settings as one frozen object, and the environment: nothing else in the package reads `os.environ`."""

import base64
import binascii
import os
import re
from collections.abc import Collection
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.home import find_home
from openfaith_pipeline.settings_places import (
    CONFIG_FILE,
    ENV_FILE,
    PREFIX,
    merged,
    names_holding,
    names_of,
    read_places,
    refusal_in_words,
    variables_for_children,
)
from openfaith_pipeline.text.urls import HttpUrl, parse_http_url

_ADDRESS = r"^[^@\s<>,]+@[^@\s<>,]+$"
_READ_ELSEWHERE: Final = frozenset(
    {"OPENFAITH_CODE_SERVER_HOST", "OPENFAITH_CODE_SERVER_PORT", "OPENFAITH_DATABASE_URL"}
)
"""Variables that are no settings: two are for our workspace.yaml, one is for the `defs.yaml` of another Dagster."""


_OF_OTHERS: Final = re.compile(
    r"(HTTPS?|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|OTEL_\w+|PGSSL\w+|PGCHANNELBINDING|PGREQUIREAUTH|PGGSSENCMODE"
)
"""Variables that libraries read, which `.env` may have too."""


class Settings(BaseSettings):
    """Everything that can be set from outside; the README and `docs/settings.md` explain each variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    home: Path = Field(default_factory=find_home, validation_alias="OPENFAITH_HOME")
    db_host: str | None = Field(default=None, validation_alias="DB_HOST_PRIMARY")
    db_port: int = Field(default=5432, ge=1, le=65535, validation_alias="DB_PORT")
    db_name: str | None = Field(default=None, validation_alias="DB_NAME")
    db_username: str | None = Field(default=None, validation_alias="DB_USERNAME")
    db_password: SecretStr | None = Field(default=None, validation_alias="DB_PASSWORD")
    postgres_bin: Path | None = Field(default=None, validation_alias="OPENFAITH_POSTGRES_BIN")
    postgres_user: str = Field(default="nobody", validation_alias="OPENFAITH_POSTGRES_USER")
    canonical_schema: str = Field(
        default="public", pattern=r"^[a-z_][a-z0-9_]{0,62}$", validation_alias="OPENFAITH_SCHEMA"
    )
    views_schema: str = Field(
        default="openfaith", pattern=r"^[a-z_][a-z0-9_]{0,62}$", validation_alias="OPENFAITH_VIEWS_SCHEMA"
    )
    # Read by the source alone, and named after it.
    pco_api_url: HttpUrl | None = Field(default=None, validation_alias="PCO_API_URL")
    pco_client_id: str | None = Field(default=None, validation_alias="PLANNING_CENTER_CLIENT_ID")
    pco_client_secret: SecretStr | None = Field(default=None, validation_alias="PLANNING_CENTER_SECRET")
    pco_scopes: Annotated[tuple[str, ...], NoDecode] = Field(default=(), validation_alias="PLANNING_CENTER_SCOPES")
    pco_connections: int = Field(default=128, ge=1, le=1024, validation_alias="OPENFAITH_PCO_CONNECTIONS")
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), validation_alias="OPENFAITH_ENCRYPTION_KEYS"
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(default=(), validation_alias="OPENFAITH_API_KEYS")
    public_url: HttpUrl | None = Field(default=None, validation_alias="OPENFAITH_PUBLIC_URL")
    operator: str | None = Field(default=None, max_length=200, validation_alias="OPENFAITH_OPERATOR")
    requests_per_minute: int = Field(default=600, ge=1, validation_alias="OPENFAITH_REQUESTS_PER_MINUTE")
    slack_webhook: SecretStr | None = Field(default=None, validation_alias="OPENFAITH_SLACK_WEBHOOK")
    alert_email: Annotated[tuple[str, ...], NoDecode] = Field(default=(), validation_alias="OPENFAITH_ALERT_EMAIL")
    alert_urls: Annotated[tuple[SecretStr, ...], NoDecode] = Field(default=(), validation_alias="OPENFAITH_ALERT_URLS")
    smtp_host: str | None = Field(default=None, validation_alias="OPENFAITH_SMTP_HOST")
    smtp_port: int = Field(default=587, ge=1, le=65535, validation_alias="OPENFAITH_SMTP_PORT")
    smtp_security: Literal["starttls", "ssl", "none"] = Field(
        default="starttls", validation_alias="OPENFAITH_SMTP_SECURITY"
    )
    smtp_username: str | None = Field(default=None, validation_alias="OPENFAITH_SMTP_USERNAME")
    smtp_password: SecretStr | None = Field(default=None, validation_alias="OPENFAITH_SMTP_PASSWORD")
    smtp_from: str | None = Field(default=None, pattern=_ADDRESS, validation_alias="OPENFAITH_SMTP_FROM")
    freshness_hours: float = Field(default=24, gt=0, le=8760, validation_alias="OPENFAITH_FRESHNESS_HOURS")
    conflicts_waiting: int = Field(default=20, ge=0, le=1_000_000, validation_alias="OPENFAITH_CONFLICTS_WAITING")
    journal_days: int = Field(default=400, ge=1, le=36500, validation_alias="OPENFAITH_JOURNAL_DAYS")
    deleted_days: int = Field(default=0, ge=0, le=36500, validation_alias="OPENFAITH_DELETED_DAYS")
    runs_days: int = Field(default=30, ge=1, le=36500, validation_alias="OPENFAITH_RUNS_DAYS")
    verify_nights: int = Field(default=7, ge=0, le=365, validation_alias="OPENFAITH_VERIFY_NIGHTS")
    abandoned_hours: int = Field(default=24, ge=12, le=8760, validation_alias="OPENFAITH_ABANDONED_HOURS")
    undo_canceled: bool = Field(default=True, validation_alias="OPENFAITH_UNDO_CANCELED")
    celery_broker: SecretStr | None = Field(default=None, validation_alias="OPENFAITH_CELERY_BROKER")
    listen: str = Field(default="127.0.0.1", pattern=r"^[^\s/@?#]+$", validation_alias="OPENFAITH_LISTEN")
    runs_at_once: int | None = Field(default=None, ge=1, le=1000, validation_alias="OPENFAITH_RUNS_AT_ONCE")
    sweeps_at_once: int = Field(default=1, ge=1, le=64, validation_alias="OPENFAITH_SWEEPS")
    otlp_endpoint: HttpUrl = Field(default="http://localhost:4318", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    dagster_home_override: Path | None = Field(default=None, validation_alias="DAGSTER_HOME")
    dagster_config: Path | None = Field(default=None, validation_alias="OPENFAITH_DAGSTER_CONFIG")
    dagster_hosts: Annotated[tuple[str, ...], NoDecode] = Field(default=(), validation_alias="OPENFAITH_DAGSTER_HOSTS")
    dagster_url: HttpUrl | None = Field(default=None, validation_alias="OPENFAITH_DAGSTER_URL")
    dagster_pg_url: SecretStr | None = Field(default=None, validation_alias="OPENFAITH_DAGSTER_PG_URL")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's, the places are ours
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # By the documented names only: by the names of our fields, `home` would be read from HOME.
        names, found = names_of(settings_cls), merged(read_places(settings_cls))
        return init_settings, InitSettingsSource(settings_cls, {name: found[name] for name in names & found.keys()})

    @field_validator("home", "dagster_home_override", "dagster_config", "postgres_bin")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser().absolute() if value else None
        except RuntimeError:
            raise ValueError("begins with ~ and the name of a user that there is not") from None

    @field_validator("encryption_keys", "api_keys", "alert_email", "pco_scopes", "dagster_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("encryption_keys")
    @classmethod
    def _thirty_two_bytes(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, key in enumerate(value, start=1):
            try:
                size = len(base64.urlsafe_b64decode(key.get_secret_value()))
            except (binascii.Error, ValueError):
                size = 0
            if size != 32:
                raise ValueError(f"key {number} is not 32 bytes in URL-safe base64")
        return value

    @field_validator("slack_webhook")
    @classmethod
    def _is_webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            return SecretStr(parse_http_url(value.get_secret_value(), may_have_query=True))
        except ValueError as error:
            raise ValueError(f"as the URL of an incoming webhook, {error}") from None

    @field_validator("celery_broker", "dagster_pg_url")
    @classmethod
    def _is_url(cls, value: SecretStr | None) -> SecretStr | None:
        url = value.get_secret_value().strip() if value else ""
        if value and not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", url):
            raise ValueError("must be a URL, scheme://..., without blanks in it")
        return SecretStr(url) if value else None

    @field_validator("db_host", "smtp_host", mode="before")
    @classmethod
    def _is_host(cls, value: Any) -> Any:
        host = value.strip() if isinstance(value, str) else value
        if isinstance(host, str) and not re.fullmatch(r"/.*|[^\s/@?#]+", host):
            raise ValueError("must be the name or address of a host, or the directory of a socket")
        return host

    @field_validator("alert_email")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, address in enumerate(value, start=1):
            if not re.fullmatch(_ADDRESS, address):
                raise ValueError(f"number {number} is not an e-mail address")
        return value

    @field_validator("alert_urls", mode="before")
    @classmethod
    def _split_at_blanks(cls, value: Any) -> Any:
        return tuple(value.split()) if isinstance(value, str) else value  # a comma may be a part of a URL

    @field_validator("alert_urls")
    @classmethod
    def _service_urls(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, url in enumerate(value, start=1):
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*://\S+", url.get_secret_value()):
                raise ValueError(f"number {number} is not a URL, scheme://...; separate several by blanks")
        return value

    @field_validator("dagster_hosts")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, name in enumerate(value, start=1):
            if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
                raise ValueError(f"number {number} is not a host name; leave out the scheme, the port and the path")
        return value

    @model_validator(mode="after")
    def _whole_mail(self) -> "Settings":
        if bool(self.alert_email) != bool(self.smtp_host):
            raise ValueError("set both OPENFAITH_ALERT_EMAIL and OPENFAITH_SMTP_HOST, or neither")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("set both OPENFAITH_SMTP_USERNAME and OPENFAITH_SMTP_PASSWORD, or neither")
        return self

    @model_validator(mode="after")
    def _whole_database(self) -> "Settings":
        parts = {
            "DB_HOST_PRIMARY": self.db_host,
            "DB_NAME": self.db_name,
            "DB_USERNAME": self.db_username,
            "DB_PASSWORD": self.db_password,
        }
        missing = [name for name, value in parts.items() if value is None]
        if missing and len(missing) < len(parts):
            raise ValueError(f"set {', '.join(missing)} too, or none of {', '.join(parts)} for the embedded Postgres")
        return self

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded Postgres under `home` is used rather than the one named by `DB_*`."""
        return self.db_host is None

    def run_url(self, run_id: str | None) -> str | None:
        """The run's page in Dagster's UI, if the UI's address is known."""
        return f"{self.dagster_url.rstrip('/')}/runs/{run_id}" if self.dagster_url and run_id else None

    @property
    def dagster_home(self) -> Path:
        return self.dagster_home_override or self.home / "dagster"


def load_settings() -> Settings:
    """Read the settings; raise ConfigurationError naming each that is wrong and its file, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(refusal_in_words(error, Settings)) from None


def unknown_variables() -> dict[str, str | None]:
    """Variables that are named like settings and that nothing reads, each with the most similar one that is read.

    A file that cannot be read is passed by: reading the settings reports it.
    """
    known = _READ_ELSEWHERE | names_of(Settings)
    in_environment = known | {ENV_FILE, CONFIG_FILE}
    unknown = {name: name for name in sorted(os.environ) if name.startswith(PREFIX) and name not in in_environment}
    with suppress(ConfigurationError):
        for place in read_places(Settings)[1:]:
            unknown |= {f"{name} in {place}": name for name in sorted(place.ours) if name.upper() not in known}
    return {shown: _likeliest(name, in_environment if shown == name else known) for shown, name in unknown.items()}


def _likeliest(name: str, known: Collection[str]) -> str | None:
    meant = {each.removeprefix(PREFIX): each for each in known}
    near = get_close_matches(name.upper().removeprefix(PREFIX), meant, n=1)
    return meant[near[0]] if near else None


def files_with_secrets() -> list[Path]:
    """The `.env` and `openfaith.toml` in use, of those that have a password, a key or the like."""
    secrets = names_holding(Settings, SecretStr)
    places = read_places(Settings)
    return [place.path for place in places if place.path and place.is_file and secrets & place.values.keys()]


def use_variables_of_others() -> None:
    """Put the variables that libraries read from `.env` into this process's environment, unless it has them.

    A file that cannot be read is passed by: reading the settings reports it.
    """
    with suppress(ConfigurationError):
        for name, value in merged(read_places(Settings)[1:]).items():
            if _OF_OTHERS.fullmatch(name) and name not in names_of(Settings) and shared_variable(name) is None:
                os.environ[name] = value


def shared_variable(name: str) -> tuple[str, str] | None:
    """The name and value of a variable that other programs read too, such as `HTTPS_PROXY`.

    The name in small letters takes precedence. None if neither is set, or it is empty.
    """
    for found in (name.lower(), name):
        value = os.environ.get(found, "").strip()
        if value:
            return found, value
    return None


def forget_variables(names: Collection[str]) -> None:
    """Take variables out of this process's environment, for libraries that would read them."""
    for name in names:
        os.environ.pop(name, None)


def own_environment() -> dict[str, str]:
    """This process's environment as it is."""
    return dict(os.environ)


def environment_with(**variables: str) -> dict[str, str]:
    """This process's environment plus `variables`, for starting a child process.

    Settings from `.env` and `openfaith.toml` are in it, so that a child has the same ones wherever it starts and
    whatever is written into the files meanwhile. Secrets stay in their directory, and a child reads them there.
    """
    return {**os.environ, **variables_for_children(Settings), **variables}
