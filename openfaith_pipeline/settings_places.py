"""The places that settings come from: the environment, `.env`, `openfaith.toml` and a directory of secrets.

Each is read by pydantic-settings. A name in any of them is that of the variable, in capitals or small letters.
"""

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final, get_args

from dotenv.parser import parse_stream
from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SecretsSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.home import find_file

PREFIX: Final = "OPENFAITH_"
ENV_FILE: Final = "OPENFAITH_ENV_FILE"
CONFIG_FILE: Final = "OPENFAITH_CONFIG_FILE"
SECRETS_DIR: Final = "OPENFAITH_SECRETS_DIR"
NONE: Final = os.devnull
"""The value of these three for no such place."""

_USUAL_SECRETS: Final = Path("/run/secrets")
_ENCODING: Final = "utf-8-sig"  # editors of Windows begin a file with a byte order mark
_BY_BLANKS: Final = "OPENFAITH_ALERT_URLS"


@dataclass(frozen=True)
class Place:
    """One place: the variables in it by their names in capitals, and its path, None for the environment.

    ours: the names in it, as they are written, that are meant as settings.
    """

    path: Path | None
    values: Mapping[str, str] = field(repr=False)
    ours: Collection[str] = ()
    is_file: bool = False

    def __str__(self) -> str:
        return str(self.path) if self.path else "the environment"


def read_places(settings: type[BaseSettings]) -> list[Place]:
    """The places in use, those that win first. ConfigurationError if one of them cannot be read."""
    environment = Place(None, _in_capitals(EnvSettingsSource(settings).env_vars))
    places = [environment]
    if env_file := _chosen(environment, ENV_FILE, ".env"):
        places.append(_env_file(settings, env_file))
    if config_file := _chosen(environment, CONFIG_FILE, "openfaith.toml"):
        places.append(_config_file(settings, config_file))
    secrets = _secrets_directory(merged(places).get(SECRETS_DIR))
    return [*places, _secrets(settings, secrets)] if secrets else places


def merged(places: Sequence[Place]) -> dict[str, str]:
    """The variables of all places, each from the first that has it."""
    return {name: value for place in reversed(places) for name, value in place.values.items()}


def names_of(settings: type[BaseSettings]) -> frozenset[str]:
    """The variables that may be in every place."""
    return frozenset(str(each.validation_alias) for each in settings.model_fields.values()) | {SECRETS_DIR}


def names_holding(settings: type[BaseSettings], kind: type[Any]) -> frozenset[str]:
    """The variables for a value, or values, of this type."""
    fields = settings.model_fields.values()
    return frozenset(
        str(each.validation_alias) for each in fields if kind in (each.annotation, *get_args(each.annotation))
    )


def variables_for_children(settings: type[BaseSettings]) -> dict[str, str]:
    """The variables by which a child has our settings wherever it starts, other than those of our environment."""
    environment, *others = read_places(settings)
    files = merged([place for place in others if place.is_file])
    found = {name: files[name] for name in files.keys() & names_of(settings) - environment.values.keys()}
    # A path that is relative to our directory is another one in theirs.
    ours = {name: environment.values[name] for name in names_holding(settings, Path) & environment.values.keys()}
    paths = {name: str(Path(value).absolute()) for name, value in ours.items() if not value.startswith("~")}
    directory = next((str(place) for place in others if not place.is_file), NONE)
    return {**found, **paths, ENV_FILE: NONE, CONFIG_FILE: NONE, SECRETS_DIR: directory}


def refusal_in_words(error: ValidationError, settings: type[BaseSettings]) -> str:
    """Which variables are wrong, with the files that they are in; no value is repeated."""
    names = names_of(settings) - {SECRETS_DIR}
    places = [place for place in read_places(settings) if place.values.keys() & names]
    is_of_environment = all(place.path is None for place in places)
    problems = []
    for detail in error.errors(include_input=False, include_url=False):
        problem = ": ".join([*map(str, detail["loc"][1:]), detail["msg"].removeprefix("Value error, ")])
        if detail["loc"]:
            problems.append(f"{_with_file(str(detail['loc'][0]), places)}: {problem}")
        elif is_of_environment:
            problems.append(problem)
        else:
            problems.append(f"{problem}; those that are set are in {' and '.join(map(str, places))}")
    return f"the {'environment is' if is_of_environment else 'settings are'} not usable: {'; '.join(problems)}"


