"""Settings from `.env`, `openfaith.toml` and a directory of secrets: where they are found, which wins, bad ones."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfaith_pipeline.doctor.installation import examine_home
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.home import users_home
from openfaith_pipeline.settings import (
    Settings,
    environment_with,
    load_settings,
    own_environment,
    unknown_variables,
    use_variables_of_others,
)
from openfaith_pipeline.settings_places import CONFIG_FILE, ENV_FILE, NONE, SECRETS_DIR

SECRET = "pl4nted"
DATABASE = {"DB_HOST_PRIMARY": "db", "DB_NAME": "x", "DB_USERNAME": "x", "DB_PASSWORD": SECRET}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, below which and above which nothing is; files are looked for, a directory is not."""
    directory = tmp_path / "above" / "here"
    directory.mkdir(parents=True)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv(ENV_FILE)
    monkeypatch.delenv(CONFIG_FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("openfaith_pipeline.settings_places._USUAL_SECRETS", tmp_path / "run")
        yield directory


def lines(**values: str) -> str:
    return "".join(f"{name}='{value}'\n" for name, value in values.items())


def place_of(kind: str, directory: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put one setting, DB_PORT or DB_NAME, into a place of this kind."""
    if kind != SECRETS_DIR:
        (directory / kind).write_text(text)
        return directory / kind
    name, _, value = text.partition("=")
    (directory / "secrets").mkdir()
    (directory / "secrets" / name).write_text(value.strip("'\n"))
    monkeypatch.setenv(SECRETS_DIR, "secrets")
    return directory / "secrets"


def test_the_environment_wins_and_a_secret_comes_last(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRETS_DIR)
    (tmp_path / "run").mkdir()
    for name in ("OPENFAITH_OPERATOR", "DB_PORT", "OPENFAITH_SWEEPS", "OPENFAITH_RUNS_DAYS"):
        (tmp_path / "run" / name).write_text("5\n")
    (here / "openfaith.toml").write_text("OPENFAITH_OPERATOR = '6'\nDB_PORT = 6\nOPENFAITH_SWEEPS = 6\n")
    (here / ".env").write_text(lines(OPENFAITH_OPERATOR="7", DB_PORT="7"))
    monkeypatch.setenv("OPENFAITH_OPERATOR", "8")
    settings = load_settings()

    found = settings.operator, settings.db_port, settings.sweeps_at_once, settings.runs_days, settings.journal_days
    assert found == ("8", 7, 6, 5, 400)


def test_the_nearest_file_is_found_here_above_or_where_the_users_home_is(here: Path) -> None:
    users_home().mkdir(parents=True)
    (users_home() / ".env").write_text("DB_PORT=1\n")
    assert load_settings().db_port == 1
    (here.parent / ".env").write_text("DB_PORT=2\n")
    (here / ".env").mkdir()  # as a virtual environment may be named
    assert load_settings().db_port == 2
    (here / ".env").rmdir()
    (here / ".env").write_text("DB_PORT=3\n")
    assert load_settings().db_port == 3


def test_a_removed_working_directory_has_no_files(here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENFAITH_HOME", str(tmp_path))
    here.rmdir()

    assert load_settings().home == tmp_path


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_strangers_file_above_is_passed_by(here: Path) -> None:
    (here.parent / "openfaith.toml").write_text("DB_PORT = 2\n")
    os.chown(here.parent / "openfaith.toml", 65534, 65534)

    assert load_settings().db_port == 5432


def test_files_are_named_or_switched_off_by_variables(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".env").write_text("DB_PORT=1\nOPENFAITH_SECRETS_DIR=sub\n")
    (here / "sub").mkdir()
    (here / "sub" / "openfaith_operator").write_text("  us\n\n")
    (tmp_path / "other.toml").write_text("OPENFAITH_SWEEPS = 2\n")
    monkeypatch.setenv(CONFIG_FILE, "../../other.toml")
    monkeypatch.delenv(SECRETS_DIR)
    settings = load_settings()
    assert (settings.db_port, settings.sweeps_at_once, settings.operator) == (1, 2, "us")

    monkeypatch.setenv(ENV_FILE, NONE)
    assert (load_settings().db_port, load_settings().operator) == (5432, None)


def test_toml_has_numbers_truth_and_lists_and_names_in_small_letters(here: Path) -> None:
    (here / "openfaith.toml").write_text(
        "db_port = 1\nOPENFAITH_FRESHNESS_HOURS = 1.5\nopenfaith_undo_canceled = false\ndb_name = ''\n"
        "OPENFAITH_API_KEYS = ['a', 'b']\nOPENFAITH_ALERT_URLS = ['ntfy://a,b', 'tgram://c']\n"
    )
    settings = load_settings()

    assert (settings.db_port, settings.freshness_hours, settings.undo_canceled) == (1, 1.5, False)
    assert [key.get_secret_value() for key in settings.api_keys] == ["a", "b"]
    assert [url.get_secret_value() for url in settings.alert_urls] == ["ntfy://a,b", "tgram://c"]


@pytest.mark.parametrize(("file", "text"), [(".env", "OPENFAITH_HOME=data"), ("openfaith.toml", "DAGSTER_HOME='data'")])
def test_a_path_in_a_file_begins_there(file: str, text: str, here: Path) -> None:
    (here.parent / file).write_text(text)
    settings = load_settings()

    assert here.parent / "data" in {settings.home, settings.dagster_home}


def test_a_field_is_read_by_its_documented_name_only(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".env").write_text("HOME=/wrong\nLISTEN=wrong\n")
    (here / "openfaith.toml").write_text("home = '/wrong'\nlisten = 'wrong'\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "listen").write_text("wrong")
    monkeypatch.delenv(SECRETS_DIR)

    assert load_settings() == Settings(home=users_home())


@pytest.mark.parametrize(
    ("kind", "text"), [(".env", f"DB_PORT={SECRET}"), ("openfaith.toml", f"DB_PORT = '{SECRET}'"), (SECRETS_DIR, "")]
)
def test_a_wrong_value_is_refused_by_file_and_name_and_not_repeated(
    kind: str, text: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(kind, here, text or f"DB_PORT={SECRET}", monkeypatch)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()

    assert f"DB_PORT in {place}: " in str(refused.value)
    assert SECRET not in str(refused.value)


def test_half_a_database_is_refused_with_the_places_of_the_other_half(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".env").write_text(f"DB_PASSWORD={SECRET}\n")
    monkeypatch.setenv("DB_PORT", "1")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()

    assert "set DB_HOST_PRIMARY, DB_NAME, DB_USERNAME too" in str(refused.value)
    assert str(refused.value).endswith(f"are in the environment and {here / '.env'}")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        (".env", b"# fine\nDB_PASSWORD='pl4nted\n", "line 2, is not NAME='value'"),
        (".env", b"DB_PASSWORD=pl4nted\xff", "not UTF-8"),
        (".env", b"DB_PASSWORD=pl4nted\0", "not UTF-8"),
        (".env", "DB_PASSWORD=pl4nted".encode("utf-16"), "not UTF-8"),
        ("openfaith.toml", b"DB_NAME = 'x'\nDB_PASSWORD = pl4nted\n", "at line 2, column 15"),
        ("openfaith.toml", b"DB_PASSWORD = 'pl4nted\xff'", "not UTF-8"),
        ("openfaith.toml", b"DB_PASSWORD = { is = 'pl4nted' }", "DB_PASSWORD in "),
        ("openfaith.toml", b'DB_PASSWORD = "pl4nted\\u0000"', "DB_PASSWORD in "),
    ],
)
def test_a_bad_file_is_refused_by_name_with_the_place_in_it(file: str, content: bytes, reason: str, here: Path) -> None:
    (here / file).write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()

    assert str(here / file) in str(refused.value)
    assert reason in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("variable", [ENV_FILE, CONFIG_FILE, SECRETS_DIR])
def test_a_named_place_that_is_not_there_is_refused(variable: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "gone")
    with pytest.raises(ConfigurationError, match=f"{here / 'gone'}.* cannot be read: No such file.*{variable}"):
        load_settings()


@pytest.mark.parametrize(
    ("kind", "text"), [(".env", "DB_NAME="), ("openfaith.toml", "DB_NAME = ''"), (SECRETS_DIR, "DB_NAME=\n")]
)
def test_an_empty_value_counts_as_unset(kind: str, text: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place_of(kind, here, text, monkeypatch)

    assert load_settings().db_name is None


def test_a_pipe_is_refused_since_it_could_be_read_once_only(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(here / "pipe")
    monkeypatch.setenv(ENV_FILE, "pipe")
    with pytest.raises(ConfigurationError, match="it is a pipe"):
        load_settings()


def test_a_secret_is_read_as_kubernetes_mounts_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "secrets" / "..2026").mkdir(parents=True)
    (here / "secrets" / "..data").symlink_to("..2026")
    for name, value in DATABASE.items():
        (here / "secrets" / "..2026" / name).write_text(f"{value}\n")
        (here / "secrets" / name).symlink_to(f"..data/{name}")
    monkeypatch.setenv(SECRETS_DIR, str(here / "secrets"))
    settings = load_settings()

    assert settings.db_password
    assert (settings.db_host, settings.db_password.get_secret_value()) == ("db", SECRET)


def test_a_secret_that_cannot_be_read_is_refused_by_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRETS_DIR, str(here))
    (here / "DB_NAME").mkdir()
    with pytest.raises(ConfigurationError, match=f"{here / 'DB_NAME'} cannot be read: Is a directory"):
        load_settings()
    (here / "DB_NAME").rmdir()
    (here / "DB_NAME").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=f"{here / 'DB_NAME'} cannot be read: it is not UTF-8"):
        load_settings()
    (here / "DB_NAME").unlink()
    (here.parent / "elsewhere").write_text("x")
    (here / "DB_NAME").symlink_to(here.parent / "elsewhere")
    with pytest.raises(ConfigurationError, match=f"{here / 'DB_NAME'} leads out"):
        load_settings()


def test_names_that_nothing_reads_are_named_with_their_file_and_those_of_other_programs_are_not(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".env").write_text("FOO=1\nOPENFAITH_SWEPS=1\nOPENFAITH_SECRETS_DIR=.\nOTEL_SDK_DISABLED=true\n")
    (here / "openfaith.toml").write_text("foo = 1\nDB_PORTS = 1\nDB_PORT = 1\n[tool.other]\nx = 1\n")
    (here / "OPENFAITH_ZZZ").write_text("")
    monkeypatch.delenv(SECRETS_DIR)
    load_settings()

    assert unknown_variables() == {
        f"OPENFAITH_SWEPS in {here / '.env'}": "OPENFAITH_SWEEPS",
        f"DB_PORTS in {here / 'openfaith.toml'}": "DB_PORT",
        f"foo in {here / 'openfaith.toml'}": None,
        f"tool in {here / 'openfaith.toml'}": None,
        f"OPENFAITH_ZZZ in {here}": None,
    }


def test_a_child_has_the_same_settings_wherever_it_starts_and_whatever_is_written_meanwhile(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".env").write_text(lines(DB_HOST_PRIMARY="db", DB_NAME="x", OPENFAITH_HOME="data"))
    (here / "openfaith.toml").write_text("DB_USERNAME = 'x'\nOPENFAITH_ALERT_URLS = ['ntfy://a', 'ntfy://b']\n")
    (here / "secrets").mkdir()
    (here / "secrets" / "DB_PASSWORD").write_text(f"{SECRET}\n")
    monkeypatch.setenv(SECRETS_DIR, "secrets")
    monkeypatch.setenv("DB_NAME", "mine")
    monkeypatch.setenv("OPENFAITH_POSTGRES_BIN", "bin")
    expected, environment = load_settings(), environment_with(DB_PORT="7")
    (here / ".env").write_text("not a setting")
    (here / "openfaith.toml").write_text("OPENFAITH_SWEEPS = 9")
    assert SECRET not in environment.values()

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == expected.model_copy(update={"db_port": 7})  # in this very directory
    (tmp_path / ".env").write_text("OPENFAITH_SWEEPS=9")
    monkeypatch.chdir(tmp_path)
    assert load_settings() == expected.model_copy(update={"db_port": 7})


def test_variables_that_libraries_read_get_from_the_file_into_the_environment(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "OTEL_SERVICE_NAME", "PGSSLMODE", "FOO"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("https_proxy", "http://mine")
    (here / ".env").write_text(
        lines(HTTPS_PROXY="http://theirs", OTEL_SERVICE_NAME="x", PGSSLMODE="require", FOO="1", DB_PORT="1")
    )
    use_variables_of_others()
    own = own_environment()

    assert (own["OTEL_SERVICE_NAME"], own["PGSSLMODE"]) == ("x", "require")
    assert not {"HTTPS_PROXY", "FOO", "DB_PORT"} & own.keys()


def test_a_file_with_secrets_that_others_may_read_is_found_by_the_doctor(here: Path) -> None:
    (here / "openfaith.toml").write_text("DB_PORT = 1\n")
    (here / ".env").write_text("OPENFAITH_API_KEYS=a\n")
    settings = Settings(home=here / "none")
    for path in (here / ".env", here / "openfaith.toml"):
        path.chmod(0o644)
    assert [str(path) for finding in examine_home(settings) for path in finding.examples] == [str(here / ".env")]

    (here / ".env").chmod(0o600)
    assert list(examine_home(settings)) == []
