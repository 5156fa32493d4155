"""Faults in the environment of the command line end in one sentence with the remedy, and exit code 2."""

import socket
from pathlib import Path

import pytest

from openfaith_pipeline.settings_places import CONFIG_FILE, ENV_FILE
from openfaith_pipeline.simulator import ChurchSpec, SimulatorClient
from openfaith_pipeline_tests.acceptance.dagster.processes import free_port
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"DB_PORT": "often"}, "DB_PORT"),
        ({"OPENFAITH_ENCRYPTION_KEYS": "short"}, "OPENFAITH_ENCRYPTION_KEYS"),
        ({"DB_HOST_PRIMARY": "db.invalid"}, "DB_PASSWORD"),
        ({"OPENFAITH_SCHEMA": "no; schema"}, "OPENFAITH_SCHEMA"),
        ({"PCO_API_URL": "ftp://x"}, "PCO_API_URL"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_variable_is_named(wrong: dict[str, str], named: str, tmp_path: Path) -> None:
    outcome = Verbs({"OPENFAITH_HOME": str(tmp_path), **wrong})("org", "list", "--json")

    assert outcome.code == 2
    assert named in outcome.err
    assert outcome.document["error"]["type"] == "ConfigurationError"
    assert "no; schema" not in outcome.err


def test_settings_come_from_a_file_above_and_the_environment_wins(
    environment: dict[str, str], tmp_path: Path, church: ChurchSpec
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / ".env").write_text(
        "".join(f"{name}='{value}'\n" for name, value in {**environment, "FOO": "1", "OPENFAITH_ZZZ": "1"}.items())
    )
    (tmp_path / "openfaith.toml").write_text(f"DB_PORT = 'wrong'\ndb_names = '{church.name}'\n")
    verb = Verbs({ENV_FILE: "", CONFIG_FILE: ""})
    listed = verb("org", "list", "--json", cwd=tmp_path / "below")
    refused = verb("org", "list", "--json", cwd=tmp_path / "below", DB_PORT="often")

    assert (listed.code, listed.document) == (0, [])
    assert listed.err.splitlines() == [
        f"OPENFAITH_ZZZ in {tmp_path / '.env'} is no setting and is ignored",
        f"db_names in {tmp_path / 'openfaith.toml'} is no setting and is ignored; is DB_NAME meant?",
    ]
    assert (refused.code, "DB_PORT: Input should be" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [("openfaith.toml", "DB_NAME = = 1", "line 1, column 11"), (".env", "DB_PORT=often", "DB_PORT in ")],
)
def test_a_wrong_file_is_named_by_each_verb_that_needs_settings(
    file: str, text: str, named: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(text)
    verb = Verbs({ENV_FILE: "", CONFIG_FILE: "", "OPENFAITH_HOME": str(tmp_path)})
    for arguments in (
        ("status",),
        ("dev",),
        ("serve",),
        ("worker",),
        ("dagster", "daemon"),
        ("catalog",),
        ("--version",),
    ):
        outcome = verb(*arguments, cwd=tmp_path)

        assert (outcome.code, outcome.out) == (2, ""), arguments
        assert outcome.err.startswith("error: ")
        assert all(part in outcome.err for part in (named, str(tmp_path / file))), arguments
        assert outcome.err.count("\n") == 1
    examined = verb("doctor", "--json", cwd=tmp_path)
    assert (examined.code, [each["kind"] for each in examined.document["findings"]]) == (2, ["settings_unusable"])


@pytest.mark.parametrize("verb", [("demo",), ("dev",), ("org", "list"), ("db", "start")], ids=" ".join)
def test_a_home_that_cannot_be_written_is_said_so(verb: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    # Somebody's own `dev` may have the usual ports.
    ports = ("--port", str(free_port()), "--service-port", str(free_port())) if verb == ("dev",) else ()
    outcome = Verbs({"OPENFAITH_HOME": str(tmp_path / "file" / "home")})(*verb, *ports)

    assert outcome.code == 2
    assert "OPENFAITH_HOME" in outcome.err


@pytest.mark.parametrize("verb", ["dev", "simulator"])
def test_a_port_in_use_is_said_so(verb: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = Verbs({"OPENFAITH_HOME": str(tmp_path)})(verb, "--port", str(port))

    assert outcome.code == 2
    assert str(port) in outcome.err


def test_a_database_that_does_not_answer_is_said_so(environment: dict[str, str]) -> None:
    outcome = Verbs({**environment, "DB_PORT": "9"})("org", "list", "--json")

    assert outcome.code == 1
    assert "127.0.0.1:9" in outcome.document["error"]["message"]
    assert environment["DB_PASSWORD"] not in outcome.err + outcome.out


def test_the_demo_keeps_out_of_a_configured_database(environment: dict[str, str]) -> None:
    outcome = Verbs(environment)("demo")

    assert (outcome.code, "unset DB_*" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "socks5://127.0.0.1:1080"),
        ("HTTP_PROXY", "http://alice:pl4nted#1@127.0.0.1:9"),
        ("SSL_CERT_FILE", "/pl4nted/ca.pem"),
    ],
)
def test_an_obstacle_before_the_api_is_named(name: str, value: str, verb: Verbs, church: ChurchSpec) -> None:
    api = "https://api.invalid" if name == "SSL_CERT_FILE" else "http://api.invalid"
    token = ("--app-id", "x", "--secret-stdin", "--api-url", api)
    refused = verb("org", "add", church.org_id, *token, stdin="y\n", **{name: value})

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"error: {name} ")
    assert refused.err.count("\n") == 1
    assert "pl4nted" not in refused.err


def test_a_proxy_list_with_networks_in_it_does_no_harm(
    verb: Verbs, church: ChurchSpec, simulator: SimulatorClient
) -> None:
    token = ("--app-id", church.credentials.app_id, "--secret-stdin", "--api-url", simulator.url)
    secret, proxies = f"{church.credentials.secret}\n", {"NO_PROXY": "[::1],fd07:b51a:cc66:f0::/64"}
    added = verb("org", "add", church.org_id, *token, stdin=secret, HTTP_PROXY="http://proxy.invalid", **proxies)

    assert added.code == 0, added.err


def test_a_name_that_the_terminal_cannot_write_is_written_as_it_can(
    verb: Verbs, church: ChurchSpec, simulator: SimulatorClient
) -> None:
    name = "Église 🎉\x1b[2J\u202e"
    token = ("--app-id", church.credentials.app_id, "--secret-stdin", "--api-url", simulator.url, "--name", name)
    with verb.start("org", "add", church.org_id, *token, PYTHONIOENCODING="ascii") as adding:
        out, err = adding.communicate(f"{church.credentials.secret}\n", timeout=60)
    assert (adding.returncode, out) == (0, f"connected {church.org_id} (?glise ??[2J?)\n"), err
    listed = verb("org", "list", "--json")
    assert listed.document[0]["name"] == "Église 🎉\ufffd[2J\ufffd"
