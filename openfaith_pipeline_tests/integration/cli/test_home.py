"""A home is found, and made by the verbs that say so, never by accident."""

from pathlib import Path

import pytest

from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow


def test_no_verb_makes_a_home_by_accident(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    verb = Verbs({"XDG_DATA_HOME": str(tmp_path / "data")})
    for arguments in (
        ("status",),
        ("sync", "--all"),
        ("org", "list"),
        ("org", "pause", "org_x"),
        ("alerts", "list"),
        ("deletes", "list"),
        ("backfill", "--all"),
        ("serve", "--port", "0"),
        ("db", "url"),
        ("db", "stop"),
        ("db", "status"),
    ):
        refused = verb(*arguments, cwd=tmp_path / "elsewhere")

        assert (refused.code, refused.out) == (2, ""), arguments
        assert refused.err.startswith("error: there is no home here: OPENFAITH_HOME is not set")
        assert all(name in refused.err for name in (str(tmp_path / "elsewhere"), str(tmp_path / "data"), "demo"))

    typo = verb("status", "--json", OPENFAITH_HOME=str(tmp_path / "typo"), cwd=tmp_path)
    assert (typo.code, typo.document["error"]["type"]) == (2, "NoHome")
    assert f"OPENFAITH_HOME is {tmp_path / 'typo'}" in typo.err
    assert [path.name for path in tmp_path.rglob("*")] == ["elsewhere"]


def test_a_home_is_made_where_it_is_looked_for_and_found_from_below(open_directory: Path) -> None:
    work = open_directory / "work"
    (work / "reports").mkdir(parents=True)
    verb = Verbs({"XDG_DATA_HOME": str(work / "data")})

    of_user = verb("db", "upgrade", cwd=work / "reports")
    assert of_user.err == f"created a new home in {work / 'data' / 'openfaith-pipeline'}\n"
    assert verb("org", "list", cwd=work).code == 0

    (work / ".openfaith").mkdir()
    empty = verb("org", "list", cwd=work / "reports")
    assert (empty.code, f"there is no database in {work / '.openfaith'}" in empty.err) == (2, True)
    assert verb("db", "upgrade", cwd=work / "reports").err == f"created a new home in {work / '.openfaith'}\n"
    assert verb("org", "list", cwd=work / "reports").code == 0


def test_a_configured_database_needs_no_home(environment: dict[str, str], tmp_path: Path) -> None:
    listed = Verbs(environment)("org", "list", OPENFAITH_HOME=str(tmp_path / "none"))

    assert listed.code == 0, listed.err
