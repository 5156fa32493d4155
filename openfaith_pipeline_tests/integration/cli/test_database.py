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