def _with_file(name: str, places: Sequence[Place]) -> str:
    place = next((place for place in places if name in place.values), None)
    return f"{name} in {place}" if place and place.path else name


def _env_file(settings: type[BaseSettings], path: Path) -> Place:
    for line in parse_stream(StringIO(_text(path, ENV_FILE))):
        if line.error:
            raise ConfigurationError(
                f"{path}, line {line.original.line}, is not NAME='value': mend it, or {_other(ENV_FILE)}"
            )
    values = _in_capitals(DotEnvSettingsSource(settings, path, _ENCODING).env_vars)
    return Place(
        path, _anchored(settings, path, values), [name for name in values if name.startswith(PREFIX)], is_file=True
    )


def _config_file(settings: type[BaseSettings], path: Path) -> Place:
    _text(path, CONFIG_FILE)
    try:
        found = TomlConfigSettingsSource(settings, path).toml_data
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}; texts are in quotes: NAME = 'value'") from None
    known = {name.upper(): value for name, value in found.items() if name.upper() in names_of(settings)}
    values = {name: text for name, value in known.items() if (text := _as_text(path, name, value))}
    return Place(path, _anchored(settings, path, values), list(found), is_file=True)


def _secrets(settings: type[BaseSettings], directory: Path) -> Place:
    names, ours = names_of(settings) - {SECRETS_DIR}, []
    for file in _files_in(directory):
        if file.name.upper() in names:
            _text(file, SECRETS_DIR)
            if directory.resolve() not in file.resolve().parents:
                raise ConfigurationError(f"{file} leads out of {directory}, and is not followed: put the secret there")
        if file.name.upper().startswith(PREFIX):
            ours.append(file.name)
    try:
        found = SecretsSettingsSource(settings, directory)()
    except SettingsError as error:
        raise ConfigurationError(f"{directory} cannot be read: {error}") from None
    return Place(directory, {name: value for name, value in found.items() if value}, ours)


def _files_in(directory: Path) -> Iterator[Path]:
    try:
        yield from sorted(directory.iterdir())
    except OSError as error:
        raise ConfigurationError(
            f"{SECRETS_DIR} is {directory}, which cannot be read: {error.strerror}; mount the secrets there, or unset"
            f" {SECRETS_DIR}"
        ) from None


def _chosen(environment: Place, variable: str, usual: str) -> Path | None:
    named = environment.values.get(variable)
    return _place_at(named) if named else find_file(usual)


def _secrets_directory(named: str | None) -> Path | None:
    if named is None:
        return _USUAL_SECRETS if os.access(_USUAL_SECRETS, os.R_OK | os.X_OK) else None
    return _place_at(named)


def _place_at(named: str) -> Path | None:
    return None if named == NONE else _path(named)


def _path(named: str) -> Path:
    with suppress(RuntimeError):  # the home of a user that there is not
        return Path(named).expanduser().absolute()
    return Path(named).absolute()


def _text(path: Path, variable: str) -> str:
    """The text of a file that is read in full before pydantic does, which would not name it in its errors."""
    reason: str | None = "it is a pipe"
    try:
        if not path.is_fifo():
            reason = "it is not UTF-8"
            text = path.read_text(_ENCODING)
            if "\0" not in text:  # as in UTF-16, and in no variable
                return text
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError:
        pass
    raise ConfigurationError(f"{path} cannot be read: {reason}; mend that, or {_other(variable)}")


def _other(variable: str) -> str:
    return f"name another by {variable} ({NONE} for none)"


def _in_capitals(variables: Mapping[str, str | None]) -> dict[str, str]:
    return {name.upper(): value for name, value in variables.items() if value}


def _anchored(settings: type[BaseSettings], file: Path, values: Mapping[str, str]) -> dict[str, str]:
    """The values, with paths that are relative to the file's directory in full."""
    paths = names_holding(settings, Path) | {SECRETS_DIR}
    return {
        name: str(file.parent / value) if name in paths and not value.startswith("~") else value
        for name, value in values.items()
    }


def _as_text(path: Path, name: str, value: Any) -> str:
    """The value as a variable would have it."""
    if isinstance(value, list):
        return (" " if name == _BY_BLANKS else ",").join(_as_text(path, name, each) for each in value)
    if isinstance(value, str | int | float) and "\0" not in str(value):
        return str(value)
    raise ConfigurationError(f"{name} in {path} must be a text, a number, true, false or a list of texts")
