"""`db`: on a configured database and on an embedded one."""

from pathlib import Path

import psycopg
import pytest

from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow


def test_a_configured_database_is_not_ours_to_start_or_stop(verb: Verbs) -> None:
    for arguments in (("db", "start"), ("db", "stop")):
        outcome = verb(*arguments)
        assert (outcome.code, "cannot be started or stopped from here" in outcome.err) == (2, True)

    url = verb("db", "url").out.strip()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM sync.orgs").fetchone() == (0,)
    assert verb("db", "upgrade", "--json").document == {"was_current": True}
    status = verb("db", "status", "--json")
    assert status.code == 0
    assert (status.document["kind"], status.document["is_running"], status.document["is_current"]) == (
        "configured",
        True,
        True,
    )


def test_a_configured_database_that_does_not_answer_fails_the_status(environment: dict[str, str]) -> None:
    status = Verbs({**environment, "DB_PORT": "9"})("db", "status", "--json")

    assert (status.code, status.document["is_running"]) == (1, False)


def test_an_embedded_database_answers_until_it_is_stopped(open_directory: Path) -> None:
    verb = Verbs({"OPENFAITH_HOME": str(open_directory / "db verbs")})
    assert verb("db", "upgrade").code == 0
    assert verb("db", "status", "--json").document["is_running"] is False

    url = verb("db", "url").out.strip()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM sync.orgs").fetchone() == (0,)
    assert verb("db", "stop", "--unused", "--json").document == {"is_running": True, "cut_off": []}
    status = verb("db", "status", "--json").document
    assert (status["is_running"], status["is_pinned"], status["is_current"]) == (True, True, True)

    assert verb("db", "stop").out == "Postgres is stopped\n"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_roles_and_a_backup_on_an_embedded_database(open_directory: Path, tmp_path: Path) -> None:
    home, passphrase, file = open_directory / "db roles", tmp_path / "passphrase", tmp_path / "one.backup"
    passphrase.write_text("four made up words\n")
    key = ("--passphrase-file", str(passphrase))
    verb = Verbs({"OPENFAITH_HOME": str(home)})
    assert verb("db", "start").code == 0
    try:
        url = verb("db", "url").out.strip()
        with psycopg.connect(url) as connection:
            for org, name in (("org_a", "Amber"), ("org_b", "Birch")):
                connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, %s)", (org, name))
        (home / "encryption.key").write_text("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
        made = verb("db", "roles", "--json").document
        assert [reader["login"] for reader in made["readers"]] == ["openfaith_reader", "openfaith_reader_no_giving"]
        assert verb("db", "roles", "add", "of_amber").code == 2
        added = verb("db", "roles", "add", "of_amber", "--org", "Amber", "--no-giving", "--json").document
        assert (added["orgs"], added["sees_giving"]) == (["org_a"], False)
        _sees(verb, ["org_a"])
        assert verb("db", "url", "--role", "nobody").code == 2
        backed_up = verb("db", "backup", str(file), "--with-key", *key, "--json").document
        assert (backed_up["has_key"], backed_up["orgs"]) == (True, 2)
        assert verb("db", "backup", str(file)).code == 2
    finally:
        verb("db", "stop")
    _restored_elsewhere(Verbs({"OPENFAITH_HOME": str(open_directory / "db restored")}), file, key)


def _restored_elsewhere(verb: Verbs, file: Path, key: tuple[str, str]) -> None:
    restored = verb("db", "restore", str(file), *key, "--json")
    assert restored.code == 0, restored.err
    assert (restored.document["has_key"], "of_amber" in restored.document["readers"]) == (True, True)
    assert verb("db", "restore", str(file), *key).code == 2, "it is not empty any more"
    assert verb("db", "restore", str(file), *key, "--replace").code == 2, "nobody is there to say yes"
    assert restored.document["erased_again"]["has_marks"] is False
    replaced = verb("db", "restore", str(file), *key, "--replace", "--yes")
    assert (replaced.code, "0 erasures of people repeated" in replaced.err) == (0, True)
    try:
        _sees(verb, ["org_a"])
        printed = verb("db", "psql", "--role", "reader", "--", "-Atc", "SELECT count(*) FROM openfaith.churches")
        assert (printed.code, printed.out) == (0, "0\n")
    finally:
        verb("db", "stop")


def _sees(verb: Verbs, org_ids: list[str]) -> None:
    with psycopg.connect(verb("db", "url", "--role", "of_amber").out.strip()) as connection:
        rows = connection.execute("SELECT org_id FROM openfaith.churches").fetchall()
    assert [org for (org,) in rows] == org_ids
